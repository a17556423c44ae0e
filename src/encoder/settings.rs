//! What a user chooses about an encoder; recorded with the embeddings because it changes them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the linear layers of an encoder are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// In f32: the checkpoint as its authors run it.
    #[default]
    F32,
    /// Weights and inputs of the linear layers rounded to bf16 (8 bits of mantissa), their products summed in f32: half the
    /// memory for the layers' weights, and less time for single short texts.
    Bf16,
    /// Weights of the linear layers as whole numbers of 8 bits with a scale for each output, their inputs with a scale for each token; products
    /// summed exactly. A quarter of the memory for the layers' weights, and the least time. It has the same bits on every instruction set with kernels.
    I8,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
        })
    }
}

/// Choices that change what an encoder returns, and therefore its [`Fingerprint`](crate::Fingerprint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderSettings {
    /// Tokens per text, special tokens included; the end of longer texts is left out. 64 by default, as in UWE.
    pub max_tokens: usize,
    /// Whether special tokens (`[CLS]`, `[SEP]`) become rows too. Without them, the default, there is a third less to
    /// scan for short labels, and an untrained encoder ranks better.
    pub special_tokens: bool,
    /// How the linear layers are computed.
    pub precision: Precision,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { max_tokens: 64, special_tokens: false, precision: Precision::F32 }
    }
}

impl EncoderSettings {
    /// No published encoder takes more tokens; a configuration may say anything.
    const MAX_TOKENS: usize = 1 << 15;

    /// [`Error::InvalidOption`] unless `1 ≤ max_tokens ≤ max_positions`, and in bounds.
    pub(crate) fn check(&self, max_positions: usize) -> Result<()> {
        let max_positions = max_positions.min(Self::MAX_TOKENS);
        if (1..=max_positions).contains(&self.max_tokens) {
            return Ok(());
        }
        Err(Error::InvalidOption {
            option: "max_tokens",
            expected: format!("1 to {max_positions}, the positions of the model"),
            got: self.max_tokens.to_string(),
        })
    }

    /// The same settings with at most `limit` tokens, where there is a limit.
    pub(crate) fn limited_to(self, limit: Option<usize>) -> Self {
        let max_tokens = limit.map_or(self.max_tokens, |limit| self.max_tokens.min(limit));
        Self { max_tokens, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_take_their_defaults_and_unknown_ones_are_refused() {
        assert_eq!(serde_json::from_str::<EncoderSettings>("{}").unwrap(), EncoderSettings::default());
        let settings: EncoderSettings = serde_json::from_str(r#"{"special_tokens":true}"#).unwrap();
        assert_eq!(settings, EncoderSettings { special_tokens: true, ..EncoderSettings::default() });
        assert!(serde_json::from_str::<EncoderSettings>(r#"{"max_token":8}"#).is_err());
    }

    #[test]
    fn max_tokens_is_checked_against_the_positions_and_lowered_to_the_checkpoint() {
        let settings = EncoderSettings { max_tokens: 65, ..EncoderSettings::default() };
        assert!(settings.check(64).is_err());
        assert!(settings.check(65).is_ok());
        assert!(EncoderSettings { max_tokens: 0, ..settings }.check(64).is_err());
        assert!(EncoderSettings { max_tokens: 1 << 20, ..settings }.check(usize::MAX).is_err());
        assert_eq!(settings.limited_to(Some(10)).max_tokens, 10);
        assert_eq!(settings.limited_to(Some(100)).max_tokens, 65);
        assert_eq!(settings.limited_to(None), settings);
    }
}

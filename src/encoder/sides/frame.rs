//! What a side puts around a text's tokens.

use std::path::Path;

use super::{LateConfig, Role, SideSpec};
use crate::encoder::files::encoder_error;
use crate::encoder::tokenizer::TextTokenizer;
use crate::error::{Error, Result};

/// How the texts of one side become tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Put before the text.
    pub prompt: String,
    /// Tokens at the start that pooling leaves out where it leaves prompts out: the special ones and those of the prompt.
    pub prompt_tokens: usize,
    /// The most tokens, all included but those of `expansion`.
    pub max_tokens: usize,
    /// Put behind the first token; with its spelling.
    pub marker: Option<(u32, String)>,
    /// What queries are filled up with.
    pub expansion: Option<Expansion>,
    /// Tokens that are no rows.
    pub skiplist: Vec<u32>,
}

/// Filling up with mask tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expansion {
    pub id: u32,
    pub spelling: String,
    /// The number of tokens that every text is brought to.
    pub length: usize,
    /// Whether the tokens of the text see them.
    pub attend: bool,
}

impl Frame {
    /// Texts as they are.
    pub(crate) fn plain(max_tokens: usize) -> Self {
        Self {
            prompt: String::new(),
            prompt_tokens: 0,
            max_tokens,
            marker: None,
            expansion: None,
            skiplist: Vec::new(),
        }
    }

    /// The frame of a side; `late` is that of a PyLate model. `transformer` is the folder that errors name.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the tokenizer lacks a token, [`Error::InvalidOption`] when `max_tokens` leaves no room for a token
    /// of the text.
    pub(crate) fn of(
        spec: &SideSpec,
        late: &LateConfig,
        tokenizer: &TextTokenizer,
        transformer: &Path,
        max_tokens: usize,
    ) -> Result<Self> {
        let mut frame = Self { prompt: spec.prompt.clone(), ..Self::plain(max_tokens) };
        let prompt = tokenizer.prompt_tokens(&frame.prompt)?;
        frame.prompt_tokens = if frame.prompt.is_empty() { 0 } else { prompt.leading };
        if let Some(role) = spec.role {
            frame.mark(role, late, tokenizer, transformer)?;
        }
        let taken = prompt.all + usize::from(frame.marker.is_some());
        if taken < frame.max_tokens {
            return Ok(frame);
        }
        Err(Error::InvalidOption {
            option: "max_tokens",
            expected: format!("more than the {taken} tokens that are put around every text"),
            got: frame.max_tokens.to_string(),
        })
    }

    /// As `ColBERT.tokenize` and `encode` of PyLate do it.
    fn mark(&mut self, role: Role, late: &LateConfig, tokenizer: &TextTokenizer, transformer: &Path) -> Result<()> {
        let (field, prefix, length) = match role {
            Role::Query => ("query_prefix", &late.query_prefix, late.query_length),
            Role::Document => ("document_prefix", &late.document_prefix, late.document_length),
        };
        self.max_tokens = self.max_tokens.min(length);
        if !prefix.is_empty() {
            let id = tokenizer.id(prefix);
            let missing = || encoder_error(transformer, format!("{field}: the tokenizer has no token `{prefix}`"));
            self.marker = Some((id.ok_or_else(missing)?, prefix.clone()));
        }
        if role == Role::Query && late.expand {
            let names = special_names(transformer, "mask_token", &["[MASK]", "<mask>"]);
            let names = names.chain(special_names(transformer, "eos_token", &["</s>"]));
            let (id, spelling) = first_known(names.chain(special_names(transformer, "pad_token", &[])), tokenizer)
                .ok_or_else(|| encoder_error(transformer, "no mask, end or padding token to fill up queries with"))?;
            self.expansion = Some(Expansion { id, spelling, length: self.max_tokens, attend: late.attend });
        }
        if role == Role::Document {
            // A word that is no token counts as the unknown token, as it does in PyLate.
            let unknown = first_known(special_names(transformer, "unk_token", &["[UNK]", "<unk>"]), tokenizer);
            let unknown = unknown.map(|(id, _)| id);
            self.skiplist = late.skiplist.iter().filter_map(|word| tokenizer.id(word).or(unknown)).collect();
            self.skiplist.sort_unstable();
            self.skiplist.dedup();
        }
        Ok(())
    }
}

fn first_known(names: impl Iterator<Item = String>, tokenizer: &TextTokenizer) -> Option<(u32, String)> {
    names.filter_map(|name| Some((tokenizer.id(&name)?, name))).next()
}

/// What the files of a tokenizer call a special token, then what it is called by default.
fn special_names(transformer: &Path, field: &str, default: &[&str]) -> impl Iterator<Item = String> {
    let said = ["tokenizer_config.json", "special_tokens_map.json"].into_iter().filter_map(|file| {
        let file: serde_json::Value = super::super::files::read_json(&transformer.join(file)).ok()?;
        let token = file.get(field)?;
        Some(token.as_str().or_else(|| token.get("content")?.as_str())?.to_string())
    });
    let said: Vec<String> = said.chain(default.iter().map(|name| name.to_string())).collect();
    said.into_iter()
}

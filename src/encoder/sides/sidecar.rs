//! `workindex.json` in a model directory: what its publisher says of the model's use. All of it is optional:
//!
//! ```json
//! {
//!   "rule": {"interaction": "soft", "temperature": 0.05, "direction": "query", "weights": "cosine"},
//!   "sides": {
//!     "query": {"head": "anchor", "prompt": "job title: "},
//!     "kinds": {"occupation": "anchor", "skill": "positive", "*": "positive"}
//!   },
//!   "max_tokens": 48,
//!   "special_tokens": false,
//!   "precision": "bf16"
//! }
//! ```
//!
//! * `rule`: the scoring rule of rankings that ask for none. `interaction`: `soft`, `max_sim`, `context_match` or `mean_pool`;
//!   `direction`: `query`, `target` or `both`; `weights`: `cosine` or `raw`; `temperature`: a positive number. What is left
//!   out is as the interaction's own default has it.
//! * `sides`: which side queries are on, and concepts of each kind (`*`: of all kinds that are not named). A side is
//!   the name of a head (a route of an Asym or Router module) or else of a prompt of config_sentence_transformers.json; or an
//!   object with `head`, and `prompt` (the text itself) or `prompt_name`. What is left out is as without a sidecar. Where
//!   queries are on a side that concepts of some kind are on too, a query that is said to be of a kind is embedded like its
//!   concepts.
//! * `max_tokens`, `special_tokens`, `precision` (`f32`, `bf16` or `i8`): the [`EncoderSettings`](crate::EncoderSettings) where none are given.
//!
//! The file is one of the model's: the fingerprint covers it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::encoder::files::{encoder_error, read_json};
use crate::encoder::settings::Precision;
use crate::error::Result;

const FILE: &str = "workindex.json";

/// The sidecar of a model; empty where there is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sidecar {
    /// For errors.
    pub path: PathBuf,
    pub rule: Option<RuleChoice>,
    pub query: Option<SideChoice>,
    /// By kind; `*` for all others.
    pub kinds: BTreeMap<String, SideChoice>,
    pub max_tokens: Option<usize>,
    pub special_tokens: Option<bool>,
    pub precision: Option<Precision>,
}

/// A scoring rule in words; encoders know nothing of scoring.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct RuleChoice {
    pub interaction: Option<InteractionWord>,
    pub direction: Option<DirectionWord>,
    pub weights: Option<WeightsWord>,
    /// Finite and above 0.
    pub temperature: Option<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InteractionWord {
    Soft,
    MaxSim,
    ContextMatch,
    MeanPool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirectionWord {
    Query,
    Target,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeightsWord {
    Cosine,
    Raw,
}

/// What is said of a side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SideChoice {
    /// A head or a prompt.
    Named(String),
    Parts(SideParts),
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideParts {
    #[serde(default)]
    pub head: Option<String>,
    #[serde(default)]
    pub prompt: Option<String>,
    #[serde(default)]
    pub prompt_name: Option<String>,
}

// Each field as it stands, so that what is wrong with one can be said with its name.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Option<RuleFile>,
    sides: Option<SidesFile>,
    max_tokens: Option<Value>,
    special_tokens: Option<Value>,
    precision: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    interaction: Option<Value>,
    direction: Option<Value>,
    weights: Option<Value>,
    temperature: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SidesFile {
    query: Option<Value>,
    kinds: Option<BTreeMap<String, Value>>,
}

impl Sidecar {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Ok(Self { path, ..Self::default() });
        }
        let file: File = read_json(&path)?;
        let SidesFile { query, kinds } = file.sides.unwrap_or_default();
        let kind = |(kind, value): (String, Value)| {
            let choice = field(&path, &format!("sides.kinds.{kind}"), Some(value))?;
            Ok(choice.map(|choice| (kind, choice)))
        };
        let kinds = kinds.unwrap_or_default().into_iter().map(kind).collect::<Result<Vec<_>>>()?;
        let sidecar = Self {
            rule: file.rule.map(|rule| rule.read(&path)).transpose()?,
            query: field(&path, "sides.query", query)?,
            kinds: kinds.into_iter().flatten().collect(),
            max_tokens: field(&path, "max_tokens", file.max_tokens)?,
            special_tokens: field(&path, "special_tokens", file.special_tokens)?,
            precision: field(&path, "precision", file.precision)?,
            path,
        };
        if sidecar.max_tokens == Some(0) {
            return Err(encoder_error(&sidecar.path, "max_tokens: expected at least 1, found 0"));
        }
        Ok(sidecar)
    }
}

impl RuleFile {
    fn read(self, path: &Path) -> Result<RuleChoice> {
        let temperature: Option<f32> = field(path, "rule.temperature", self.temperature)?;
        if let Some(found) = temperature
            && !(found.is_finite() && found > 0.0)
        {
            return Err(encoder_error(path, format!("rule.temperature: expected a positive number, found {found}")));
        }
        Ok(RuleChoice {
            interaction: field(path, "rule.interaction", self.interaction)?,
            direction: field(path, "rule.direction", self.direction)?,
            weights: field(path, "rule.weights", self.weights)?,
            temperature,
        })
    }
}

fn field<T: DeserializeOwned>(path: &Path, name: &str, value: Option<Value>) -> Result<Option<T>> {
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|e| encoder_error(path, format!("{name}: {e}")))
}

impl<'de> Deserialize<'de> for SideChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = SideChoice;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of a head or a prompt, or an object with `head` and `prompt` or `prompt_name`")
            }

            fn visit_str<E>(self, name: &str) -> std::result::Result<SideChoice, E> {
                Ok(SideChoice::Named(name.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<SideChoice, A::Error> {
                SideParts::deserialize(MapAccessDeserializer::new(map)).map(SideChoice::Parts)
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Sidecar> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), json).unwrap();
        Sidecar::read(dir.path())
    }

    #[test]
    fn everything_is_read_and_everything_is_optional() {
        assert_eq!(Sidecar { path: PathBuf::new(), ..read("{}").unwrap() }, Sidecar::default());
        let sidecar = read(
            r#"{"rule":{"interaction":"context_match","temperature":0.5},"max_tokens":48,"special_tokens":true,"precision":"bf16",
                "sides":{"query":{"head":"a","prompt":"p"},"kinds":{"skill":"b"}}}"#,
        )
        .unwrap();
        let rule = sidecar.rule.unwrap();
        assert_eq!((rule.interaction, rule.temperature), (Some(InteractionWord::ContextMatch), Some(0.5)));
        assert_eq!((rule.direction, rule.weights), (None, None));
        assert_eq!((sidecar.max_tokens, sidecar.special_tokens), (Some(48), Some(true)));
        assert_eq!(sidecar.precision, Some(Precision::Bf16));
        let parts = SideParts { head: Some("a".into()), prompt: Some("p".into()), prompt_name: None };
        assert_eq!(sidecar.query, Some(SideChoice::Parts(parts)));
        assert_eq!(sidecar.kinds["skill"], SideChoice::Named("b".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, name) in [
            (r#"{"rules":{}}"#, "`rules`"),
            (r#"{"rule":{"tau":1}}"#, "`tau`"),
            (r#"{"rule":{"interaction":"colbert"}}"#, "rule.interaction"),
            (r#"{"rule":{"direction":1}}"#, "rule.direction"),
            (r#"{"rule":{"temperature":0}}"#, "rule.temperature"),
            (r#"{"rule":{"temperature":"warm"}}"#, "rule.temperature"),
            (r#"{"max_tokens":0}"#, "max_tokens"),
            (r#"{"max_tokens":-3}"#, "max_tokens"),
            (r#"{"special_tokens":"yes"}"#, "special_tokens"),
            (r#"{"precision":"i4"}"#, "precision"),
            (r#"{"sides":{"documents":"a"}}"#, "`documents`"),
            (r#"{"sides":{"query":7}}"#, "sides.query"),
            (r#"{"sides":{"kinds":{"skill":{"heads":"a"}}}}"#, "sides.kinds.skill"),
        ] {
            let error = read(json).unwrap_err();
            assert!(matches!(error, crate::Error::Encoder { .. }));
            assert!(error.to_string().contains(name), "{json}: {error}");
        }
    }
}

//! `config.json`: the family and the sizes of a model, checked before anything is built from them.
//!
//! Read in every family: `model_type`, `vocab_size`, `max_position_embeddings` and `_name_or_path` (optional). The rest has
//! the names and, where optional, the defaults that `transformers` gives it:
//!
//! | | BERT, RoBERTa, XLM-RoBERTa, MPNet | DistilBERT | ModernBERT |
//! |---|---|---|---|
//! | sizes | `hidden_size`, `num_hidden_layers`, `num_attention_heads`, `intermediate_size` | `dim`, `n_layers`, `n_heads`, `hidden_dim` | as BERT |
//! | activation (optional) | `hidden_act` | `activation` | `hidden_activation` |
//! | epsilon of norms (optional) | `layer_norm_eps` | always 1e-12 | `norm_eps` |
//! | token types (optional) | `type_vocab_size`; MPNet has none | none | none |
//! | row of the first token's position | BERT 0; RoBERTa and XLM-RoBERTa `pad_token_id` + 1 (optional); MPNet always 2 | 0 | no table |
//! | more (optional) | MPNet: `relative_attention_num_buckets` | | see below |
//!
//! ModernBERT also: `layer_types` or `global_attn_every_n_layers`, `local_attention`, `rope_parameters` or
//! `global_rope_theta` and `local_rope_theta`, `norm_bias`, `attention_bias`, `mlp_bias`; all optional.
//!
//! Refused, because they mean another model: any `position_embedding_type` but `absolute`, `is_decoder`,
//! `add_cross_attention`, an `embedding_size` other than the hidden size, another number of buckets than 32, scaled rotary
//! positions, a `head_dim` other than the hidden size over the heads.

mod activation;
mod family;
mod fields;
mod modern;
mod tensors;

use std::path::Path;

use serde_json::Value;

use super::files::{encoder_error, read_json};
use crate::error::Result;
use fields::{Fields, Problem, excerpt};

pub(crate) use activation::Activation;
pub(crate) use family::Family;
pub(crate) use modern::ModernBertConfig;
pub(crate) use tensors::{FINAL_NORM, LayerNames, RELATIVE_BIAS};

/// The largest value of each size; far above any published model, and small enough that products cannot overflow.
const MAX_VOCABULARY: usize = 1 << 24;
const MAX_DIM: usize = 1 << 16;
const MAX_LAYERS: usize = 1 << 10;
const MAX_HEADS: usize = 1 << 10;
const MAX_INTERMEDIATE: usize = 1 << 20;
const MAX_POSITIONS: usize = 1 << 20;
const MAX_TYPES: usize = 1 << 10;

/// MPNet's padding token, which its code has as a constant.
const MPNET_PADDING: usize = 1;
/// The number of relative positions that MPNet's code tells apart, whatever config.json says.
const MPNET_BUCKETS: usize = 32;

/// A model of any family that is read. Invariants: every size is at least 1 (but for `type_vocab_size`) and within the
/// limits above, `num_attention_heads` divides `hidden_size`, `first_position` is below `max_position_embeddings`, and
/// `modern` is there exactly in the family ModernBERT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelConfig {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    /// Rows of the table of positions; in ModernBERT, which has none, the number in config.json.
    pub max_position_embeddings: usize,
    /// Rows of the table of token types; 0 in families without one.
    pub type_vocab_size: usize,
    pub hidden_act: Activation,
    pub layer_norm_eps: f64,
    /// Row of the table of positions for the first token. Where it is not 0, the row before it is that of the padding token,
    /// whose id is the same number.
    pub first_position: usize,
    /// MPNet: rows of the table of relative positions.
    pub relative_buckets: Option<usize>,
    pub modern: Option<ModernBertConfig>,
    /// What the model calls itself.
    pub name: Option<String>,
}

impl ModelConfig {
    /// Reads a config.json.
    ///
    /// # Errors
    /// [`Error::Encoder`](crate::Error::Encoder) when the file is missing or no JSON, or a field is missing, out of its
    /// limits or of a kind that is not read; the field is named.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let value: Value = read_json(path)?;
        Self::from_json(&value).map_err(|problem| encoder_error(path, problem))
    }

    /// The same from JSON in memory; an error begins with the name of the field.
    pub(crate) fn from_json(value: &Value) -> Result<Self, Problem> {
        let fields = Fields::new(value)?;
        let family = read_family(&fields)?;
        refuse_variants(&fields)?;
        let names = SizeNames::of(family);
        let hidden_size = fields.size(names.hidden, MAX_DIM)?;
        let num_attention_heads = fields.size(names.heads, MAX_HEADS)?;
        let num_hidden_layers = fields.size(names.layers, MAX_LAYERS)?;
        let max_position_embeddings = fields.size("max_position_embeddings", MAX_POSITIONS)?;
        let head_dim = head_dim(&fields, &names, hidden_size, num_attention_heads)?;
        let modern = (family == Family::ModernBert)
            .then(|| ModernBertConfig::read(&fields, num_hidden_layers, head_dim))
            .transpose()?;
        Ok(Self {
            family,
            vocab_size: fields.size("vocab_size", MAX_VOCABULARY)?,
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            intermediate_size: fields.size(names.wide, MAX_INTERMEDIATE)?,
            max_position_embeddings,
            type_vocab_size: type_vocab_size(&fields, family)?,
            hidden_act: Activation::read(&fields, names.activation)?,
            layer_norm_eps: layer_norm_eps(&fields, family)?,
            first_position: first_position(&fields, family, max_position_embeddings)?,
            relative_buckets: relative_buckets(&fields, family)?,
            modern,
            name: fields.text("_name_or_path")?.map(str::to_string),
        })
    }

    /// The most tokens of a text: each needs a position.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_position_embeddings - self.first_position
    }
}

/// What a family calls its sizes and its activation.
struct SizeNames {
    hidden: &'static str,
    layers: &'static str,
    heads: &'static str,
    wide: &'static str,
    activation: &'static str,
}

impl SizeNames {
    fn of(family: Family) -> Self {
        let [hidden, layers, heads, wide, activation] = match family {
            Family::DistilBert => ["dim", "n_layers", "n_heads", "hidden_dim", "activation"],
            Family::ModernBert => {
                ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_activation"]
            }
            _ => ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"],
        };
        Self { hidden, layers, heads, wide, activation }
    }
}

/// Values per head; the heads must share the hidden size evenly, and the embeddings must be of that size too.
fn head_dim(fields: &Fields<'_>, names: &SizeNames, hidden: usize, heads: usize) -> Result<usize, Problem> {
    if !hidden.is_multiple_of(heads) {
        return Err(format!(
            "{}: {hidden} is not divisible by {heads} attention heads ({})",
            names.hidden, names.heads
        ));
    }
    fields.only("embedding_size", &hidden.into())?;
    Ok(hidden / heads)
}

fn read_family(fields: &Fields<'_>) -> Result<Family, Problem> {
    let expected = || Family::ALL.map(|family| format!("`{}`", family.name())).join(", ");
    match fields.get("model_type") {
        None => Err(format!("model_type: missing; expected one of {}", expected())),
        Some(value) => value
            .as_str()
            .and_then(Family::of)
            .ok_or_else(|| format!("model_type: {} is not supported; expected one of {}", excerpt(value), expected())),
    }
}

/// Models that share a family's name and sizes but compute something else.
fn refuse_variants(fields: &Fields<'_>) -> Result<(), Problem> {
    fields.only("position_embedding_type", &"absolute".into())?;
    fields.only("is_decoder", &false.into())?;
    fields.only("add_cross_attention", &false.into())
}

fn type_vocab_size(fields: &Fields<'_>, family: Family) -> Result<usize, Problem> {
    match family {
        Family::Bert | Family::Roberta | Family::XlmRoberta => fields.size_or("type_vocab_size", MAX_TYPES, 2),
        Family::MpNet | Family::DistilBert | Family::ModernBert => Ok(0),
    }
}

fn layer_norm_eps(fields: &Fields<'_>, family: Family) -> Result<f64, Problem> {
    match family {
        Family::DistilBert => Ok(1e-12),
        Family::ModernBert => fields.number_or("norm_eps", (0.0, 1.0), 1e-5),
        _ => fields.number_or("layer_norm_eps", (0.0, 1.0), 1e-12),
    }
}

/// The row after that of the padding token; below `positions`.
fn first_position(fields: &Fields<'_>, family: Family, positions: usize) -> Result<usize, Problem> {
    let padding = match family {
        Family::Roberta | Family::XlmRoberta => fields.whole("pad_token_id", 0..=MAX_VOCABULARY)?.unwrap_or(1),
        Family::MpNet => MPNET_PADDING,
        Family::Bert | Family::DistilBert | Family::ModernBert => return Ok(0),
    };
    match padding + 1 < positions {
        true => Ok(padding + 1),
        false => Err(format!(
            "max_position_embeddings: {positions} leaves no position for a token; those up to {padding}, the \
             pad_token_id, are not used"
        )),
    }
}

fn relative_buckets(fields: &Fields<'_>, family: Family) -> Result<Option<usize>, Problem> {
    if family != Family::MpNet {
        return Ok(None);
    }
    fields.only("relative_attention_num_buckets", &MPNET_BUCKETS.into())?;
    Ok(Some(MPNET_BUCKETS))
}

#[cfg(test)]
mod tests;

//! `config.json`: the family and the sizes of a model, checked before anything is built from them.

use std::path::Path;

use serde::Deserialize;

use super::files::{encoder_error, read_json};
use crate::error::Result;

/// The sizes of a BERT model. Invariants of a checked configuration: every size is at least 1 and within
/// [`LIMITS`](ModelConfig::LIMITS), and `num_attention_heads` divides `hidden_size`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ModelConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    #[serde(default)]
    pub hidden_act: Activation,
    #[serde(default = "bert_eps")]
    pub layer_norm_eps: f64,
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
    #[serde(default)]
    pub is_decoder: bool,
    #[serde(default, rename = "_name_or_path")]
    pub name: Option<String>,
}

/// The activation between the two linear maps of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Activation {
    /// x · Φ(x), with the exact normal distribution function.
    #[default]
    #[serde(rename = "gelu")]
    Gelu,
    /// The approximation of GELU by tanh.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
    #[serde(rename = "relu")]
    Relu,
}

fn two() -> usize {
    2
}

fn bert_eps() -> f64 {
    1e-12
}

fn absolute() -> String {
    "absolute".to_string()
}

/// The only field that every family has.
#[derive(Deserialize)]
struct Family {
    model_type: Option<String>,
}

impl ModelConfig {
    /// The family that this version reads.
    pub(crate) const FAMILY: &str = "bert";

    /// The largest value of each size; far above any published model, and small enough that products cannot overflow.
    const LIMITS: [(&'static str, usize); 7] = [
        ("vocab_size", 1 << 24),
        ("hidden_size", 1 << 16),
        ("num_hidden_layers", 1 << 10),
        ("num_attention_heads", 1 << 10),
        ("intermediate_size", 1 << 20),
        ("max_position_embeddings", 1 << 20),
        ("type_vocab_size", 1 << 10),
    ];

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let value: serde_json::Value = read_json(path)?;
        let parse_error = |e: serde_json::Error| encoder_error(path, e.to_string());
        let family = Family::deserialize(&value).map_err(parse_error)?.model_type;
        match family.as_deref() {
            Some(Self::FAMILY) => {}
            Some(other) => {
                let problem = format!("model_type `{other}` is not supported; this version reads `bert` models");
                return Err(encoder_error(path, problem));
            }
            None => return Err(encoder_error(path, "no model_type; `bert` is expected")),
        }
        let config = Self::deserialize(&value).map_err(parse_error)?;
        config.check().map_err(|problem| encoder_error(path, problem))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for ((name, limit), size) in Self::LIMITS.into_iter().zip(self.sizes()) {
            if !(1..=limit).contains(&size) {
                return Err(format!("{name}: expected 1 to {limit}, found {size}"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let Self { hidden_size, num_attention_heads, .. } = self;
            return Err(format!("hidden_size {hidden_size} is not divisible by {num_attention_heads} attention heads"));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!("layer_norm_eps: expected a value between 0 and 1, found {}", self.layer_norm_eps));
        }
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type: expected `absolute`, found `{}`",
                self.position_embedding_type
            ));
        }
        if self.is_decoder { Err("is_decoder: an encoder is expected".to_string()) } else { Ok(()) }
    }

    /// In the order of [`LIMITS`](Self::LIMITS).
    fn sizes(&self) -> [usize; 7] {
        [
            self.vocab_size,
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
            self.max_position_embeddings,
            self.type_vocab_size,
        ]
    }

    /// Name and shape of every tensor that the model is made of, in the names of `transformers` without a prefix.
    pub(crate) fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let Self { hidden_size: d, intermediate_size: wide, .. } = *self;
        let mut parameters = vec![
            ("embeddings.word_embeddings.weight".to_string(), vec![self.vocab_size, d]),
            ("embeddings.position_embeddings.weight".to_string(), vec![self.max_position_embeddings, d]),
            ("embeddings.token_type_embeddings.weight".to_string(), vec![self.type_vocab_size, d]),
        ];
        add_affine(&mut parameters, "embeddings.LayerNorm", vec![d]);
        for layer in 0..self.num_hidden_layers {
            for (name, shape) in [
                ("attention.self.query", vec![d, d]),
                ("attention.self.key", vec![d, d]),
                ("attention.self.value", vec![d, d]),
                ("attention.output.dense", vec![d, d]),
                ("attention.output.LayerNorm", vec![d]),
                ("intermediate.dense", vec![wide, d]),
                ("output.dense", vec![d, wide]),
                ("output.LayerNorm", vec![d]),
            ] {
                add_affine(&mut parameters, &format!("encoder.layer.{layer}.{name}"), shape);
            }
        }
        parameters
    }
}

/// A weight of the given shape and a bias as long as its first dimension.
fn add_affine(parameters: &mut Vec<(String, Vec<usize>)>, name: &str, shape: Vec<usize>) {
    let bias = shape[..1].to_vec();
    parameters.push((format!("{name}.weight"), shape));
    parameters.push((format!("{name}.bias"), bias));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(edit: impl FnOnce(&mut serde_json::Value)) -> Result<ModelConfig> {
        let mut value = serde_json::json!({
            "model_type": "bert", "vocab_size": 100, "hidden_size": 12, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 24, "max_position_embeddings": 64,
        });
        edit(&mut value);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, value.to_string()).unwrap();
        ModelConfig::read(&path)
    }

    #[test]
    fn fields_left_out_take_the_defaults_of_bert() {
        let config = read(|_| {}).unwrap();
        assert_eq!((config.type_vocab_size, config.hidden_act, config.layer_norm_eps), (2, Activation::Gelu, 1e-12));
        assert_eq!(config.parameters().len(), 3 + 2 + 2 * 16);
    }

    #[test]
    fn the_activation_is_read() {
        let of = |name: &str| read(|v| v["hidden_act"] = name.into()).map(|c| c.hidden_act);
        assert_eq!(of("gelu_new").unwrap(), Activation::GeluTanh);
        assert_eq!(of("relu").unwrap(), Activation::Relu);
        assert!(of("swish").unwrap_err().to_string().contains("swish"));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let cases: [(&str, serde_json::Value, &str); 8] = [
            ("num_attention_heads", 0.into(), "num_attention_heads"),
            ("num_attention_heads", 5.into(), "not divisible"),
            ("hidden_size", (-1).into(), "-1"),
            ("num_hidden_layers", 1_000_000_000_000u64.into(), "num_hidden_layers"),
            ("max_position_embeddings", u64::MAX.into(), "max_position_embeddings"),
            ("layer_norm_eps", (-1.0).into(), "layer_norm_eps"),
            ("position_embedding_type", "relative_key".into(), "relative_key"),
            ("model_type", "mpnet".into(), "mpnet"),
        ];
        for (field, value, expected) in cases {
            let error = read(|v| v[field] = value).unwrap_err();
            assert!(error.to_string().contains(expected), "{field}: {error}");
        }
    }
}

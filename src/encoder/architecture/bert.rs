//! BERT (Devlin et al. 2018, arXiv 1810.04805): learned positions, post-norm layers.

use candle_core::Tensor;

use super::Architecture;
use super::layers::{LayerNorm, Linear, softmax};
use crate::encoder::config::{Activation, ModelConfig};
use crate::encoder::weights::Weights;
use crate::error::Result;

/// Added to the score of a padded position; its weight becomes exactly 0.
const MASKED: f64 = -1e9;

/// A BERT encoder without pooler and heads.
pub(crate) struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
}

struct Embeddings {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: LayerNorm,
}

struct Layer {
    attention: Attention,
    attention_norm: LayerNorm,
    widen: Linear,
    activation: Activation,
    narrow: Linear,
    output_norm: LayerNorm,
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

impl Bert {
    /// Builds the model from constants, or from variables to train.
    pub(crate) fn load(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|i| Layer::load(config, weights, i)).collect::<Result<_>>()?;
        Ok(Self { embeddings: Embeddings::load(config, weights)?, layers })
    }
}

impl Architecture for Bert {
    fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let mut x = self.embeddings.forward(ids)?;
        let mask = match mask {
            None => None,
            Some(mask) => {
                let padded = (1.0 - mask.to_dtype(x.dtype())?)?;
                Some((padded * MASKED)?.reshape((texts, 1, 1, tokens))?)
            }
        };
        for layer in &self.layers {
            x = layer.forward(&x, (texts, tokens), mask.as_ref())?;
        }
        x.reshape((texts, tokens, ()))
    }
}

impl Embeddings {
    fn load(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let d = config.hidden_size;
        let table = |name: &str, rows| weights.get(&format!("embeddings.{name}_embeddings.weight"), &[rows, d]);
        Ok(Self {
            words: table("word", config.vocab_size)?,
            positions: table("position", config.max_position_embeddings)?,
            types: table("token_type", config.type_vocab_size)?,
            norm: LayerNorm::load(weights, "embeddings.LayerNorm", d, config.layer_norm_eps)?,
        })
    }

    /// `(texts · tokens) × dim`. All tokens are of type 0, that of a single text.
    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?.reshape((texts, tokens, ()))?;
        let places = self.positions.narrow(0, 0, tokens)?.broadcast_add(&self.types.narrow(0, 0, 1)?)?;
        let x = words.broadcast_add(&places)?;
        self.norm.forward(&x.reshape((texts * tokens, ()))?)
    }
}

impl Layer {
    fn load(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<Self> {
        let ModelConfig { hidden_size: d, intermediate_size: wide, layer_norm_eps: eps, .. } = *config;
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        Ok(Self {
            attention: Attention::load(config, weights, &name("attention"))?,
            attention_norm: LayerNorm::load(weights, &name("attention.output.LayerNorm"), d, eps)?,
            widen: Linear::load(weights, &name("intermediate.dense"), d, wide)?,
            activation: config.hidden_act,
            narrow: Linear::load(weights, &name("output.dense"), wide, d)?,
            output_norm: LayerNorm::load(weights, &name("output.LayerNorm"), d, eps)?,
        })
    }

    fn forward(&self, x: &Tensor, shape: (usize, usize), mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let attended = self.attention.forward(x, shape, mask)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let wide = self.widen.forward_then(&x, |wide| self.activation.apply(wide))?;
        self.output_norm.forward(&(self.narrow.forward(&wide)? + x)?)
    }
}

impl Attention {
    fn load(config: &ModelConfig, weights: &Weights, name: &str) -> Result<Self> {
        let d = config.hidden_size;
        let linear = |part: &str| Linear::load(weights, &format!("{name}.{part}"), d, d);
        Ok(Self {
            query: linear("self.query")?,
            key: linear("self.key")?,
            value: linear("self.value")?,
            output: linear("output.dense")?,
            heads: config.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, shape: (usize, usize), mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (rows, dim) = x.dims2()?;
        let head_dim = dim / self.heads;
        let query = (self.split(&self.query.forward(x)?, shape)? / (head_dim as f64).sqrt())?;
        let key = self.split(&self.key.forward(x)?, shape)?;
        let value = self.split(&self.value.forward(x)?, shape)?;
        let mut scores = query.matmul(&key.t()?)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let mixed = softmax(&scores)?.matmul(&value)?;
        self.output.forward(&mixed.transpose(1, 2)?.contiguous()?.reshape((rows, dim))?)
    }

    /// `(texts · tokens) × dim` to `texts × heads × tokens × (dim / heads)`.
    fn split(&self, x: &Tensor, (texts, tokens): (usize, usize)) -> candle_core::Result<Tensor> {
        x.reshape((texts, tokens, self.heads, ()))?.transpose(1, 2)?.contiguous()
    }
}

impl Activation {
    fn apply(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        }
    }
}

#[cfg(test)]
#[path = "bert_tests.rs"]
mod tests;

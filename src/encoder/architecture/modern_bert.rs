//! ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, a layer norm before each part, gated wide layers,
//! and layers that attend to near tokens only.

use candle_core::{D, Tensor};

use super::Architecture;
use super::attention::{attend, padding_bias, reach_bias, split};
use super::layers::{LayerNorm, Linear};
use super::rotary::Rotation;
use crate::encoder::config::{Activation, FINAL_NORM, ModelConfig, ModernBertConfig};
use crate::encoder::files::encoder_error;
use crate::encoder::weights::Weights;
use crate::error::Result;

/// A ModernBERT encoder without heads.
pub(crate) struct ModernBert {
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    config: ModernBertConfig,
    head_dim: usize,
}

struct Layer {
    /// The first layer has none.
    attention_norm: Option<LayerNorm>,
    query_key_value: Linear,
    attention_output: Linear,
    heads: usize,
    output_norm: LayerNorm,
    widen: Linear,
    activation: Activation,
    narrow: Linear,
}

/// What the tokens' places mean to a layer: where they turn queries and keys to, and who may attend to whom.
struct Places<'a> {
    rotation: &'a Rotation,
    biases: Vec<&'a Tensor>,
}

impl ModernBert {
    /// Builds the model from constants, or from variables to train.
    pub(crate) fn load(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let modern = config.modern.as_ref();
        let modern = modern.ok_or_else(|| encoder_error(weights.origin(), "the configuration is not ModernBERT's"))?;
        let (d, names) = (config.hidden_size, config.embedding_names());
        let layers = (0..config.num_hidden_layers).map(|i| Layer::load(config, modern, weights, i));
        Ok(Self {
            words: weights.get(&names.words, &[config.vocab_size, d])?,
            norm: load_norm(config, modern, weights, &names.norm)?,
            layers: layers.collect::<Result<_>>()?,
            final_norm: load_norm(config, modern, weights, FINAL_NORM)?,
            config: modern.clone(),
            head_dim: d / config.num_attention_heads,
        })
    }
}

impl Architecture for ModernBert {
    fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let mut x = self.norm.forward(&self.words.index_select(&ids.flatten_all()?, 0)?)?;
        let padding = mask.map(|mask| padding_bias(mask, &x)).transpose()?;
        let reach = self.config.local_attention / 2;
        let far = if tokens > reach + 1 { Some(reach_bias(tokens, reach, &x)?) } else { None };
        let rotation = |theta| Rotation::new(tokens, self.head_dim, theta, x.dtype(), x.device());
        let (global, local) = (rotation(self.config.global_rope_theta)?, rotation(self.config.local_rope_theta)?);
        let everywhere = Places { rotation: &global, biases: padding.iter().collect() };
        let nearby = Places { rotation: &local, biases: padding.iter().chain(&far).collect() };
        for (i, layer) in self.layers.iter().enumerate() {
            let places = if self.config.reach(i).is_none() { &everywhere } else { &nearby };
            x = layer.forward(&x, (texts, tokens), places)?;
        }
        self.final_norm.forward(&x)?.reshape((texts, tokens, ()))
    }
}

impl Layer {
    fn load(config: &ModelConfig, modern: &ModernBertConfig, weights: &Weights, layer: usize) -> Result<Self> {
        let ModelConfig { hidden_size: d, intermediate_size: wide, .. } = *config;
        let names = config.modern_layer_names(layer);
        let norm = |name: &String| load_norm(config, modern, weights, name);
        let attention = |name, outputs| Linear::load_with(weights, name, d, outputs, modern.attention_bias);
        Ok(Self {
            attention_norm: names.attention_norm.as_ref().map(norm).transpose()?,
            query_key_value: attention(&names.query_key_value, 3 * d)?,
            attention_output: attention(&names.attention_output, d)?,
            heads: config.num_attention_heads,
            output_norm: norm(&names.output_norm)?,
            widen: Linear::load_with(weights, &names.widen, d, 2 * wide, modern.mlp_bias)?,
            activation: config.hidden_act,
            narrow: Linear::load_with(weights, &names.narrow, wide, d, modern.mlp_bias)?,
        })
    }

    fn forward(&self, x: &Tensor, shape: (usize, usize), places: &Places<'_>) -> candle_core::Result<Tensor> {
        let normed = self.attention_norm.as_ref().map(|norm| norm.forward(x)).transpose()?;
        let x = (x + self.attend(normed.as_ref().unwrap_or(x), shape, places)?)?;
        let wide = self.widen.forward_then(&self.output_norm.forward(&x)?, |wide| self.gate(wide))?;
        &x + self.narrow.forward(&wide)?
    }

    fn attend(&self, x: &Tensor, shape: (usize, usize), places: &Places<'_>) -> candle_core::Result<Tensor> {
        let together = self.query_key_value.forward(x)?;
        let dim = together.dim(D::Minus1)? / 3;
        let part = |i: usize| split(&together.narrow(D::Minus1, i * dim, dim)?.contiguous()?, shape, self.heads);
        let query = places.rotation.apply(&part(0)?)?;
        let key = places.rotation.apply(&part(1)?)?;
        self.attention_output.forward(&attend(&query, &key, &part(2)?, &places.biases)?)
    }

    /// The activated first half of each row times the second half.
    fn gate(&self, wide: &Tensor) -> candle_core::Result<Tensor> {
        let half = wide.dim(D::Minus1)? / 2;
        let values = wide.narrow(D::Minus1, 0, half)?.contiguous()?;
        self.activation.apply(&values)? * wide.narrow(D::Minus1, half, half)?
    }
}

fn load_norm(config: &ModelConfig, modern: &ModernBertConfig, weights: &Weights, name: &str) -> Result<LayerNorm> {
    match modern.norm_bias {
        true => LayerNorm::load(weights, name, config.hidden_size, config.layer_norm_eps),
        false => LayerNorm::load_without_bias(weights, name, config.hidden_size, config.layer_norm_eps),
    }
}

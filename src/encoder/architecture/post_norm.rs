//! The transformer of BERT, RoBERTa, XLM-RoBERTa, MPNet and DistilBERT: learned positions, a layer norm after each sum.
//!
//! The families differ in the names of their tensors, in whether they have token types, in the row of the first position,
//! and in MPNet's bias by relative position, which all layers share.

use candle_core::Tensor;

use super::Architecture;
use super::attention::{attend, padding_bias, split};
use super::layers::{LayerNorm, Linear};
use super::position_rows::position_rows;
use super::relative_bucket::relative_bucket;
use crate::encoder::config::{Activation, LayerNames, ModelConfig, RELATIVE_BIAS};
use crate::encoder::weights::Weights;
use crate::error::Result;

/// A post-norm encoder without pooler and heads.
pub(crate) struct PostNorm {
    embeddings: Embeddings,
    relative: Option<RelativeBias>,
    layers: Vec<Layer>,
}

struct Embeddings {
    words: Tensor,
    positions: Tensor,
    types: Option<Tensor>,
    norm: LayerNorm,
    first_position: usize,
}

/// A number for each bucket of distances and each head, added to the scores.
struct RelativeBias {
    table: Tensor,
    buckets: usize,
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

impl PostNorm {
    /// Builds the model from constants, or from variables to train.
    pub(crate) fn load(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|i| Layer::load(config, weights, i)).collect::<Result<_>>()?;
        let relative = config.relative_buckets.map(|buckets| RelativeBias::load(config, weights, buckets));
        Ok(Self { embeddings: Embeddings::load(config, weights)?, relative: relative.transpose()?, layers })
    }
}

impl Architecture for PostNorm {
    fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let mut x = self.embeddings.forward(ids)?;
        let padding = mask.map(|mask| padding_bias(mask, &x)).transpose()?;
        let relative = self.relative.as_ref().map(|relative| relative.forward(tokens)).transpose()?;
        let biases: Vec<&Tensor> = relative.iter().chain(&padding).collect();
        for layer in &self.layers {
            x = layer.forward(&x, (texts, tokens), &biases)?;
        }
        x.reshape((texts, tokens, ()))
    }
}

impl Embeddings {
    fn load(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let (d, names) = (config.hidden_size, config.embedding_names());
        let types = names.types.map(|name| weights.get(&name, &[config.type_vocab_size, d]));
        // Every post-norm family has positions; without a name there would be no such tensor, which is an error.
        let positions = names.positions.unwrap_or_default();
        Ok(Self {
            words: weights.get(&names.words, &[config.vocab_size, d])?,
            positions: weights.get(&positions, &[config.max_position_embeddings, d])?,
            types: types.transpose()?,
            norm: LayerNorm::load(weights, &names.norm, d, config.layer_norm_eps)?,
            first_position: config.first_position,
        })
    }

    /// `(texts · tokens) × dim`. All tokens are of type 0, that of a single text.
    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?.reshape((texts, tokens, ()))?;
        let mut places = self.places(ids)?;
        if let Some(types) = &self.types {
            places = places.broadcast_add(&types.narrow(0, 0, 1)?)?;
        }
        let x = words.broadcast_add(&places)?;
        self.norm.forward(&x.reshape((texts * tokens, ()))?)
    }

    /// The embeddings of the tokens' positions: `tokens × dim` where they are the same in all texts, else
    /// `texts × tokens × dim`.
    fn places(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        if self.first_position == 0 {
            return self.positions.narrow(0, 0, tokens);
        }
        let ids = ids.to_vec2::<u32>()?;
        let rows = ids.iter().flat_map(|ids| position_rows(ids, self.first_position)).map(|row| row as u32);
        let rows = Tensor::from_vec(rows.collect::<Vec<u32>>(), texts * tokens, self.positions.device())?;
        self.positions.index_select(&rows, 0)?.reshape((texts, tokens, ()))
    }
}

impl RelativeBias {
    fn load(config: &ModelConfig, weights: &Weights, buckets: usize) -> Result<Self> {
        let table = weights.get(RELATIVE_BIAS, &[buckets, config.num_attention_heads])?;
        Ok(Self { table, buckets })
    }

    /// `1 × heads × tokens × tokens`.
    fn forward(&self, tokens: usize) -> candle_core::Result<Tensor> {
        let bucket = |query: usize, key: usize| relative_bucket(key as isize - query as isize, self.buckets) as u32;
        let rows: Vec<u32> = (0..tokens).flat_map(|query| (0..tokens).map(move |key| bucket(query, key))).collect();
        let rows = Tensor::from_vec(rows, tokens * tokens, self.table.device())?;
        self.table.index_select(&rows, 0)?.t()?.reshape((1, (), tokens, tokens))
    }
}

impl Layer {
    fn load(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<Self> {
        let ModelConfig { hidden_size: d, intermediate_size: wide, layer_norm_eps: eps, .. } = *config;
        let names = config.layer_names(layer);
        Ok(Self {
            attention: Attention::load(config, weights, &names)?,
            attention_norm: LayerNorm::load(weights, &names.attention_norm, d, eps)?,
            widen: Linear::load(weights, &names.widen, d, wide)?,
            activation: config.hidden_act,
            narrow: Linear::load(weights, &names.narrow, wide, d)?,
            output_norm: LayerNorm::load(weights, &names.output_norm, d, eps)?,
        })
    }

    fn forward(&self, x: &Tensor, shape: (usize, usize), biases: &[&Tensor]) -> candle_core::Result<Tensor> {
        let attended = self.attention.forward(x, shape, biases)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let wide = self.widen.forward_then(&x, |wide| self.activation.apply(wide))?;
        self.output_norm.forward(&(self.narrow.forward(&wide)? + x)?)
    }
}

impl Attention {
    fn load(config: &ModelConfig, weights: &Weights, names: &LayerNames) -> Result<Self> {
        let d = config.hidden_size;
        let linear = |name: &str| Linear::load(weights, name, d, d);
        Ok(Self {
            query: linear(&names.query)?,
            key: linear(&names.key)?,
            value: linear(&names.value)?,
            output: linear(&names.attention_output)?,
            heads: config.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, shape: (usize, usize), biases: &[&Tensor]) -> candle_core::Result<Tensor> {
        let query = split(&self.query.forward(x)?, shape, self.heads)?;
        let key = split(&self.key.forward(x)?, shape, self.heads)?;
        let value = split(&self.value.forward(x)?, shape, self.heads)?;
        self.output.forward(&attend(&query, &key, &value, biases)?)
    }
}

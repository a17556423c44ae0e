//! Transformers over candle, one file per model family, made of operations that have a backward pass, so that the code
//! that embeds is the code that trains.

mod bert;
mod layers;

use candle_core::Tensor;

pub(super) use layers::SHARED_POOL_ELEMENTS;

use super::config::ModelConfig;
use super::weights::Weights;
use crate::error::Result;

/// A transformer of some family.
pub(crate) trait Architecture: Send + Sync {
    /// The last hidden states, `texts × tokens × dim`, of token ids (`texts × tokens`, u32). The mask of the same shape is 1
    /// for tokens and 0 for padding; without one there is no padding.
    ///
    /// Every id must be smaller than the vocabulary, and there may not be more tokens than positions.
    fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor>;
}

/// Builds the model that `config` describes.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a tensor is missing or has another shape.
pub(crate) fn load(config: &ModelConfig, weights: &Weights) -> Result<Box<dyn Architecture>> {
    Ok(Box::new(bert::Bert::load(config, weights)?))
}

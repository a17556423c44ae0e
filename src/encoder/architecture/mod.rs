//! Transformers over candle, made of operations that have a backward pass: what trains, what runs on GPUs and where the processor has
//! no kernel, and the reference of the fast path (`inference/`). One architecture serves all post-norm families, another ModernBERT.

mod attention;
mod layers;
mod modern_bert;
pub(super) mod position_rows;
mod post_norm;
pub(super) mod relative_bucket;
mod rotary;

use candle_core::Tensor;

pub(super) use layers::SHARED_POOL_ELEMENTS;

use super::config::{Family, ModelConfig};
use super::weights::Weights;
use crate::error::Result;
use modern_bert::ModernBert;
use post_norm::PostNorm;

/// A transformer of some family.
pub(crate) trait Architecture: Send + Sync {
    /// The last hidden states, `texts × tokens × dim`, of token ids (`texts × tokens`, u32). The mask of the same shape is 1
    /// for tokens and 0 for padding, which may stand only behind a text's last token; without one there is no padding.
    ///
    /// Every id must be smaller than the vocabulary, and there may not be more tokens than
    /// [`max_tokens`](ModelConfig::max_tokens).
    fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor>;
}

/// Builds the model that `config` describes.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when a tensor is missing or has another shape.
pub(crate) fn load(config: &ModelConfig, weights: &Weights) -> Result<Box<dyn Architecture>> {
    match config.family {
        Family::ModernBert => Ok(Box::new(ModernBert::load(config, weights)?)),
        Family::Bert | Family::Roberta | Family::XlmRoberta | Family::MpNet | Family::DistilBert => {
            Ok(Box::new(PostNorm::load(config, weights)?))
        }
    }
}

#[cfg(test)]
mod tests;

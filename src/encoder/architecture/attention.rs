//! Attention of many heads, between given queries, keys and values.

use candle_core::{Device, Tensor};

use super::layers::softmax;

/// Added to the score of a token that may not be attended to; its weight becomes exactly 0.
const MASKED: f64 = -1e9;

/// `(texts · tokens) × dim` to `texts × heads × tokens × (dim / heads)`.
pub(super) fn split(x: &Tensor, (texts, tokens): (usize, usize), heads: usize) -> candle_core::Result<Tensor> {
    x.reshape((texts, tokens, heads, ()))?.transpose(1, 2)?.contiguous()
}

/// The values mixed by softmax(query · keyᵀ / √(dim / heads) + each of `biases`), back in rows `(texts · tokens) × dim`.
/// The biases broadcast to `texts × heads × tokens × tokens`.
pub(super) fn attend(query: &Tensor, key: &Tensor, value: &Tensor, biases: &[&Tensor]) -> candle_core::Result<Tensor> {
    let (texts, heads, tokens, head_dim) = query.dims4()?;
    let query = (query / (head_dim as f64).sqrt())?;
    let mut scores = query.matmul(&key.t()?)?;
    for bias in biases {
        scores = scores.broadcast_add(bias)?;
    }
    let mixed = softmax(&scores)?.matmul(value)?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((texts * tokens, heads * head_dim))
}

/// What keeps attention off padding: `texts × 1 × 1 × tokens`, of the type of `like`, from a mask that is 0 there.
pub(super) fn padding_bias(mask: &Tensor, like: &Tensor) -> candle_core::Result<Tensor> {
    let (texts, tokens) = mask.dims2()?;
    let padded = (1.0 - mask.to_dtype(like.dtype())?)?;
    (padded * MASKED)?.reshape((texts, 1, 1, tokens))
}

/// What keeps attention within `reach` tokens to either side: `1 × 1 × tokens × tokens`, of the type of `like`.
pub(super) fn reach_bias(tokens: usize, reach: usize, like: &Tensor) -> candle_core::Result<Tensor> {
    let far = |query: usize, key: usize| if query.abs_diff(key) > reach { MASKED } else { 0.0 };
    let biases: Vec<f64> = (0..tokens).flat_map(|query| (0..tokens).map(move |key| far(query, key))).collect();
    Tensor::from_vec(biases, (1, 1, tokens, tokens), &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())
}

//! Rotary positions (Su et al. 2021, arXiv 2104.09864): queries and keys turned by angles that grow with the position.

use candle_core::{DType, Device, Tensor};

/// Cosines and sines of the angles, `tokens × (dim / 2)` each.
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    /// For heads of an even number `dim` of values. Position p turns pair i by p / theta^(2i / dim), computed in f32 as the
    /// published models were trained.
    pub(super) fn new(
        tokens: usize,
        dim: usize,
        theta: f64,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Self> {
        let speed = |i: usize| 1.0 / (theta as f32).powf((2 * i) as f32 / dim as f32);
        let speeds: Vec<f32> = (0..dim / 2).map(speed).collect();
        let angles: Vec<f32> =
            (0..tokens).flat_map(|position| speeds.iter().map(move |speed| position as f32 * speed)).collect();
        let angles = Tensor::from_vec(angles, (tokens, dim / 2), device)?.to_dtype(dtype)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    /// Turns `texts × heads × tokens × dim`. candle's fused form has no backward pass; this one has.
    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::rotary_emb::rope_slow(x, &self.cos, &self.sin)
    }
}

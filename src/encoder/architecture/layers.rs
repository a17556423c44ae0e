//! The parts that transformer families share.

use candle_core::{D, DType, Tensor};

use crate::encoder::config::Activation;
use crate::encoder::files::encoder_error;
use crate::encoder::settings::Precision;
use crate::encoder::weights::Weights;
use crate::error::Result;

/// From so many elements on candle spreads element-wise operations over a pool of its own, one operation in the process
/// at a time, with threads that spin. Beside a rayon pool that encodes one batch per thread that costs more than it gives,
/// so inference stays below.
pub(crate) const SHARED_POOL_ELEMENTS: usize = 64 * 1024;

/// x · Wᵀ + b over the last dimension, or without b.
pub(crate) struct Linear {
    /// `inputs × outputs`. Of a variable a view, so that gradients reach it; of a constant a copy in this order, which
    /// saves the matrix product the work of turning the weights around every time.
    transposed: Tensor,
    bias: Option<Tensor>,
    /// How weights and inputs are rounded before they are multiplied.
    precision: Precision,
}

impl Linear {
    /// Reads `{name}.weight` (`outputs × inputs`) and `{name}.bias`.
    pub(crate) fn load(weights: &Weights, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_with(weights, name, inputs, outputs, true)
    }

    /// The same with or without a bias.
    pub(crate) fn load_with(weights: &Weights, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = bias.then(|| weights.get(&format!("{name}.bias"), &[outputs])).transpose()?;
        let transposed = if weight.is_variable() { weight.t() } else { weight.t().and_then(|t| t.contiguous()) };
        let precision = weights.precision();
        let transposed = transposed.and_then(|weights| match precision {
            Precision::F32 => Ok(weights),
            Precision::Bf16 => round(&weights),
            Precision::I8 => through_numbers(&weights, 0),
        });
        let transposed = transposed.map_err(|e| encoder_error(weights.origin(), format!("tensor `{name}`: {e}")))?;
        Ok(Self { transposed, bias, precision })
    }

    /// `x` is `rows × inputs`.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.shift(self.product(x)?)
    }

    fn product(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self.precision {
            Precision::Bf16 => round(x)?.matmul(&self.transposed),
            Precision::I8 => through_numbers(x, x.rank() - 1)?.matmul(&self.transposed),
            Precision::F32 => x.matmul(&self.transposed),
        }
    }

    fn shift(&self, product: Tensor) -> candle_core::Result<Tensor> {
        match &self.bias {
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }

    /// The same followed by a function of each row. Without gradients to keep, all but the product is done in blocks of
    /// rows below [`SHARED_POOL_ELEMENTS`].
    pub(crate) fn forward_then(
        &self,
        x: &Tensor,
        function: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        let product = self.product(x)?;
        let (rows, outputs) = product.dims2()?;
        let block = (SHARED_POOL_ELEMENTS - 1) / outputs;
        if product.track_op() || rows <= block || block == 0 {
            return function(&self.shift(product)?);
        }
        let blocks = (0..rows).step_by(block).map(|start| {
            let part = product.narrow(0, start, block.min(rows - start))?;
            function(&self.shift(part)?)
        });
        Tensor::cat(&blocks.collect::<candle_core::Result<Vec<_>>>()?, 0)
    }
}

/// The nearest bf16 values, ties to even, in the type they had.
fn round(x: &Tensor) -> candle_core::Result<Tensor> {
    x.to_dtype(DType::BF16)?.to_dtype(x.dtype())
}

/// What 8 bits and a scale for all values along a dimension leave.
fn through_numbers(x: &Tensor, dimension: usize) -> candle_core::Result<Tensor> {
    // Nothing but zeros has a scale that nothing is lost by.
    let scale = (x.abs()?.max_keepdim(dimension)? / f64::from(i8::MAX))?.maximum(1e-30)?;
    x.broadcast_div(&scale)?.round()?.broadcast_mul(&scale)
}

/// Layer normalisation over the last dimension.
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub(crate) fn load(weights: &Weights, name: &str, dim: usize, eps: f64) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"), &[dim])?;
        let bias = weights.get(&format!("{name}.bias"), &[dim])?;
        Ok(Self { weight, bias, eps })
    }

    /// The same without a bias to read; it is 0.
    pub(crate) fn load_without_bias(weights: &Weights, name: &str, dim: usize, eps: f64) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"), &[dim])?;
        let bias = Tensor::zeros(dim, weight.dtype(), weight.device());
        let bias = bias.map_err(|e| encoder_error(weights.origin(), format!("tensor `{name}`: {e}")))?;
        Ok(Self { weight, bias, eps })
    }

    /// candle's fused layer norm has no backward pass; this is made of operations that have one.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::layer_norm_slow(x, &self.weight, &self.bias, self.eps as f32)
    }
}

/// Attention weights from scores; candle's fused softmax has no backward pass.
pub(crate) fn softmax(scores: &Tensor) -> candle_core::Result<Tensor> {
    candle_nn::ops::softmax(scores, D::Minus1)
}

impl Activation {
    pub(super) fn apply(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        }
    }
}

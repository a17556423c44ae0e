//! The activation between the two products of a layer, and its derivative.

use rayon::prelude::*;

use crate::encoder::{Activation, erf};
use crate::simd::exp::exp_non_positive;
use crate::simd::machine::Plain;

/// Values that one thread works on at a time.
const PART: usize = 1 << 14;

/// `out` = f(`x`).
pub(super) fn activate(activation: Activation, x: &[f32], out: &mut [f32]) {
    let part = |(out, x): (&mut [f32], &[f32])| match activation {
        Activation::Gelu => out.iter_mut().zip(x).for_each(|(out, &x)| *out = x * cumulative(x)),
        Activation::GeluTanh => out.iter_mut().zip(x).for_each(|(out, &x)| *out = 0.5 * x * (1.0 + tanh_of(x).0)),
        Activation::Relu => out.iter_mut().zip(x).for_each(|(out, &x)| *out = if x > 0.0 { x } else { 0.0 }),
    };
    out.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(part);
}

/// `gradient` · f′(`x`), in place.
pub(super) fn activate_backward(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    let part = |(gradient, x): (&mut [f32], &[f32])| match activation {
        Activation::Gelu => {
            gradient.iter_mut().zip(x).for_each(|(g, &x)| *g *= cumulative(x) + x * density(x));
        }
        Activation::GeluTanh => gradient.iter_mut().zip(x).for_each(|(g, &x)| {
            let (tanh, slope) = tanh_of(x);
            *g *= 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope;
        }),
        Activation::Relu => gradient.iter_mut().zip(x).for_each(|(g, &x)| *g = if x > 0.0 { *g } else { 0.0 }),
    };
    gradient.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(part);
}

/// Φ(x), of the standard normal distribution.
#[inline(always)]
fn cumulative(x: f32) -> f32 {
    0.5 + 0.5 * erf::<Plain>(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// Its density: e^(−x²/2) / √(2π).
#[inline(always)]
fn density(x: f32) -> f32 {
    const FACTOR: f32 = 0.398_942_3;
    FACTOR * exp_non_positive::<Plain>(-0.5 * x * x)
}

/// tanh of √(2/π) (x + 0.044715 x³), and the derivative of its argument.
fn tanh_of(x: f32) -> (f32, f32) {
    const FACTOR: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    ((FACTOR * (x + CUBIC * x * x * x)).tanh(), FACTOR * (1.0 + 3.0 * CUBIC * x * x))
}

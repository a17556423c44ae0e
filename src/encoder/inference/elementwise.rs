//! What stands between the matrix products of a transformer, in plain loops that each kernel compiles for its instruction set.

use crate::encoder::config::Activation;
use crate::simd::exp::exp_non_positive;
use crate::simd::machine::Machine;

/// Values that are worked on side by side.
pub(crate) const LANES: usize = 16;
type Lanes = [f32; LANES];

/// How a query's scores become attention weights: softmax of scale · score + bias, within a window.
pub(crate) struct Weighting<'a> {
    /// What scores are multiplied with.
    pub(crate) scale: f32,
    /// Added to each score after that: a value a key, or none.
    pub(crate) bias: &'a [f32],
    /// The keys that the query may attend to, at least one: `from` … `to` − 1. All others weigh 0.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Layer normalisation: (x − mean) / √(variance + ε) · weight + bias, of x = row + residual.
pub(crate) struct Norm<'a> {
    /// Added to the row before: a value each, or none.
    pub(crate) residual: &'a [f32],
    pub(crate) weight: &'a [f32],
    /// A value each, or none.
    pub(crate) bias: &'a [f32],
    pub(crate) eps: f32,
}

/// Applies `f` to sixteen values at a time; what is beyond a multiple of sixteen is computed beside zeros.
#[inline(always)]
fn for_lanes(values: &mut [f32], mut f: impl FnMut(&mut Lanes)) {
    let (whole, rest) = values.as_chunks_mut::<LANES>();
    whole.iter_mut().for_each(&mut f);
    if !rest.is_empty() {
        let mut lanes = [0.0; LANES];
        lanes[..rest.len()].copy_from_slice(rest);
        f(&mut lanes);
        rest.copy_from_slice(&lanes[..rest.len()]);
    }
}

/// Kernel's [`activate`](super::kernel::Kernel::activate).
#[inline(always)]
pub(crate) fn activate<M: Machine>(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Gelu => for_lanes(values, |lanes| lanes.iter_mut().for_each(|x| *x = gelu::<M>(*x))),
        Activation::GeluTanh => for_lanes(values, |lanes| lanes.iter_mut().for_each(|x| *x = gelu_tanh::<M>(*x))),
        Activation::Relu => {
            for_lanes(values, |lanes| lanes.iter_mut().for_each(|x| *x = if *x > 0.0 { *x } else { 0.0 }))
        }
    }
}

/// x · Φ(x).
#[inline(always)]
fn gelu<M: Machine>(x: f32) -> f32 {
    let half = 0.5 * x;
    M::mul_add(half, erf::<M>(x * std::f32::consts::FRAC_1_SQRT_2), half)
}

/// Numerator, of odd powers, and denominator, of even powers, of a rational approximation of erf on −4…4, highest power first: the one
/// that Eigen and XLA use.
const ERF_ABOVE: [f32; 7] = [
    -2.726_142_3e-10,
    2.770_681_5e-8,
    -2.101_024e-6,
    -5.692_506_4e-5,
    -7.349_906_4e-4,
    -2.954_600_8e-3,
    -1.609_603_3e-2,
];
const ERF_BELOW: [f32; 5] = [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329_4e-3, -1.426_473_9e-2];

/// erf(x), within 4e-7.
#[inline(always)]
pub(crate) fn erf<M: Machine>(x: f32) -> f32 {
    let x = if x > -4.0 { x } else { -4.0 };
    let x = if x < 4.0 { x } else { 4.0 };
    let square = x * x;
    let polynomial = |coefficients: &[f32]| {
        let [highest, rest @ ..] = coefficients else { return 0.0 };
        rest.iter().fold(*highest, |sum, &c| M::mul_add(sum, square, c))
    };
    x * polynomial(&ERF_ABOVE) / polynomial(&ERF_BELOW)
}

/// The approximation 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) = x · σ(2u) of GELU.
#[inline(always)]
fn gelu_tanh<M: Machine>(x: f32) -> f32 {
    const TWICE: f32 = 2.0 * 0.797_884_6;
    let u = TWICE * x * M::mul_add(0.044_715 * x, x, 1.0);
    let e = exp_non_positive::<M>(-u.abs());
    x * (if u >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// Kernel's [`weigh`](super::kernel::Kernel::weigh).
#[inline(always)]
pub(crate) fn weigh<M: Machine>(weighting: &Weighting<'_>, scores: &mut [f32]) {
    let &Weighting { scale, bias, from, to } = weighting;
    let Some((before, seen)) = scores.split_at_mut_checked(from) else { return };
    let Some((seen, after)) = seen.split_at_mut_checked(to.saturating_sub(from)) else { return };
    before.fill(0.0);
    after.fill(0.0);
    match bias.get(from..to) {
        Some(bias) => seen.iter_mut().zip(bias).for_each(|(score, bias)| *score = M::mul_add(*score, scale, *bias)),
        None => for_lanes(seen, |lanes| lanes.iter_mut().for_each(|score| *score *= scale)),
    }
    let largest = largest(seen);
    for_lanes(seen, |lanes| lanes.iter_mut().for_each(|score| *score = exp_non_positive::<M>(*score - largest)));
    let total = sum(seen, |x| x);
    let share = 1.0 / total;
    for_lanes(seen, |lanes| lanes.iter_mut().for_each(|weight| *weight *= share));
}

/// Kernel's [`normalize`](super::kernel::Kernel::normalize).
#[inline(always)]
pub(crate) fn normalize<M: Machine>(norm: &Norm<'_>, row: &mut [f32]) {
    row.iter_mut().zip(norm.residual).for_each(|(x, residual)| *x += residual);
    let n = row.len() as f32;
    let mean = sum(row, |x| x) / n;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
    let scale = 1.0 / (variance + norm.eps).sqrt();
    if norm.bias.is_empty() {
        row.iter_mut().zip(norm.weight).for_each(|(x, weight)| *x = (*x - mean) * scale * weight);
    } else {
        let affine = norm.weight.iter().zip(norm.bias);
        row.iter_mut().zip(affine).for_each(|(x, (weight, bias))| *x = M::mul_add((*x - mean) * scale, *weight, *bias));
    }
}

/// The sum of f over the values: sixteen partial sums, then those in order. Values beyond a multiple of sixteen come last.
#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for lanes in whole {
        for l in 0..LANES {
            sums[l] += f(lanes[l]);
        }
    }
    let whole: f32 = sums.iter().sum();
    rest.iter().fold(whole, |sum, &x| sum + f(x))
}

/// The largest value; of an empty slice, f32's lowest.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut most = [f32::MIN; LANES];
    for lanes in whole {
        for l in 0..LANES {
            most[l] = if lanes[l] > most[l] { lanes[l] } else { most[l] };
        }
    }
    most.iter().chain(rest).fold(f32::MIN, |a, &b| if b > a { b } else { a })
}

/// Kernel's [`quantize`](super::kernel::Kernel::quantize). A row of nothing but values too small to divide by is one of zeros.
#[inline(always)]
pub(crate) fn quantize(values: &[f32], words: &mut [u32]) -> f32 {
    const MOST: f32 = 127.0;
    const SMALLEST: f32 = 1e-30;
    /// Added to a number, it leaves the nearest whole number, ties to even, in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for values in whole {
        for l in 0..LANES {
            lanes[l] = if values[l].abs() > lanes[l] { values[l].abs() } else { lanes[l] };
        }
    }
    let larger = |most: f32, value: &f32| if value.abs() > most { value.abs() } else { most };
    let largest = lanes.iter().chain(rest).fold(0.0f32, larger);
    let (inverse, scale) = if largest > SMALLEST { (MOST / largest, largest / MOST) } else { (0.0, 0.0) };
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = (value * inverse + ROUND).to_bits() as u8 ^ 0x80;
    }
    scale
}

/// Kernel's [`rescale`](super::kernel::Kernel::rescale).
#[inline(always)]
pub(crate) fn rescale<M: Machine>(row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
    if bias.is_empty() {
        out.iter_mut().zip(columns).for_each(|(value, column)| *value *= row * column);
    } else {
        let affine = columns.iter().zip(bias);
        out.iter_mut().zip(affine).for_each(|(value, (column, bias))| *value = M::mul_add(*value, row * column, *bias));
    }
}

/// Rounds values to bf16, two to a word, the first in the low half; a last single value is paired with 0.
#[inline(always)]
pub(crate) fn round_to_pairs(values: &[f32], pairs: &mut [u32]) {
    let (whole, rest) = values.as_chunks::<2>();
    for (pair, [low, high]) in pairs.iter_mut().zip(whole) {
        *pair = round_to_bf16(*low) >> 16 | round_to_bf16(*high) & !0xffff;
    }
    if let (Some(pair), [last]) = (pairs.get_mut(whole.len()), rest) {
        *pair = round_to_bf16(*last) >> 16;
    }
}

/// Rounds values to bf16, each in the upper half of a word, which is an f32; words beyond the values become 0.
#[inline(always)]
pub(crate) fn round_to_words(values: &[f32], words: &mut [u32]) {
    words.iter_mut().zip(values).for_each(|(word, value)| *word = round_to_bf16(*value) & !0xffff);
    if let Some(rest) = words.get_mut(values.len()..) {
        rest.fill(0);
    }
}

/// The bits of the nearest bf16 in the upper half, ties to even. Finite values only: what rounds up becomes infinite.
#[inline(always)]
pub(crate) fn round_to_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1))
}

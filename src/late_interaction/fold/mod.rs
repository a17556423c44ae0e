//! From similarities to scores: what a kernel's dot products become, for many surface forms at once.
//!
//! Sixteen surface forms lie side by side, one in each lane, and similarities come in the order that kernels make them: one line
//! of values per query token; in it sixteen values for the forms' first rows, sixteen for their second ones, and so on. So the
//! mean over the query's tokens (a softmax or maximum over the rows of each form) and the mean over the target's tokens (one
//! over the tokens of the query, for each row) both happen lane by lane, whatever the forms' lengths: what lies beyond the end
//! of a form has no weight.
//!
//! With weights from cosines and τ ≥ [`SHARED_SOFTMAX_MIN`], both directions share one set of weights exp((c − C)/τ): no
//! maximum is needed, because a cosine lies within ±1. Otherwise each softmax subtracts its own maximum.
//!
//! A form's score depends on its own similarities alone, to the bit: not on its lane, on its neighbours or, among machines with
//! fused multiply-add, on the machine. All sums are in f32, over rows and over tokens in order.
//!
//! # How an error of the similarities carries over
//!
//! Let every cosine be off by at most δ and every weight's logit by at most η (cosine weights: η = δ/τ; raw weights:
//! η = κδ/τ with κ = ‖eᵢ‖‖fⱼ‖). The ratio of two softmax weights then moves by a factor within e^±2η, so the two weight
//! distributions are within tanh(η/2) in total variation, and a soft row score is off by at most
//!
//! > δ + (max c − min c) · tanh(η/2).
//!
//! For cosine weights there is also a bound that does not depend on the temperature ([`bound`](super::bound)). For raw weights
//! there is no such rescue: with κ/τ in the thousands the softmax itself is ill-conditioned, and two tokens whose raw products
//! differ by less than the rows' precision may change places. The score is then still a convex combination of true cosines.
//!
//! # Rounding
//!
//! With u = 2⁻²⁴, m query tokens and n rows, a score is within [`rounding`] of the exact one of the same similarities: a weight
//! is off by a relative 2e-7 of the exponential and by 2u · 87 of its argument, which moves a soft row score by no more than
//! the range 2 of cosines times that; sums of n and m positive terms, their ratio and the mean add (n + m + 4) · 2u.

mod softmax;

use super::lanes::{LANES, Lanes, load, map, select, zip};
use super::layout::LINE;
use crate::simd::exp::exp_in_range;
use crate::simd::machine::Machine;

/// The smallest temperature at which weights exp((c − C)/τ), |c| ≤ C, stay within what f32 holds: 2C / 87.
pub(crate) const SHARED_SOFTMAX_MIN: f32 = 0.0235;
/// C: cosines of unit rows are within ±1 but for rounding. What an approximate cosine has beyond is cut off.
const LIMIT: f32 = 1.0 + 1.0 / 1024.0;

/// Upper bound of what rounding adds to a folded score.
pub(crate) fn rounding(query_tokens: usize, target_rows: usize) -> f64 {
    const U: f64 = 1.0 / (1u64 << 24) as f64;
    2.0 * (2e-7 + 174.0 * U) + (query_tokens + target_rows + 4) as f64 * 2.0 * U
}

/// How a row of similarities becomes one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reduce {
    /// Its maximum.
    Max,
    /// Its mean under softmax weights, from cosines at a temperature of at least [`SHARED_SOFTMAX_MIN`].
    SharedSoftmax {
        /// 1/τ.
        inverse: f32,
    },
    /// Its mean under softmax weights of any kind and temperature.
    Softmax {
        /// τ.
        temperature: f32,
        /// Whether logits are raw dot products, not cosines.
        raw: bool,
    },
}

/// What is to be made of similarities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FoldSpec {
    /// How each token's similarities are reduced.
    pub(crate) reduce: Reduce,
    /// Whether the mean over the query's tokens takes part.
    pub(crate) over_query: bool,
    /// Whether the mean over the target's rows takes part. If both do, the score is the mean of the two.
    pub(crate) over_target: bool,
}

/// The similarities of sixteen surface forms with the tokens of one query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoldInput<'a> {
    /// From the first token's similarities with the forms' first rows on.
    pub(crate) cos: &'a [f32],
    /// Values from one token to the next.
    pub(crate) stride: usize,
    /// How many rows each form has; 0 for a lane without a form.
    pub(crate) lengths: &'a [u32; LANES],
    /// Norms of the query's raw rows, one per token. Read for raw weights only, but for their number.
    pub(crate) query_norms: &'a [f32],
    /// Norms of the forms' raw rows, block after block. Read for raw weights only.
    pub(crate) row_norms: &'a [f32],
    /// Bytes that will be read next: a shared softmax, which computes for long without reading anything, fetches them.
    pub(crate) ahead: &'a [u8],
}

/// Buffers of a fold, to be kept between calls.
#[derive(Debug, Default)]
pub(crate) struct FoldScratch {
    /// Per query token: the sum of its weights, or its largest similarity or logit.
    sums: Vec<Lanes>,
    /// Per query token: the sum of its weighted similarities.
    weighted: Vec<Lanes>,
    /// Per row and query token.
    logits: Vec<Lanes>,
}

/// The scores of sixteen forms; 0 for a lane without a form.
///
/// Inlined into each kernel's function, which decides what it is compiled for and whether what `M` adds.
#[inline(always)]
pub(super) fn fold<M: Machine>(spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
    *out = [0.0; LANES];
    let m = input.query_norms.len();
    let height = input.lengths.iter().copied().max().unwrap_or(0) as usize;
    let last = m.saturating_sub(1) * input.stride + height * LANES;
    if m == 0 || height == 0 || height * LANES > input.stride || input.cos.len() < last {
        debug_assert!(height == 0, "{m} tokens, {height} rows, stride {}", input.stride);
        return;
    }
    let (over_query, over_target) = match spec.reduce {
        Reduce::Max => fold_max(input, height, scratch),
        Reduce::SharedSoftmax { inverse } => fold_shared::<M>(input, height, inverse, scratch),
        Reduce::Softmax { temperature, raw } => {
            softmax::make_logits(input, height, f64::from(temperature), raw, scratch);
            softmax::fold_softmax::<M>(spec, input, height, scratch)
        }
    };
    let tokens = m as f32;
    *out = match (spec.over_query, spec.over_target) {
        (true, false) => map(&over_query, |sum| sum / tokens),
        (false, true) => zip(&over_target, &lengths(input), |sum, n| sum / n),
        _ => {
            let over_target = zip(&over_target, &lengths(input), |sum, n| sum / n);
            zip(&over_query, &over_target, |sum, mean| (sum / tokens + mean) * 0.5)
        }
    };
    *out = select(&present(input, 0), out, &[0.0; LANES]);
}

/// The similarities of a token with row `row` of each form, each within ±[`LIMIT`].
#[inline(always)]
fn cosines(input: &FoldInput<'_>, token: usize, row: usize) -> Lanes {
    // `fold` compared the lengths.
    let raw = load(&input.cos[token * input.stride + row * LANES..][..LANES]);
    map(&raw, |c| {
        let c = if c > -LIMIT { c } else { -LIMIT };
        if c < LIMIT { c } else { LIMIT }
    })
}

/// Which forms have a row `row`.
#[inline(always)]
fn present(input: &FoldInput<'_>, row: usize) -> [bool; LANES] {
    let mut out = [false; LANES];
    for l in 0..LANES {
        out[l] = input.lengths[l] > row as u32;
    }
    out
}

/// The lengths as numbers to divide by.
#[inline(always)]
fn lengths(input: &FoldInput<'_>) -> Lanes {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = input.lengths[l] as f32;
    }
    out
}

#[inline(always)]
fn add(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| a + b)
}

#[inline(always)]
fn larger(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| if b > a { b } else { a })
}

/// The sums over tokens and over rows of the largest similarities.
#[inline(always)]
fn fold_max(input: &FoldInput<'_>, height: usize, scratch: &mut FoldScratch) -> (Lanes, Lanes) {
    let m = input.query_norms.len();
    scratch.sums.clear();
    scratch.sums.resize(m, [-LIMIT; LANES]);
    let mut over_target = [0.0; LANES];
    for row in 0..height {
        let here = present(input, row);
        let mut top = [-LIMIT; LANES];
        for t in 0..m {
            let c = select(&here, &cosines(input, t, row), &[-LIMIT; LANES]);
            top = larger(&top, &c);
            scratch.sums[t] = larger(&scratch.sums[t], &c);
        }
        over_target = add(&over_target, &select(&here, &top, &[0.0; LANES]));
    }
    (scratch.sums.iter().fold([0.0; LANES], |sum, top| add(&sum, top)), over_target)
}

/// The sums over tokens and over rows of the softmax means, both from the same weights.
#[inline(always)]
fn fold_shared<M: Machine>(
    input: &FoldInput<'_>,
    height: usize,
    inverse: f32,
    scratch: &mut FoldScratch,
) -> (Lanes, Lanes) {
    let m = input.query_norms.len();
    clear_sums(scratch, m);
    let (sums, weighted_sums) = (&mut scratch.sums[..m], &mut scratch.weighted[..m]);
    let mut over_target = [0.0; LANES];
    // As many lines a step as it takes to be through with them at the end.
    let stretch = input.ahead.len().div_ceil(height * m).next_multiple_of(LINE).max(LINE);
    let mut ahead = input.ahead.chunks(stretch);
    for row in 0..height {
        let here = present(input, row);
        let (mut sum, mut weighted) = ([0.0; LANES], [0.0; LANES]);
        for t in 0..m {
            if let Some(lines) = ahead.next() {
                lines.chunks(LINE).for_each(M::prefetch);
            }
            let c = cosines(input, t, row);
            let w = map(&c, |c| exp_in_range::<M>((c - LIMIT) * inverse));
            let w = select(&here, &w, &[0.0; LANES]);
            sum = add(&sum, &w);
            weighted = add_product::<M>(&w, &c, &weighted);
            sums[t] = add(&sums[t], &w);
            weighted_sums[t] = add_product::<M>(&w, &c, &weighted_sums[t]);
        }
        let mean = zip(&weighted, &sum, |weighted, sum| weighted / sum);
        over_target = add(&over_target, &select(&here, &mean, &[0.0; LANES]));
    }
    (sum_of_means(scratch), over_target)
}

/// a · b + c.
#[inline(always)]
fn add_product<M: Machine>(a: &Lanes, b: &Lanes, c: &Lanes) -> Lanes {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = M::mul_add(a[l], b[l], c[l]);
    }
    out
}

#[inline(always)]
fn clear_sums(scratch: &mut FoldScratch, m: usize) {
    for sums in [&mut scratch.sums, &mut scratch.weighted] {
        sums.clear();
        sums.resize(m, [0.0; LANES]);
    }
}

#[inline(always)]
fn sum_of_means(scratch: &FoldScratch) -> Lanes {
    let mut total = [0.0; LANES];
    for (weighted, sum) in scratch.weighted.iter().zip(&scratch.sums) {
        total = add(&total, &zip(weighted, sum, |weighted, sum| weighted / sum));
    }
    total
}

#[cfg(test)]
mod tests;

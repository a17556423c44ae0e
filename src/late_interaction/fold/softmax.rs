//! Softmaxes of any weights and temperature: each subtracts its own maximum.

use super::{FoldInput, FoldScratch, FoldSpec, add, add_product, cosines, larger, present};
use crate::late_interaction::lanes::{LANES, Lanes, load, select, zip};
use crate::simd::exp::exp_non_positive;
use crate::simd::machine::Machine;

/// The logits of every token and row: c / τ, or c ‖eᵢ‖ ‖fⱼ‖ / τ. They are made in f64, where no two norms overflow; one beyond
/// f32 is the largest f32. A row that a form does not have gets the smallest.
#[inline(always)]
pub(super) fn make_logits(
    input: &FoldInput<'_>,
    height: usize,
    temperature: f64,
    raw: bool,
    scratch: &mut FoldScratch,
) {
    let m = input.query_norms.len();
    scratch.logits.clear();
    for row in 0..height {
        let here = present(input, row);
        let norms = if raw { load(input.row_norms.get(row * LANES..).unwrap_or_default()) } else { [1.0; LANES] };
        for t in 0..m {
            let factor = if raw { f64::from(input.query_norms[t]) / temperature } else { 1.0 / temperature };
            let logits = zip(&cosines(input, t, row), &norms, |c, n| {
                let l = f64::from(c) * (factor * f64::from(n));
                let l = if l > f64::from(f32::MIN) { l } else { f64::from(f32::MIN) };
                (if l < f64::from(f32::MAX) { l } else { f64::from(f32::MAX) }) as f32
            });
            scratch.logits.push(select(&here, &logits, &[f32::MIN; LANES]));
        }
    }
}

/// The sums over tokens and over rows of the softmax means, each with its own maximum subtracted.
#[inline(always)]
pub(super) fn fold_softmax<M: Machine>(
    spec: &FoldSpec,
    input: &FoldInput<'_>,
    height: usize,
    scratch: &mut FoldScratch,
) -> (Lanes, Lanes) {
    let over_target = match spec.over_target {
        true => softmax_over_tokens::<M>(input, height, &scratch.logits),
        false => [0.0; LANES],
    };
    let over_query = match spec.over_query {
        true => softmax_over_rows::<M>(input, height, &scratch.logits),
        false => [0.0; LANES],
    };
    (over_query, over_target)
}

#[inline(always)]
fn softmax_over_tokens<M: Machine>(input: &FoldInput<'_>, height: usize, logits: &[Lanes]) -> Lanes {
    let m = input.query_norms.len();
    let mut total = [0.0; LANES];
    for row in 0..height {
        let logits = &logits[row * m..(row + 1) * m];
        let mut top = [f32::MIN; LANES];
        for l in logits {
            top = larger(&top, l);
        }
        let (mut sum, mut weighted) = ([0.0; LANES], [0.0; LANES]);
        for t in 0..m {
            let w = zip(&logits[t], &top, |l, top| exp_non_positive::<M>(l - top));
            sum = add(&sum, &w);
            weighted = add_product::<M>(&w, &cosines(input, t, row), &weighted);
        }
        let mean = zip(&weighted, &sum, |weighted, sum| weighted / sum);
        total = add(&total, &select(&present(input, row), &mean, &[0.0; LANES]));
    }
    total
}

#[inline(always)]
fn softmax_over_rows<M: Machine>(input: &FoldInput<'_>, height: usize, logits: &[Lanes]) -> Lanes {
    let m = input.query_norms.len();
    let mut total = [0.0; LANES];
    for t in 0..m {
        let mut top = [f32::MIN; LANES];
        for row in 0..height {
            top = larger(&top, &logits[row * m + t]);
        }
        let (mut sum, mut weighted) = ([0.0; LANES], [0.0; LANES]);
        for row in 0..height {
            let w = zip(&logits[row * m + t], &top, |l, top| exp_non_positive::<M>(l - top));
            let w = select(&present(input, row), &w, &[0.0; LANES]);
            sum = add(&sum, &w);
            weighted = add_product::<M>(&w, &cosines(input, t, row), &weighted);
        }
        total = add(&total, &zip(&weighted, &sum, |weighted, sum| weighted / sum));
    }
    total
}

//! From a block of similarities to a score: both directions of soft late interaction and MaxSim come from the same block.
//!
//! # How an error of the similarities carries over
//!
//! Let every cosine be off by at most δ and every weight's logit by at most η (cosine weights: η = δ/τ; raw weights:
//! η = κδ/τ with κ = ‖eᵢ‖‖fⱼ‖). The ratio of two softmax weights then moves by a factor within e^±2η, so the two weight
//! distributions are within tanh(η/2) in total variation, and a soft row score is off by at most
//!
//! > δ + (max c − min c) · tanh(η/2).
//!
//! For cosine weights it is also at most δ (1 + 2 ln n), whatever the temperature. For raw weights there is no such
//! rescue: with κ/τ in the thousands the softmax itself is ill-conditioned, and two tokens whose raw products differ by
//! less than the rows' precision may change places. The score is then still a convex combination of true cosines.

use super::exp::exp_non_positive;
use super::{Direction, Interaction, Rule, Weights};

/// The similarities of one query with one target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Similarities<'a> {
    /// m × n cosines, query-major; m and n are the numbers of norms.
    pub(crate) cos: &'a [f32],
    /// Norms of the query's raw rows.
    pub(crate) query_norms: &'a [f32],
    /// Norms of the target's raw rows.
    pub(crate) target_norms: &'a [f32],
}

/// Buffers of [`fold`], to be kept between targets.
#[derive(Debug, Default)]
pub(crate) struct FoldScratch {
    transposed: Vec<f32>,
    weights: Vec<f32>,
}

/// The score of a block under a soft or MaxSim rule. Softmaxes subtract their maximum, so no temperature and no norm
/// overflows; sums are in f64 and in order, so the block alone decides the bits.
pub(crate) fn fold(rule: &Rule, block: &Similarities<'_>, scratch: &mut FoldScratch) -> f32 {
    let score = match rule.direction {
        Direction::Query => mean_over_query(rule, block, &mut scratch.weights),
        Direction::Target => mean_over_target(rule, block, scratch),
        Direction::Both => {
            (mean_over_query(rule, block, &mut scratch.weights) + mean_over_target(rule, block, scratch)) / 2.0
        }
    };
    score as f32
}

fn mean_over_target(rule: &Rule, block: &Similarities<'_>, scratch: &mut FoldScratch) -> f64 {
    let FoldScratch { transposed, weights } = scratch;
    let n = block.target_norms.len();
    transposed.clear();
    transposed.extend((0..n).flat_map(|j| block.cos.iter().skip(j).step_by(n)));
    let exchanged = Similarities { cos: transposed, query_norms: block.target_norms, target_norms: block.query_norms };
    mean_over_query(rule, &exchanged, weights)
}

fn mean_over_query(rule: &Rule, block: &Similarities<'_>, weights: &mut Vec<f32>) -> f64 {
    let n = block.target_norms.len().max(1);
    let rows = block.cos.chunks_exact(n).zip(block.query_norms);
    let sum: f64 = match rule.interaction {
        Interaction::MaxSim => rows.map(|(cos, _)| f64::from(largest(cos))).sum(),
        _ => rows.map(|(cos, &norm)| attend(rule, cos, norm, block.target_norms, weights)).sum(),
    };
    sum / block.query_norms.len().max(1) as f64
}

/// Σⱼ aⱼ cⱼ with aⱼ = softmax over j of wⱼ / τ; wⱼ = cⱼ, or cⱼ · `norm` · `norms`ⱼ for raw weights. 0 of nothing.
pub(crate) fn attend(rule: &Rule, cos: &[f32], norm: f32, norms: &[f32], weights: &mut Vec<f32>) -> f64 {
    weights.clear();
    match rule.weights {
        Weights::Cosine => {
            let top = largest(cos);
            weights.extend(cos.iter().map(|c| exp_non_positive((c - top) / rule.temperature)));
        }
        // In f64, where the product of two f32 norms neither overflows nor loses the digits that decide.
        Weights::Raw => {
            let raw = || cos.iter().zip(norms).map(|(&c, &n)| f64::from(c) * f64::from(norm) * f64::from(n));
            let top = raw().fold(f64::NEG_INFINITY, f64::max);
            let tau = f64::from(rule.temperature);
            weights.extend(raw().map(|w| exp_non_positive(((w - top) / tau) as f32)));
        }
    }
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    for (&a, &c) in weights.iter().zip(cos) {
        sum += f64::from(a);
        weighted += f64::from(a) * f64::from(c);
    }
    // The largest weight is 1, so the sum is 0 only where there is nothing to weigh.
    if sum > 0.0 { weighted / sum } else { 0.0 }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Similarities<'_> = Similarities {
        cos: &[0.5, 0.25, -0.5, 1.0, 0.0, 0.75],
        query_norms: &[1.0, 2.0],
        target_norms: &[1.0, 1.0, 4.0],
    };

    #[test]
    fn max_sim_in_every_direction() {
        let score = |direction| fold(&Rule { direction, ..Rule::max_sim() }, &BLOCK, &mut FoldScratch::default());
        assert_eq!(score(Direction::Query), 0.75);
        assert_eq!(score(Direction::Target), ((1.0f64 + 0.25 + 0.75) / 3.0) as f32);
        assert_eq!(score(Direction::Both), ((0.75f64 + 2.0 / 3.0) / 2.0) as f32);
    }

    #[test]
    fn raw_weights_are_scaled_by_both_norms() {
        let rule = Rule { direction: Direction::Query, weights: Weights::Raw, ..Rule::soft(1.0) };
        let row = |logits: [f64; 3], cos: [f64; 3]| {
            let weights = logits.map(f64::exp);
            weights.iter().zip(cos).map(|(a, c)| a * c).sum::<f64>() / weights.iter().sum::<f64>()
        };
        let expected = (row([0.5, 0.25, -2.0], [0.5, 0.25, -0.5]) + row([2.0, 0.0, 6.0], [1.0, 0.0, 0.75])) / 2.0;
        let got = fold(&rule, &BLOCK, &mut FoldScratch::default());
        assert!((f64::from(got) - expected).abs() <= 1e-6, "{got} {expected}");
    }

    #[test]
    fn an_empty_block_scores_zero() {
        let empty = Similarities { cos: &[], query_norms: &[], target_norms: &[] };
        for rule in [Rule::default(), Rule::max_sim()] {
            assert_eq!(fold(&rule, &empty, &mut FoldScratch::default()), 0.0);
        }
    }
}

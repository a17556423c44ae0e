//! The certificate: from an approximate score to an upper bound of the full-precision one.
//!
//! A scan computes similarities ĉ from 8-bit copies of both sides, and scores from them. What is wanted is the score from the
//! similarities c of the master rows. For every token i of the query and row j of the target ([`quantize`](super::quantize)),
//!
//! > |cᵢⱼ − ĉᵢⱼ| ≤ δᵢⱼ = ‖e‖ ‖f − f̂‖ + ‖e − ê‖ ‖f̂‖ ≤ ē ρ + εᵢ (f̄ + ρ),
//!
//! with εᵢ the residual of the query's token, ρ the largest residual of the target's rows, and ē, f̄ the largest norms that unit
//! rows can have after rounding and fixed point.
//!
//! # How much a reduced similarity can change
//!
//! A *maximum* of n values that each move by at most δ moves by at most δ.
//!
//! A *soft* one, s(c) = Σⱼ aⱼ cⱼ with a = softmax(c / τ), moves by at most g(n) · δ, with
//!
//! > g(n) = 1 + 2 · max over β ∈ (0, 1) of [ β (1 − β) ln((n − 1) (1 − β) / β) − β ], and g(1) = 1,
//!
//! whatever the temperature. g(2) = 1.20, g(4) = 1.42, g(8) = 1.67, g(20) = 2.02, g(512) = 3.42; 1 + 2 ln n would be 2.4, 3.8,
//! 5.2, 7.0 and 13.5.
//!
//! *Proof.* ∂s/∂cⱼ = aⱼ (1 + (cⱼ − s)/τ), and these derivatives add up to 1, because Σ aⱼ (cⱼ − s) = 0. So the sum of their
//! absolute values is 1 + 2N, where N = Σ over j ∈ B of aⱼ ((s − cⱼ)/τ − 1) collects the negative ones, B being the set of j
//! with s − cⱼ > τ. B has k ≤ n − 1 members, for not all cⱼ can lie below their mean s. Let β = Σ over B of aⱼ, and H = −Σ aⱼ ln aⱼ
//! over all j. From ln aⱼ = cⱼ/τ − ln Z, and the average of this under a, follows (s − cⱼ)/τ = −ln aⱼ − H. Therefore, with X and Y
//! the parts of H inside and outside B,
//!
//! > N = Σ over B of aⱼ (−ln aⱼ) − βH − β = X − β (X + Y) − β = (1 − β) X − βY − β.
//!
//! X is largest when β is spread evenly: X ≤ β ln(k/β). Y is smallest when 1 − β sits on one member: Y ≥ −(1 − β) ln(1 − β).
//! Hence N ≤ β (1 − β) ln(k (1 − β)/β) − β, which grows with k ≤ n − 1. So ‖∇s‖₁ ≤ g(n) everywhere, and along the straight line
//! from ĉ to c the score changes by at most g(n) · max |cⱼ − ĉⱼ|. ∎ (Two levels of similarity reach the bound: no smaller constant
//! would do.)
//!
//! For weights from raw dot products, and at temperatures so small that f32 cannot share its weights, the scan takes the maximum
//! instead: a soft one is a convex combination of its similarities, so that Σⱼ aⱼ cⱼ ≤ maxⱼ cⱼ ≤ maxⱼ ĉⱼ + δ, in either direction
//! and for any weights.
//!
//! # From there to the score
//!
//! The score is a mean over tokens, so its bound is the mean of their bounds: over the query's tokens, the mean of εᵢ counts;
//! over the target's rows, where the softmax runs over the query's tokens, the largest. Both directions' bounds are averaged as
//! the scores are. What f32 adds is bounded too ([`rounding`](super::fold::rounding), once for the scan and once for full
//! precision, and the rounding of the products of each).
//!
//! So score ≤ scan + a · ρ + b, with a and b of the query, the rule and the target's number of rows alone: a [`Slack`].

use std::sync::LazyLock;

use super::fold::{FoldSpec, Reduce, rounding};
use super::packed::PackedTokens;

/// The largest norm of a master row: fixed point moves a unit row by at most √65,536 / 65,278.
const ROW_NORM: f64 = 1.005;
/// The largest norm of a query's unit row in f32.
const QUERY_NORM: f64 = 1.0 + 1e-5;
/// 2⁻²⁴.
const U: f64 = 1.0 / (1u64 << 24) as f64;

/// What a token matrix of a query adds to a scan's score to bound the full-precision one, for targets of up to some number of
/// rows: `per_residual` · ρ + `fixed`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slack {
    /// What is multiplied by the largest residual of the target's rows.
    pub(crate) per_residual: f32,
    /// What is added.
    pub(crate) fixed: f32,
}

/// The errors of one query's packed tokens, from which slacks are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryError {
    tokens: usize,
    mean: f64,
    largest: f64,
    dim: usize,
}

impl QueryError {
    /// Of some of the packed tokens: one query's.
    pub(crate) fn new(packed: &PackedTokens, tokens: std::ops::Range<usize>, dim: usize) -> Self {
        let residuals = packed.residuals().get(tokens).unwrap_or_default();
        let n = residuals.len();
        let mean = residuals.iter().map(|&e| f64::from(e)).sum::<f64>() / n.max(1) as f64;
        let largest = residuals.iter().copied().fold(0.0f32, f32::max);
        Self { tokens: n, mean, largest: f64::from(largest), dim }
    }

    /// The slack of targets of up to `rows` rows whose scan is folded by `spec`.
    pub(crate) fn slack(&self, spec: &FoldSpec, rows: usize) -> Slack {
        let soft = spec.reduce != Reduce::Max;
        let growth = |n: usize| if soft { growth(n) } else { 1.0 };
        let over_query = (spec.over_query, growth(rows), self.mean);
        let over_target = (spec.over_target, growth(self.tokens), self.largest);
        let (mut slack, mut directions) = ((0.0, 0.0), 0.0);
        for (_, growth, epsilon) in [over_query, over_target].into_iter().filter(|(asked, _, _)| *asked) {
            slack.0 += growth * (QUERY_NORM + epsilon);
            // Products: 2⁻²⁴ a dimension at full precision; a conversion and three roundings in the scan.
            slack.1 += growth * (epsilon * ROW_NORM + (self.dim as f64 + 8.0) * U * 1.1);
            directions += 1.0;
        }
        let directions = f64::max(directions, 1.0);
        // What rounding to f32 here, and the addition of three f32 later, can take away.
        let margin = 8.0 * U;
        Slack {
            per_residual: round_up(slack.0 / directions),
            fixed: round_up(slack.1 / directions + 2.0 * rounding(self.tokens, rows) + margin),
        }
    }
}

fn round_up(value: f64) -> f32 {
    (value as f32).next_up()
}

/// g(n): how much a soft mean of n values can move per unit that each of them moves. At least 1.
pub(crate) fn growth(n: usize) -> f64 {
    static TABLE: LazyLock<Vec<f64>> = LazyLock::new(|| (0..=512).map(compute_growth).collect());
    TABLE.get(n).copied().unwrap_or_else(|| compute_growth(n))
}

/// For 0 < β < ½ the bracket is concave and its derivative (1 − 2β) ln((n − 1)(1 − β)/β) − 2 falls from +∞; from ½ on it
/// only falls (where it is positive at all). So its maximum is where the derivative vanishes.
fn compute_growth(n: usize) -> f64 {
    if n < 2 {
        return 1.0;
    }
    let logarithm = |beta: f64| ((n - 1) as f64 * (1.0 - beta) / beta).ln();
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..60 {
        let beta = (low + high) / 2.0;
        if (1.0 - 2.0 * beta) * logarithm(beta) > 2.0 { low = beta } else { high = beta }
    }
    let negative = high * (1.0 - high) * logarithm(high) - high;
    // Bisection has found β to within 2⁻⁵⁰, and the bracket is flat there.
    1.0 + 2.0 * negative.max(0.0) + 1e-12
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn growth_is_the_maximum_of_its_formula() {
        assert_eq!((growth(0), growth(1)), (1.0, 1.0));
        for n in [2usize, 3, 4, 8, 20, 100, 512, 513, 100_000] {
            let bracket = |beta: f64| beta * (1.0 - beta) * ((n - 1) as f64 * (1.0 - beta) / beta).ln() - beta;
            let best = (1..1_000_000).map(|k| bracket(k as f64 / 1e6)).fold(0.0, f64::max);
            let got = growth(n);
            assert!(got >= 1.0 + 2.0 * best && got <= 1.0 + 2.0 * best + 1e-6, "{n}: {got} {best}");
            assert!(got <= 1.0 + 2.0 * (n as f64).ln() && got > growth(n - 1));
        }
        let rounded = |n| (growth(n) * 100.0).round() / 100.0;
        assert_eq!([2, 4, 8, 20, 512].map(rounded), [1.2, 1.42, 1.67, 2.02, 3.42]);
    }

    fn soft(c: &[f64], tau: f64) -> f64 {
        let top = c.iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = c.iter().map(|c| ((c - top) / tau).exp()).collect();
        weights.iter().zip(c).map(|(a, c)| a * c).sum::<f64>() / weights.iter().sum::<f64>()
    }

    /// The configuration of the proof, moved by ±h along the signs of the gradient: the bound is reached.
    #[test]
    fn no_smaller_growth_would_do() {
        for n in [2usize, 4, 20, 512] {
            let bracket = |beta: f64| beta * (1.0 - beta) * ((n - 1) as f64 * (1.0 - beta) / beta).ln() - beta;
            let beta = (1..100_000).map(|k| k as f64 / 1e5).max_by(|a, b| bracket(*a).total_cmp(&bracket(*b))).unwrap();
            let gap = ((n - 1) as f64 * (1.0 - beta) / beta).ln();
            let (tau, h) = (0.1, 1e-6);
            let at = |sign: f64| {
                let mut c = vec![-gap * tau - sign * h; n];
                c[0] = sign * h;
                soft(&c, tau)
            };
            let slope = (at(1.0) - at(-1.0)) / (2.0 * h);
            assert!((slope - growth(n)).abs() <= 1e-3, "{n}: {slope} {}", growth(n));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_soft_mean_never_moves_further(
            pairs in prop::collection::vec((-1.0f64..1.0, -1.0f64..1.0), 1..60),
            delta in prop::sample::select(vec![1e-4, 1e-2, 0.1, 1.0]),
            tau in prop::sample::select(vec![1e-3, 0.03, 0.1, 0.5, 10.0]),
        ) {
            let c: Vec<f64> = pairs.iter().map(|(c, _)| *c).collect();
            let moved: Vec<f64> = pairs.iter().map(|(c, d)| c + delta * d).collect();
            let change = (soft(&moved, tau) - soft(&c, tau)).abs();
            prop_assert!(change <= growth(c.len()) * delta + 1e-12, "{change} > {} · {delta}", growth(c.len()));
        }
    }
}

//! InfoNCE over a matrix of scores.
//!
//! For a query q with positives P(q) among the targets of the batch,
//!
//! > L(Y|Q) = mean over q of mean over y⁺ ∈ P(q) of −ln( e^(S(q, y⁺)/τ) / Σ_y e^(S(q, y)/τ) ),
//!
//! queries without positives left out. Symmetric: L(Y|Q) + L(Q|Y). *Many to many*: every edge of the batch is a positive. *Single*: only the
//! first target (then, the first query) that has an edge is, as in plain InfoNCE, and the others are taken for negatives.

/// How a score is contrasted with the others of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Contrast {
    /// Whether all edges of the batch are positives, not only the first of each text.
    pub many_to_many: bool,
    /// Whether the right side is contrasted too.
    pub symmetric: bool,
}

impl Contrast {
    /// The paper's: symmetric, many to many.
    pub const PAPER: Contrast = Contrast { many_to_many: true, symmetric: true };
}

/// The loss and its derivative by each score. `scores` has `left` rows of `right` values; positives beyond are left out.
pub(super) fn loss(
    scores: &[f32],
    (left, right): (usize, usize),
    positives: &[(u32, u32)],
    temperature: f32,
    contrast: Contrast,
) -> (f64, Vec<f32>) {
    let mut of_left: Vec<Vec<u32>> = vec![Vec::new(); left];
    let mut of_right: Vec<Vec<u32>> = vec![Vec::new(); right];
    for &(l, r) in positives.iter().filter(|(l, r)| (*l as usize) < left && (*r as usize) < right) {
        of_left[l as usize].push(r);
        of_right[r as usize].push(l);
    }
    let mut gradient = vec![0.0f32; left * right];
    let mut total = one_way(
        of_left,
        right,
        temperature,
        contrast.many_to_many,
        |l, r| f64::from(scores[l * right + r]),
        |l, r, by| gradient[l * right + r] += by as f32,
    );
    if contrast.symmetric {
        total += one_way(
            of_right,
            left,
            temperature,
            contrast.many_to_many,
            |r, l| f64::from(scores[l * right + r]),
            |r, l, by| gradient[l * right + r] += by as f32,
        );
    }
    (total, gradient)
}

/// L(Y|Q), in f64; `add` gets the derivative by each score.
fn one_way(
    mut positives: Vec<Vec<u32>>,
    targets: usize,
    temperature: f32,
    many: bool,
    score: impl Fn(usize, usize) -> f64,
    mut add: impl FnMut(usize, usize, f64),
) -> f64 {
    for of_query in &mut positives {
        of_query.sort_unstable();
        of_query.dedup();
        if !many {
            of_query.truncate(1);
        }
    }
    let queries = positives.iter().filter(|of_query| !of_query.is_empty()).count().max(1) as f64;
    let (tau, mut total) = (f64::from(temperature), 0.0);
    for (query, positives) in positives.iter().enumerate().filter(|(_, positives)| !positives.is_empty()) {
        let logits: Vec<f64> = (0..targets).map(|target| score(query, target) / tau).collect();
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - top).exp()).sum();
        let log_sum = top + sum.ln();
        let share = 1.0 / positives.len() as f64;
        total += positives.iter().map(|&target| share * (log_sum - logits[target as usize])).sum::<f64>();
        for (target, logit) in logits.iter().enumerate() {
            add(query, target, (logit - log_sum).exp() / (tau * queries));
        }
        positives.iter().for_each(|&target| add(query, target as usize, -share / (tau * queries)));
    }
    total / queries
}

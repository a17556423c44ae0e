//! A score taken apart, in f64 and in loops that read like the formulas: what each query token and each target token, as a
//! pair, contributes to it. It works on the rows that the engine scores with, so that the parts add up to the engine's score.
//!
//! With the cosines cᵢⱼ of m query tokens and n target tokens, the weights aᵢⱼ (softmax over j, for each i) and bᵢⱼ (softmax
//! over i, for each j), as in [`reference`](super::reference):
//!
//! | interaction | contribution of the pair (i, j) |
//! |---|---|
//! | soft, query's tokens | aᵢⱼ cᵢⱼ / m |
//! | soft, target's tokens | bᵢⱼ cᵢⱼ / n |
//! | soft, both | the mean of the two |
//! | MaxSim | the same, with weight 1 for the (first) most similar token and 0 for the others |
//! | ConTeXT-Match | as soft, the pooled vector being the only token of its side, weighed over the tokens of the other |
//! | mean pooling | ‖eᵢ‖ ‖fⱼ‖ cᵢⱼ / (m n ‖p_q‖ ‖p_t‖) where the pooled vectors are the means of the rows; else one pair, the two pooled vectors |

use super::reference::{dot, largest, softmax};
use super::{Direction, Interaction, Rule, Weights};

/// A matrix with one row per query token and one column per target token.
pub(crate) type Cells = Vec<Vec<f64>>;

/// How far a pooled vector may be from the mean of the rows and still be called that, as a part of its length: stored rows
/// are rounded, to some 1e-4 of theirs.
const POOLED_TOLERANCE: f64 = 1e-3;

/// Unit vectors, row-major, and the norms of the raw ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vectors<'a> {
    pub(crate) rows: &'a [f32],
    /// One norm per row, so at least one.
    pub(crate) norms: &'a [f32],
}

/// One side of a comparison: its token rows, and the pooled vector as the one row of `pooled`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) tokens: Vectors<'a>,
    pub(crate) pooled: Vectors<'a>,
}

/// A score, or half of one (ConTeXT-Match in both directions), as a sum over pairs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Breakdown {
    /// Whether the one row is the pooled query.
    pub(crate) whole_query: bool,
    /// Whether the one column is the pooled target.
    pub(crate) whole_target: bool,
    pub(crate) cosines: Cells,
    /// aᵢⱼ, where the score is a mean over these rows: each row sums to 1.
    pub(crate) query_weights: Option<Cells>,
    /// bᵢⱼ, where the score is a mean over these columns: each column sums to 1.
    pub(crate) target_weights: Option<Cells>,
    /// What each pair adds to the score.
    pub(crate) contributions: Cells,
}

/// The parts of the score of `target` for `query`; their contributions sum to it. `rule` has been
/// [validated](Rule::validate), and the sides have rows of the same length.
pub(crate) fn break_down(rule: &Rule, query: &Side<'_>, target: &Side<'_>) -> Vec<Breakdown> {
    match rule.interaction {
        Interaction::Soft | Interaction::MaxSim => {
            vec![weighed(rule, rule.direction, &query.tokens, &target.tokens)]
        }
        Interaction::ContextMatch => context_match(rule, query, target),
        Interaction::MeanPool => vec![mean_pool(query, target)],
    }
}

/// The score that parts sum to.
pub(crate) fn score(parts: &[Breakdown]) -> f64 {
    parts.iter().map(|part| sum(&part.contributions)).sum()
}

/// The tokens of one side are weighed by the other's pooled vector: its softmax runs over them.
fn context_match(rule: &Rule, query: &Side<'_>, target: &Side<'_>) -> Vec<Breakdown> {
    let of_query = || {
        let part = weighed(rule, Direction::Target, &query.tokens, &target.pooled);
        Breakdown { whole_target: true, ..part }
    };
    let of_target = || {
        let part = weighed(rule, Direction::Query, &query.pooled, &target.tokens);
        Breakdown { whole_query: true, ..part }
    };
    match rule.direction {
        Direction::Query => vec![of_query()],
        Direction::Target => vec![of_target()],
        Direction::Both => vec![halved(of_query()), halved(of_target())],
    }
}

fn halved(mut part: Breakdown) -> Breakdown {
    part.contributions.iter_mut().flatten().for_each(|cell| *cell /= 2.0);
    part
}

/// The contributions aᵢⱼ cᵢⱼ / m, bᵢⱼ cᵢⱼ / n or the mean of the two.
fn weighed(rule: &Rule, direction: Direction, query: &Vectors<'_>, target: &Vectors<'_>) -> Breakdown {
    let cosines = cosines(query, target);
    let query_weights = (direction != Direction::Target).then(|| weights(rule, &cosines, query.norms, target.norms));
    let target_weights = (direction != Direction::Query)
        .then(|| transposed(&weights(rule, &transposed(&cosines), target.norms, query.norms)));
    let (m, n) = (query.norms.len() as f64, target.norms.len() as f64);
    let directions = if direction == Direction::Both { 2.0 } else { 1.0 };
    let share = |weights: &Option<Cells>, i: usize, j: usize| weights.as_ref().map_or(0.0, |weights| weights[i][j]);
    let contributions = map_cells(&cosines, |i, j, c| {
        (share(&query_weights, i, j) / m + share(&target_weights, i, j) / n) * c / directions
    });
    Breakdown { whole_query: false, whole_target: false, cosines, query_weights, target_weights, contributions }
}

/// For each row the weights of its columns, summing to 1.
fn weights(rule: &Rule, cosines: &Cells, row_norms: &[f32], column_norms: &[f32]) -> Cells {
    let of_row = |(row, &norm): (&Vec<f64>, &f32)| {
        if rule.interaction == Interaction::MaxSim {
            return one_hot(row);
        }
        let logit = |(c, &other): (&f64, &f32)| match rule.weights {
            Weights::Cosine => c / f64::from(rule.temperature),
            Weights::Raw => c * f64::from(norm) * f64::from(other) / f64::from(rule.temperature),
        };
        softmax(row.iter().zip(column_norms).map(logit).collect())
    };
    cosines.iter().zip(row_norms).map(of_row).collect()
}

/// 1 at the first of the largest values, 0 elsewhere.
fn one_hot(row: &[f64]) -> Vec<f64> {
    let top = largest(row.iter().copied());
    let at = row.iter().position(|&c| c == top);
    (0..row.len()).map(|j| if Some(j) == at { 1.0 } else { 0.0 }).collect()
}

/// The cosine of the pooled vectors: that of the means of the rows, where that is what was pooled.
fn mean_pool(query: &Side<'_>, target: &Side<'_>) -> Breakdown {
    let cosine = dot(query.pooled.rows, target.pooled.rows);
    if is_mean_of_rows(query) && is_mean_of_rows(target) {
        let part = pairs_of_means(query, target);
        let rest = cosine - sum(&part.contributions);
        if rest.abs() <= POOLED_TOLERANCE {
            return spread(part, rest);
        }
    }
    Breakdown {
        whole_query: true,
        whole_target: true,
        cosines: vec![vec![cosine]],
        query_weights: None,
        target_weights: None,
        contributions: vec![vec![cosine]],
    }
}

/// ‖eᵢ‖ ‖fⱼ‖ cᵢⱼ / (m n ‖p_q‖ ‖p_t‖).
fn pairs_of_means(query: &Side<'_>, target: &Side<'_>) -> Breakdown {
    let cosines = cosines(&query.tokens, &target.tokens);
    let factors = |side: &Side| {
        let scale = side.tokens.norms.len() as f64 * pooled_norm(side);
        side.tokens.norms.iter().map(|&norm| f64::from(norm) / scale).collect::<Vec<f64>>()
    };
    let (of_query, of_target) = (factors(query), factors(target));
    let contributions = map_cells(&cosines, |i, j, c| of_query[i] * of_target[j] * c);
    Breakdown {
        whole_query: false,
        whole_target: false,
        cosines,
        query_weights: None,
        target_weights: None,
        contributions,
    }
}

/// Adds what the rounding of stored rows left over to all pairs alike.
fn spread(mut part: Breakdown, rest: f64) -> Breakdown {
    let pairs: usize = part.contributions.iter().map(Vec::len).sum();
    part.contributions.iter_mut().flatten().for_each(|cell| *cell += rest / pairs as f64);
    part
}

/// Whether the pooled vector is the mean of the rows. An encoder may pool over more tokens than it keeps as rows.
fn is_mean_of_rows(side: &Side<'_>) -> bool {
    let (norms, pooled) = (side.tokens.norms, pooled_norm(side));
    let mut difference: Vec<f64> = side.pooled.rows.iter().map(|&p| -f64::from(p) * pooled).collect();
    for (row, &norm) in rows(&side.tokens).zip(norms) {
        let factor = f64::from(norm) / norms.len() as f64;
        difference.iter_mut().zip(row).for_each(|(sum, &e)| *sum += factor * f64::from(e));
    }
    let length = difference.iter().map(|d| d * d).sum::<f64>().sqrt();
    pooled > 0.0 && length <= POOLED_TOLERANCE * pooled
}

fn pooled_norm(side: &Side<'_>) -> f64 {
    side.pooled.norms.first().map_or(0.0, |&norm| f64::from(norm))
}

fn cosines(query: &Vectors<'_>, target: &Vectors<'_>) -> Cells {
    rows(query).map(|e| rows(target).map(|f| dot(e, f)).collect()).collect()
}

fn rows<'a>(vectors: &Vectors<'a>) -> std::slice::ChunksExact<'a, f32> {
    let dim = vectors.rows.len() / vectors.norms.len().max(1);
    vectors.rows.chunks_exact(dim.max(1))
}

fn transposed(cells: &Cells) -> Cells {
    let columns = cells.first().map_or(0, Vec::len);
    (0..columns).map(|j| cells.iter().map(|row| row[j]).collect()).collect()
}

fn map_cells(cells: &Cells, f: impl Fn(usize, usize, f64) -> f64) -> Cells {
    let of_row = |(i, row): (usize, &Vec<f64>)| row.iter().enumerate().map(|(j, &c)| f(i, j, c)).collect();
    cells.iter().enumerate().map(of_row).collect()
}

fn sum(cells: &Cells) -> f64 {
    cells.iter().flatten().sum()
}

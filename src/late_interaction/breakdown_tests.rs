//! Parts of scores: by hand, and against the reference for random matrices and rules.

use super::breakdown::{Breakdown, Cells, Side, Vectors, break_down, score};
use super::{Direction, Interaction, Rule, Weights};
use crate::late_interaction::query::PreparedQuery;
use crate::late_interaction::reference;
use crate::late_interaction::rotation::Rotation;
use crate::token_matrix::TokenMatrix;
use proptest::prelude::*;

fn side(prepared: &PreparedQuery, pooled_norm: &[f32; 1], check: impl FnOnce(&Side<'_>)) {
    check(&Side {
        tokens: Vectors { rows: prepared.rows(), norms: prepared.norms() },
        pooled: Vectors { rows: prepared.pooled(), norms: pooled_norm },
    });
}

/// The parts of a score, computed from the rows of two raw matrices.
fn parts(rule: &Rule, query: &TokenMatrix, target: &TokenMatrix) -> Vec<Breakdown> {
    let rotation = Rotation::new(query.dim());
    let prepare = |matrix| PreparedQuery::new(matrix, &rotation).unwrap();
    let (query, target) = (prepare(query), prepare(target));
    let mut parts = Vec::new();
    side(&query, &[*query.pooled_norm()], |query| {
        side(&target, &[*target.pooled_norm()], |target| parts = break_down(rule, query, target));
    });
    parts
}

fn matrix(values: &[f32]) -> TokenMatrix {
    TokenMatrix::new(2, values.to_vec()).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6
}

#[test]
fn a_soft_pair_by_hand() {
    // One query token; cosines 1 and 0, so weights e⁸ : 1 forth and 1, 1 back.
    let (query, target) = (matrix(&[5.0, 0.0]), matrix(&[1.0, 0.0, 0.0, 2.0]));
    let [part] = &parts(&Rule::soft(0.125), &query, &target)[..] else { panic!("one part") };
    let forth = 8f64.exp() / (8f64.exp() + 1.0);
    assert!(close(part.query_weights.as_ref().unwrap()[0][0], forth));
    assert_eq!(part.target_weights, Some(vec![vec![1.0, 1.0]]));
    assert!(close(part.contributions[0][0], (forth + 0.5) / 2.0) && close(part.contributions[0][1], 0.0));
}

#[test]
fn max_sim_counts_the_first_best_pair_of_each_token() {
    let (query, target) = (matrix(&[1.0, 0.0, 1.0, 0.0]), matrix(&[3.0, 0.0, 1.0, 0.0, 0.0, 1.0]));
    let rule = Rule { direction: Direction::Query, ..Rule::max_sim() };
    let part = &parts(&rule, &query, &target)[0];
    assert_eq!(part.query_weights, Some(vec![vec![1.0, 0.0, 0.0]; 2]));
    assert_eq!(part.target_weights, None);
    assert!(close(part.contributions[1][0], 0.5) && part.contributions[1][1] == 0.0);
}

#[test]
fn context_match_weighs_tokens_by_the_other_side_as_a_whole() {
    let (query, target) = (matrix(&[1.0, 0.0, 0.0, 1.0]), matrix(&[1.0, 0.0, 1.0, 1.0, 2.0, 1.0]));
    let both = Rule { direction: Direction::Both, ..Rule::context_match() };
    let [forth, back] = &parts(&both, &query, &target)[..] else { panic!("two parts") };
    assert_eq!((forth.cosines.len(), forth.cosines[0].len(), forth.whole_target), (2, 1, true));
    assert_eq!((back.cosines.len(), back.cosines[0].len(), back.whole_query), (1, 3, true));
    let column: f64 = forth.target_weights.iter().flatten().flatten().sum();
    let row: f64 = back.query_weights.iter().flatten().flatten().sum();
    assert!(close(column, 1.0) && close(row, 1.0));
    assert!(forth.query_weights.is_none() && back.target_weights.is_none());
}

#[test]
fn means_are_taken_apart_where_rows_are_what_was_pooled() {
    let (query, target) = (matrix(&[1.0, 0.0, 3.0, 1.0]), matrix(&[1.0, 1.0]));
    let part = &parts(&Rule::mean_pool(), &query, &target)[0];
    assert_eq!((part.cosines.len(), part.whole_query), (2, false));
    let pooled = TokenMatrix::with_pooled(2, vec![1.0, 0.0, 3.0, 1.0], vec![0.0, 1.0]).unwrap();
    let part = &parts(&Rule::mean_pool(), &pooled, &target)[0];
    assert!(part.whole_query && part.whole_target && close(part.contributions[0][0], 0.5f64.sqrt()));
    let zero = matrix(&[0.0, 0.0]);
    assert_eq!(parts(&Rule::mean_pool(), &zero, &target)[0].contributions, [[0.0]]);
}

fn columns(cells: &Cells) -> Cells {
    (0..cells[0].len()).map(|j| cells.iter().map(|row| row[j]).collect()).collect()
}

fn rules() -> impl Strategy<Value = Rule> {
    let interactions =
        [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool].to_vec();
    let directions = [Direction::Query, Direction::Target, Direction::Both].to_vec();
    let weights = [Weights::Cosine, Weights::Raw].to_vec();
    let (i, d, w) =
        (prop::sample::select(interactions), prop::sample::select(directions), prop::sample::select(weights));
    (i, d, w, 0.05f32..3.0).prop_map(|(interaction, direction, weights, temperature)| Rule {
        interaction,
        direction,
        weights,
        temperature,
    })
}

fn matrices() -> impl Strategy<Value = TokenMatrix> {
    (1usize..7).prop_flat_map(|n| {
        let row = prop_oneof![9 => prop::collection::vec(-2.0f32..2.0, 6), 1 => Just(vec![0.0; 6])];
        let pooled = prop_oneof![Just(None), prop::collection::vec(-2.0f32..2.0, 6).prop_map(Some)];
        (prop::collection::vec(row, n), pooled).prop_map(|(rows, pooled)| match pooled {
            Some(pooled) => TokenMatrix::with_pooled(6, rows.concat(), pooled).unwrap(),
            None => TokenMatrix::new(6, rows.concat()).unwrap(),
        })
    })
}

proptest! {
    #[test]
    fn parts_sum_to_the_score_and_weights_to_one(rule in rules(), query in matrices(), target in matrices()) {
        let parts = parts(&rule, &query, &target);
        let expected = reference::score(&rule, &query, &target);
        prop_assert!((score(&parts) - expected).abs() <= 2e-5, "{} {expected}", score(&parts));
        for part in &parts {
            let n = part.cosines[0].len();
            prop_assert!(part.contributions.iter().all(|row| row.len() == n));
            for row in part.query_weights.iter().flatten() {
                prop_assert!((row.iter().sum::<f64>() - 1.0).abs() <= 1e-12);
            }
            for column in part.target_weights.iter().flat_map(columns) {
                prop_assert!((column.iter().sum::<f64>() - 1.0).abs() <= 1e-12);
            }
        }
    }
}

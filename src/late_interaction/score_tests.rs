//! Every kernel's scores against the f64 reference, within budgets derived in [`fold`](super::fold), and its bounds against its
//! scores.

use proptest::prelude::*;

use super::kernel::{Kernel, all, detect};
use super::query::PreparedQuery;
use super::rotation::Rotation;
use super::test_matrices::{Group, random_matrix};
use super::{Direction, Interaction, Rule, Weights, reference};
use crate::token_matrix::TokenMatrix;

const INTERACTIONS: [Interaction; 4] =
    [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool];
const DIRECTIONS: [Direction; 3] = [Direction::Query, Direction::Target, Direction::Both];
const WEIGHTS: [Weights; 2] = [Weights::Cosine, Weights::Raw];

fn rules(temperature: f32) -> impl Iterator<Item = Rule> {
    INTERACTIONS.into_iter().flat_map(move |interaction| {
        DIRECTIONS.into_iter().flat_map(move |direction| {
            WEIGHTS.into_iter().map(move |weights| Rule { interaction, direction, weights, temperature })
        })
    })
}

fn score(rule: Rule, query: &PreparedQuery, target: &Group) -> f32 {
    target.scores(detect(), &rule, query)[0]
}

/// Query and target matrices of one dimension, raw values up to `size`.
fn pair(size: impl Strategy<Value = f32>) -> impl Strategy<Value = (TokenMatrix, TokenMatrix)> {
    let dim = prop::sample::select(vec![1usize, 3, 4, 8, 33, 128, 384]);
    (dim, 1usize..=64, 1usize..=64, any::<u64>(), any::<u64>(), size)
        .prop_map(|(dim, m, n, a, b, size)| (random_matrix(a, m, dim, size), random_matrix(b, n, dim, size)))
}

/// The f32 rounding of a cosine: rotated rows (1e-6 each) and the kernel's contract.
fn rounding(dim: usize) -> f64 {
    2e-6 + dim as f64 * 2f64.powi(-24)
}

fn largest_norm(matrix: &TokenMatrix) -> f64 {
    let norm = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    matrix.rows().chain([matrix.pooled()]).map(norm).fold(0.0, f64::max)
}

/// How far a score may be off when every cosine is off by at most `delta` (see [`fold`](super::fold)).
fn budget(rule: &Rule, query: &TokenMatrix, target: &TokenMatrix, delta: f64) -> f64 {
    // exp's relative error, and the rounding of the sums and of the score itself.
    const SLACK: f64 = 1e-6;
    let softmaxed = matches!(rule.interaction, Interaction::Soft | Interaction::ContextMatch);
    if !softmaxed {
        return delta + SLACK;
    }
    let tau = f64::from(rule.temperature);
    // A cosine's own rounding to f32 moves a raw logit too, and so does that of the two norms.
    let kappa = largest_norm(query) * largest_norm(target);
    let by_variation = |eta: f64| delta + 2.0 * (eta / 2.0).tanh() + SLACK;
    match rule.weights {
        Weights::Raw => by_variation(kappa * (delta + 3e-7) / tau),
        Weights::Cosine => {
            let n = query.n_tokens().max(target.n_tokens()) as f64;
            by_variation(delta / tau).min(delta * (1.0 + 2.0 * n.ln()) + SLACK)
        }
    }
}

fn check(query: &TokenMatrix, target: &TokenMatrix, stored: &Group, temperature: f32) -> Result<(), TestCaseError> {
    let prepared = PreparedQuery::new(query, &Rotation::new(query.dim())).unwrap();
    for rule in rules(temperature) {
        let got = f64::from(score(rule, &prepared, stored));
        let expected = reference::score(&rule, query, target);
        let limit = budget(&rule, query, target, stored.precision + rounding(query.dim()));
        prop_assert!((got - expected).abs() <= limit, "{rule}: {got}, expected {expected} within {limit:e}");
        prop_assert!(got.abs() <= 1.0 + stored.precision + rounding(query.dim()), "{rule}: {got}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn stored_targets_score_as_the_reference(
        (query, target) in pair(prop::sample::select(vec![0.01f32, 1.0, 4.0, 60.0])),
        temperature in prop::sample::select(vec![Rule::MIN_TEMPERATURE, 0.01, 0.1, 0.5, 1.0, 50.0]),
    ) {
        let stored = Group::stored(&[&target], &Rotation::new(target.dim()));
        check(&query, &target, &stored, temperature)?;
    }

    #[test]
    fn f32_alone_costs_less_than_2e_5(
        (query, target) in pair(0.5f32..4.0), temperature in 0.1f32..10.0,
    ) {
        let rotation = Rotation::new(query.dim());
        let (prepared, rows) = (PreparedQuery::new(&query, &rotation).unwrap(), Group::unquantised(&[&target], &rotation));
        for rule in rules(temperature).filter(|rule| rule.weights == Weights::Cosine) {
            let (got, expected) = (score(rule, &prepared, &rows), reference::score(&rule, &query, &target));
            prop_assert!((f64::from(got) - expected).abs() <= 2e-5, "{rule}: {got}, expected {expected}");
        }
    }

    #[test]
    fn storing_costs_the_default_rule_less_than_1e_4((query, target) in pair(0.5f32..4.0)) {
        let rotation = Rotation::new(query.dim());
        let (prepared, rows) = (PreparedQuery::new(&query, &rotation).unwrap(), Group::stored(&[&target], &rotation));
        for rule in rules(0.1).filter(|rule| rule.weights == Weights::Cosine) {
            let (got, expected) = (score(rule, &prepared, &rows), reference::score(&rule, &query, &target));
            prop_assert!((f64::from(got) - expected).abs() <= 1e-4, "{rule}: {got}, expected {expected}");
        }
    }

    #[test]
    fn no_size_of_raw_rows_makes_a_score_overflow(
        (query, target) in pair((-38i32..37).prop_map(|e| 10f32.powi(e))),
        temperature in prop::sample::select(vec![Rule::MIN_TEMPERATURE, 0.1, 1e30]),
    ) {
        let stored = Group::stored(&[&target], &Rotation::new(target.dim()));
        check(&query, &target, &stored, temperature)?;
    }

    #[test]
    fn temperature_runs_from_max_sim_to_the_mean((query, target) in pair(0.5f32..4.0)) {
        let rotation = Rotation::new(query.dim());
        let (prepared, rows) = (PreparedQuery::new(&query, &rotation).unwrap(), Group::stored(&[&target], &rotation));
        let direction = Direction::Query;
        let at = |rule: Rule| f64::from(score(Rule { direction, ..rule }, &prepared, &rows));
        // max c − s ≤ τ ln n.
        let gap = at(Rule::max_sim()) - at(Rule::soft(Rule::MIN_TEMPERATURE));
        let n = target.n_tokens() as f64;
        prop_assert!((-1e-6..=f64::from(Rule::MIN_TEMPERATURE) * n.ln() + 1e-6).contains(&gap), "{gap}");
        let stored: Vec<&[f32]> = rows.kinds[0].rows.chunks_exact(query.dim()).step_by(16).collect();
        let mean = prepared.rows().chunks_exact(query.dim()).flat_map(|e| {
            stored.iter().map(move |f| {
                e.iter().zip(*f).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>()
            })
        }).sum::<f64>() / (query.n_tokens() * target.n_tokens()) as f64;
        prop_assert!((at(Rule::soft(1e7)) - mean).abs() <= 2e-6 + rounding(query.dim()));
    }

    #[test]
    fn the_bits_depend_on_query_and_target_alone((query, target) in pair(0.5f32..4.0), lane in 0usize..16, seed: u64) {
        let rotation = Rotation::new(query.dim());
        let prepared = PreparedQuery::new(&query, &rotation).unwrap();
        let alone = Group::stored(&[&target], &rotation);
        let other = random_matrix(seed, 1 + seed as usize % 70, query.dim(), 1.0);
        let mut targets = vec![&other; 16];
        targets[lane] = &target;
        let among = Group::stored(&targets, &rotation);
        for kernel in all() {
            for rule in rules(0.1) {
                let (alone, among) = (alone.scores(kernel, &rule, &prepared), among.scores(kernel, &rule, &prepared));
                prop_assert_eq!(alone[0].to_bits(), among[lane].to_bits(), "{} {}", kernel.name(), rule);
                prop_assert!(alone[1..].iter().all(|score| *score == 0.0));
            }
        }
    }

    #[test]
    fn kernels_agree((query, target) in pair(0.5f32..4.0), temperature in prop::sample::select(vec![0.01f32, 0.1, 1.0])) {
        let rotation = Rotation::new(query.dim());
        let prepared = PreparedQuery::new(&query, &rotation).unwrap();
        let group = Group::stored(&[&target], &rotation);
        let fused = |kernel: &&'static dyn Kernel| kernel.name() != "portable";
        for rule in rules(temperature) {
            let bits = |kernel: &'static dyn Kernel| {
                (group.scores(kernel, &rule, &prepared)[0].to_bits(), group.bounds(kernel, &rule, &prepared)[0].to_bits())
            };
            let first = all().next().map(bits);
            prop_assert!(all().filter(fused).all(|kernel| Some(bits(kernel)) == first), "{rule}");
            if rule.weights == Weights::Cosine {
                let portable = all().last().map(|kernel| group.scores(kernel, &rule, &prepared)[0]).unwrap();
                let detected = score(rule, &prepared, &group);
                prop_assert!((portable - detected).abs() <= 4e-5, "{rule}: {portable} {detected}");
            }
        }
    }

    #[test]
    fn no_score_exceeds_its_bound(
        (query, target) in pair(prop::sample::select(vec![0.01f32, 1.0, 4.0, 60.0])),
        temperature in prop::sample::select(vec![Rule::MIN_TEMPERATURE, 0.01, 0.03, 0.1, 0.5, 1.0, 50.0]),
        seed: u64,
    ) {
        let rotation = Rotation::new(query.dim());
        let prepared = PreparedQuery::new(&query, &rotation).unwrap();
        // A row of the query itself, and one beside it, are where scores are highest.
        let near = random_matrix(seed, 3, query.dim(), 1e-3);
        let near: Vec<f32> = query.rows().next().into_iter().flatten().zip(near.values()).map(|(a, b)| a + b).collect();
        let near = TokenMatrix::new(query.dim(), near).unwrap();
        let group = Group::stored(&[&target, &query, &near], &rotation);
        for kernel in all() {
            for rule in rules(temperature) {
                let (scores, bounds) = (group.scores(kernel, &rule, &prepared), group.bounds(kernel, &rule, &prepared));
                for (score, bound) in scores.iter().zip(bounds).take(3) {
                    prop_assert!(*score <= bound, "{} {rule}: {score} > {bound}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn hostile_matrices_score_as_the_reference() {
    let zero = || TokenMatrix::new(3, vec![0.0; 6]).unwrap();
    let equal = || TokenMatrix::new(3, vec![1.0, 2.0, -2.0, 1.0, 2.0, -2.0, 1.0, 2.0, -2.0]).unwrap();
    let opposite = || TokenMatrix::new(3, vec![-1.0, -2.0, 2.0]).unwrap();
    let huge = || TokenMatrix::new(3, vec![1e38, -1e38, 1e38, 1e38, 1e38, 1e38]).unwrap();
    let denormal = || TokenMatrix::new(3, vec![1e-45, 0.0, 0.0, 0.0, 1e-44, 0.0]).unwrap();
    let matrices = [zero(), equal(), opposite(), huge(), denormal()];
    for query in &matrices {
        for target in &matrices {
            let stored = Group::stored(&[target], &Rotation::new(3));
            for temperature in [Rule::MIN_TEMPERATURE, 0.1, 1e30] {
                check(query, target, &stored, temperature).unwrap();
            }
        }
    }
    let one_way = Rule { direction: Direction::Query, ..Rule::default() };
    let prepared = PreparedQuery::new(&equal(), &Rotation::new(3)).unwrap();
    let at = |target: TokenMatrix| score(one_way, &prepared, &Group::stored(&[&target], &Rotation::new(3)));
    assert_eq!(at(zero()), 0.0);
    assert!((at(equal()) - 1.0).abs() <= 1e-4 && (at(opposite()) + 1.0).abs() <= 1e-4);
}

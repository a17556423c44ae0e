//! Losses and derivatives equal torch's automatic differentiation in f64.

use std::path::Path;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    dim: usize,
    score_kind: String,
    direction: String,
    tau: f64,
    loss_kind: String,
    temperature: f32,
    queries: Vec<Vec<f32>>,
    targets: Vec<Vec<f32>>,
    positives: Vec<(u32, u32)>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    scores: Vec<Vec<f64>>,
    loss: f64,
    query_gradients: Vec<Vec<f64>>,
    target_gradients: Vec<Vec<f64>>,
}

impl Case {
    fn objective(&self) -> Objective {
        let rule = match self.score_kind.as_str() {
            "soft" => Rule::soft(self.tau as f32),
            "max_sim" => Rule::max_sim(),
            "mean_pool" => Rule::mean_pool(),
            other => panic!("{other}"),
        };
        let direction = match self.direction.as_str() {
            "query" => Direction::Query,
            "target" => Direction::Target,
            _ => Direction::Both,
        };
        let contrast = match self.loss_kind.as_str() {
            "many_to_many" => Contrast::PAPER,
            "many_to_many_one_way" => Contrast { symmetric: false, ..Contrast::PAPER },
            "single" => Contrast { many_to_many: false, symmetric: false },
            "single_symmetric" => Contrast { many_to_many: false, symmetric: true },
            other => panic!("{other}"),
        };
        Objective { rule: Rule { direction, ..rule }, contrast }
    }
}

#[test]
fn losses_and_derivatives_are_torch_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/train/objective.json");
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() >= 20);
    for case in &cases {
        let mut rows = TokenRows::new(case.dim);
        case.queries.iter().chain(&case.targets).for_each(|text| rows.push(text));
        let n = case.queries.len() as u32;
        let left: Vec<u32> = (0..n).collect();
        let right: Vec<u32> = (n..n + case.targets.len() as u32).collect();
        let weight = 0.5;
        let edges =
            Edges { left: &left, right: &right, positives: &case.positives, temperature: case.temperature, weight };
        let objective = case.objective();
        let scores = objective.scores(&rows, &edges);
        for (got, expected) in scores.iter().zip(case.expected.scores.iter().flatten()) {
            assert!((f64::from(*got) - expected).abs() < 2e-6, "{}: score {got}, {expected}", case.name);
        }
        let mut gradient = TokenRows::zeros_like(&rows);
        let loss = objective.add(&rows, &edges, &mut gradient);
        let expected = case.expected.loss * f64::from(weight);
        assert!((loss - expected).abs() < 1e-4 * (1.0 + expected), "{}: loss {loss}, {expected}", case.name);
        let expected = case.expected.query_gradients.iter().chain(&case.expected.target_gradients);
        let size = expected.clone().flatten().fold(0.0f64, |top, x| if x.abs() < 1e6 { top.max(x.abs()) } else { top });
        for (text, expected) in expected.enumerate() {
            let raw = rows.text(text);
            for (at, (got, expected)) in gradient.text(text).iter().zip(expected).enumerate() {
                // A row of zeros has no direction, and gets no derivative.
                let row = &raw[at / case.dim * case.dim..(at / case.dim + 1) * case.dim];
                let expected =
                    if row.iter().all(|x| *x == 0.0) && case.score_kind != "mean_pool" { 0.0 } else { *expected };
                let got = f64::from(*got) / f64::from(weight);
                assert!((got - expected).abs() < 3e-4 * size + 1e-6, "{} {text}: {got}, {expected}", case.name);
            }
        }
    }
}

#[test]
fn nothing_belongs_together_and_nothing_is_lost() {
    let mut rows = TokenRows::new(3);
    [[1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0]].iter().for_each(|row| rows.push(row));
    rows.push(&[]);
    let objective = Objective { rule: Rule::default(), contrast: Contrast::PAPER };
    let mut gradient = TokenRows::zeros_like(&rows);
    let (left, right): (&[u32], &[u32]) = (&[0, 2], &[1, 2, 7]);
    let edges = Edges { left, right, positives: &[], temperature: 0.05, weight: 1.0 };
    assert_eq!(objective.add(&rows, &edges, &mut gradient), 0.0);
    assert!(gradient.values().iter().all(|value| *value == 0.0));
    let beyond = Edges { positives: &[(0, 9), (5, 0)], ..edges.clone() };
    assert_eq!(objective.add(&rows, &beyond, &mut gradient), 0.0);
    // Texts without rows have a score of 0 with everything.
    assert_eq!(objective.scores(&rows, &edges)[3..], [0.0; 3]);
}

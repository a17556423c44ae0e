//! Metrics are WorkRB's, on matrices with and without ties.

use serde::Deserialize;
use std::collections::BTreeMap;
use workindex::workbench::{Metric, ranks};

use crate::support::golden;

#[derive(Deserialize)]
struct Golden {
    metrics: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    ties: bool,
    values: BTreeMap<String, f64>,
    #[serde(default)]
    lowest: BTreeMap<String, f64>,
    #[serde(default)]
    highest: BTreeMap<String, f64>,
    positives: Vec<Vec<u32>>,
    scores: Vec<Vec<f32>>,
}

#[test]
fn values_are_workrb_s_and_ties_are_in_the_order_of_the_targets() {
    let golden: Golden = golden("metrics.json");
    assert!(golden.cases.iter().filter(|case| case.ties).count() >= 5 && golden.cases.len() >= 15);
    for case in &golden.cases {
        let ranked: Vec<Vec<u32>> =
            case.scores.iter().zip(&case.positives).map(|(scores, positives)| ranks::of(scores, positives)).collect();
        for name in &golden.metrics {
            let metric: Metric = name.parse().unwrap();
            let value = metric.mean(ranked.iter().map(Vec::as_slice));
            assert!((value - case.values[name]).abs() < 1e-12, "{}, {name}: {value}", case.name);
            if case.ties {
                assert!(case.lowest[name] - 1e-12 <= value && value <= case.highest[name] + 1e-12, "{}", case.name);
            }
        }
    }
}

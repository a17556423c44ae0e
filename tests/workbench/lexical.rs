//! Baselines score as WorkRB's do: rank_bm25, scikit-learn and RapidFuzz underneath.

use serde::Deserialize;
use workindex::workbench::Baseline;

use crate::support::golden;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    queries: Vec<String>,
    targets: Vec<String>,
    bm25: Vec<Vec<f64>>,
    tfidf_word: Vec<Vec<f64>>,
    tfidf_char: Vec<Vec<f64>>,
    edit_distance: Vec<Vec<f64>>,
}

#[test]
fn scores_are_workrb_s() {
    let golden: Golden = golden("lexical.json");
    let mut compared = 0;
    for case in &golden.cases {
        let targets: Vec<&str> = case.targets.iter().map(String::as_str).collect();
        let expected = [
            (Baseline::Bm25, &case.bm25),
            (Baseline::TfIdfWord, &case.tfidf_word),
            (Baseline::TfIdfChar, &case.tfidf_char),
            (Baseline::EditDistance, &case.edit_distance),
        ];
        for (baseline, expected) in expected {
            let index = baseline.prepare(&targets);
            for (query, expected) in case.queries.iter().zip(expected) {
                for ((target, got), expected) in targets.iter().zip(index.scores(query)).zip(expected) {
                    let close = (f64::from(got) - expected).abs() <= 2e-7 * expected.abs().max(1.0);
                    assert!(close, "{}, {baseline}: {query:?} × {target:?}: {got}, not {expected}", case.name);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
}

#[test]
fn drawn_scores_are_even_and_the_same_again() {
    let targets: Vec<String> = (0..2000).map(|n| format!("target {n}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let scores = Baseline::Random.prepare(&targets).scores("query");
    assert_eq!(scores, Baseline::Random.prepare(&targets).scores("query"));
    assert_ne!(scores, Baseline::Random.prepare(&targets).scores("another"));
    let mean = scores.iter().sum::<f32>() / 2000.0;
    assert!((mean - 0.5).abs() < 0.03 && scores.iter().all(|score| (0.0..1.0).contains(score)), "{mean}");
    let tenths = (0..10).map(|tenth| scores.iter().filter(|s| (**s * 10.0) as usize == tenth).count());
    assert!(tenths.into_iter().all(|n| (130..270).contains(&n)));
}

//! Rankings equal those of an independent implementation in torch, from the text to the hit, with the pretrained encoder.
//!
//! `fixtures/oracle/make_ranking_golden.py` made the golden rankings.

mod common;

use std::collections::BTreeMap;

use common::*;
use workindex::{Direction, Monitor, RankOptions, Rule, WorkIndex};

#[derive(serde::Deserialize)]
struct Golden {
    query: String,
    /// Target and score, best first.
    hits: Vec<(usize, f64)>,
}

fn rule(name: &str) -> Rule {
    match name {
        "soft" => Rule::default(),
        "soft, query" => Rule { direction: Direction::Query, ..Rule::soft(0.5) },
        "soft, target" => Rule { direction: Direction::Target, ..Rule::soft(0.1) },
        "maxsim" => Rule::max_sim(),
        "context" => Rule::context_match(),
        "mean" => Rule::mean_pool(),
        other => panic!("the golden file has an unknown rule {other}"),
    }
}

#[test]
fn the_engine_ranks_as_torch_does() {
    let Some(encoder) = pretrained() else { return };
    if encoder.name() != "all-MiniLM-L6-v2" && encoder.dim() != 384 {
        eprintln!("skipped: the golden rankings are of all-MiniLM-L6-v2, not of {}", encoder.name());
        return;
    }
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &encoder).unwrap();
    ingest(&mut writer, &mini_esco("1.1.0"));
    let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
    let golden = std::fs::read_to_string(fixture("oracle/ranking-minilm.json")).unwrap();
    let golden: BTreeMap<String, Vec<Golden>> = serde_json::from_str(&golden).unwrap();
    let mut largest = 0.0f64;
    for (name, rankings) in &golden {
        let queries: Vec<&str> = rankings.iter().map(|golden| golden.query.as_str()).collect();
        let options = RankOptions::full().rule(rule(name));
        let found = space.rank_batch(&queries, &options, &Monitor::silent()).unwrap();
        for (golden, ranking) in rankings.iter().zip(&found) {
            let score = |target| f64::from(ranking.iter().find(|hit| hit.target == target).unwrap().score);
            for (at, &(target, expected)) in golden.hits.iter().enumerate() {
                largest = largest.max((score(target) - expected).abs());
                assert!((score(target) - expected).abs() < 1e-3, "{name}, {}: target {target}", golden.query);
                // The same target at the same rank, unless torch's own scores are too close to call.
                let got = &ranking[at];
                let tie = golden.hits.iter().any(|&(other, s)| other == got.target && (s - expected).abs() < 2e-5);
                assert!(got.target == target || tie, "{name}, {}: rank {}", golden.query, at + 1);
            }
        }
    }
    eprintln!("largest difference of a score: {largest:.1e}");
}

//! An explanation is the score: what pairs of tokens contribute sums to the form's score, the forms' parts to the concept's,
//! and that is the ranking's, under every rule and direction, for one form and for several, with a tokenizer and without.

mod common;
mod data;

use common::*;
use workindex::{
    Comparison, Concept, Direction, Encoder, EncoderSettings, Error, Explanation, Forms, IngestOptions, Interaction,
    Kind, Monitor, RankOptions, ReleaseBuilder, Rule, Space, TokenMatrix, Weights, WorkIndex, esco,
};

/// How far an explanation's score may be from the hit's.
const SAME: f64 = 1e-5;

fn all_rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for interaction in [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool] {
        for direction in [Direction::Query, Direction::Target, Direction::Both] {
            for (weights, temperature) in [(Weights::Cosine, 0.1), (Weights::Raw, 1.0), (Weights::Cosine, 0.5)] {
                rules.push(Rule { interaction, direction, weights, temperature });
            }
        }
    }
    rules
}

fn sum(cells: &[Vec<f64>]) -> f64 {
    cells.iter().flatten().sum()
}

fn column(cells: &[Vec<f64>], j: usize) -> f64 {
    cells.iter().map(|row| row[j]).sum()
}

/// Shapes fit the tokens, shares are row and column sums, weights are distributions.
#[track_caller]
fn assert_consistent(comparison: &Comparison) {
    let (m, n) = (comparison.query_tokens.len(), comparison.target_tokens.len());
    let shaped = |cells: &Vec<Vec<f64>>| cells.len() == m && cells.iter().all(|row| row.len() == n);
    let weights = comparison.query_weights.iter().chain(&comparison.target_weights);
    assert!([&comparison.cosines, &comparison.contributions].into_iter().chain(weights).all(shaped));
    assert_eq!((comparison.query_shares.len(), comparison.target_shares.len()), (m, n));
    for (share, row) in comparison.query_shares.iter().zip(&comparison.contributions) {
        assert!((share - row.iter().sum::<f64>()).abs() < 1e-12);
    }
    for (j, share) in comparison.target_shares.iter().enumerate() {
        assert!((share - column(&comparison.contributions, j)).abs() < 1e-12);
    }
    for row in comparison.query_weights.iter().flatten() {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}");
    }
    if let Some(cells) = &comparison.target_weights {
        assert!((0..n).all(|j| (column(cells, j) - 1.0).abs() < 1e-9));
    }
    assert!(comparison.cosines.iter().flatten().all(|c| c.abs() <= 1.001));
}

/// All sums hold, and the score is the one given.
#[track_caller]
fn assert_explains(explanation: &Explanation, score: f32) {
    let rule = explanation.rule;
    let off = (explanation.score - f64::from(score)).abs();
    assert!(off <= SAME, "{rule}, {}: {} against {score}", explanation.label, explanation.score);
    let mut total = 0.0;
    for form in &explanation.forms {
        let contributions: f64 = form.comparisons.iter().map(|c| sum(&c.contributions)).sum();
        assert!((contributions - form.score).abs() < 1e-12, "{rule}: {contributions} {}", form.score);
        form.comparisons.iter().for_each(assert_consistent);
        total += form.part * form.score;
    }
    assert!((total - explanation.score).abs() < 1e-12, "{rule}: {total} {}", explanation.score);
    assert!(explanation.forms[0].preferred && explanation.forms.iter().any(|form| form.best));
    assert_eq!(explanation.forms[0].text, explanation.label);
    let best = explanation.forms.iter().find(|form| form.best).unwrap().score;
    assert!(explanation.other_forms.iter().all(|form| form.score <= best));
    assert!(explanation.other_forms.is_sorted_by(|a, b| a.score >= b.score));
}

/// Explains some hits of a ranking: the first, a few on the way, the last.
#[track_caller]
fn assert_ranking_explained(space: &Space, text: &str, rule: &Rule) {
    let ranking = space.rank(text, &RankOptions::full().rule(*rule)).unwrap();
    for hit in ranking.iter().step_by(ranking.len() / 6 + 1).chain(ranking.last()) {
        let explanation = space.explain(text, &hit.id, rule).unwrap();
        assert_eq!((explanation.id.as_str(), explanation.target), (hit.id.as_str(), hit.target));
        assert_explains(&explanation, hit.score);
    }
}

/// Which directions a rule weighs in, and over what.
#[track_caller]
fn assert_weights_where_the_rule_has_them(explanation: &Explanation) {
    let Rule { interaction, direction, .. } = explanation.rule;
    for form in &explanation.forms {
        let weighed: Vec<(bool, bool)> = form
            .comparisons
            .iter()
            .map(|comparison| (comparison.query_weights.is_some(), comparison.target_weights.is_some()))
            .collect();
        let expected: &[(bool, bool)] = match (interaction, direction) {
            (Interaction::MeanPool, _) => &[(false, false)],
            (Interaction::ContextMatch, Direction::Query) => &[(false, true)],
            (Interaction::ContextMatch, Direction::Target) => &[(true, false)],
            (Interaction::ContextMatch, Direction::Both) => &[(false, true), (true, false)],
            (_, Direction::Query) => &[(true, false)],
            (_, Direction::Target) => &[(false, true)],
            (_, Direction::Both) => &[(true, true)],
        };
        assert_eq!(weighed, expected, "{}", explanation.rule);
    }
}

#[test]
fn every_rule_and_direction_is_explained() {
    let (_folder, _, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let texts = ["Senior data engineer", "welder", "You will bake bread, drive a lorry & teach mathematics (m/f/d)."];
    for rule in all_rules() {
        for text in texts {
            assert_ranking_explained(&space, text, &rule);
        }
        let any = space.concept(0).unwrap().unwrap().id;
        assert_weights_where_the_rule_has_them(&space.explain("welder", &any, &rule).unwrap());
    }
}

#[test]
fn tokens_are_those_of_the_texts() {
    let (_folder, _, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let id = space.rank("weld metal", &RankOptions::top(1)).unwrap()[0].id.clone();
    let explanation = space.explain("  Weld METAL ", &id, &Rule::default()).unwrap();
    assert_eq!((explanation.query.as_deref(), explanation.truncated), (Some("Weld METAL"), false));
    let written: String = explanation.query_tokens.iter().map(|token| token.written.as_str()).collect();
    assert_eq!(written, "WeldMETAL");
    assert!(explanation.query_tokens.iter().all(|token| !token.special && !token.text.is_empty()));
    let form = &explanation.forms[0];
    let written: String = form.tokens.iter().map(|token| token.written.as_str()).collect();
    assert_eq!((form.text.as_str(), written.as_str()), ("weld metal", "weldmetal"));
    assert_eq!(form.comparisons[0].query_tokens, explanation.query_tokens);
    assert_eq!(form.comparisons[0].target_tokens, form.tokens);
}

#[test]
fn the_whole_text_is_one_row_or_column() {
    let (_folder, _, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let id = space.concept(3).unwrap().unwrap().id;
    let both = Rule { direction: Direction::Both, ..Rule::context_match() };
    let explanation = space.explain("data engineer", &id, &both).unwrap();
    let [forth, back] = explanation.forms[0].comparisons.as_slice() else { panic!("two comparisons") };
    assert_eq!((forth.target_tokens.len(), forth.target_tokens[0].label()), (1, "whole text"));
    assert_eq!((back.query_tokens.len(), back.query_tokens[0].label()), (1, "whole text"));
    assert_eq!(forth.query_tokens, explanation.query_tokens);
    // The encoder pools over [CLS] and [SEP] too, which are no rows here, so the cosine of means is one pair.
    let mean = space.explain("data engineer", &id, &Rule::mean_pool()).unwrap();
    assert_eq!(mean.forms[0].comparisons[0].cosines, [[mean.score]]);
}

#[test]
fn means_are_taken_apart_when_special_tokens_are_rows() {
    let settings = EncoderSettings { special_tokens: true, ..EncoderSettings::default() };
    let encoder = Encoder::open_with(&fixture("encoder/tiny-bert"), settings).unwrap();
    let (_folder, path) = scratch();
    ingest(&mut WorkIndex::create(&path, &encoder).unwrap(), &mini_esco("1.0.0"));
    let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
    for rule in [Rule::mean_pool(), Rule::default()] {
        assert_ranking_explained(&space, "data engineer", &rule);
    }
    let id = space.concept(3).unwrap().unwrap().id;
    let explanation = space.explain("data engineer", &id, &Rule::mean_pool()).unwrap();
    let specials: Vec<bool> = explanation.query_tokens.iter().map(|token| token.special).collect();
    assert!(specials.len() > 2 && specials[0] && specials[specials.len() - 1] && !specials[1]);
    assert_eq!(explanation.forms[0].comparisons[0].cosines.len(), specials.len());
}

#[test]
fn one_or_two_forms_decide_and_the_others_are_listed() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let options = IngestOptions { forms: Forms::All, ..Default::default() };
    writer.ingest(&mini_esco("1.1.0"), &options, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
    let mut decided_by = [0, 0];
    for target in (0..space.len()).step_by(7) {
        let concept = space.concept(target).unwrap().unwrap();
        let query = concept.alternative_labels.first().unwrap_or(&concept.label);
        let hits = space.rank(query, &RankOptions::full()).unwrap();
        let hit = hits.iter().find(|hit| hit.target == target).unwrap();
        let explanation = space.explain(query, &concept.id, &Rule::default()).unwrap();
        assert_explains(&explanation, hit.score);
        decided_by[explanation.forms.len() - 1] += 1;
        let mut texts: Vec<&str> = explanation.forms.iter().map(|form| form.text.as_str()).collect();
        texts.extend(explanation.other_forms.iter().map(|form| form.text.as_str()));
        let mut expected: Vec<&str> = concept.surface_forms().collect();
        texts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(texts, expected);
        if explanation.forms.len() == 2 {
            assert_eq!((explanation.forms[1].text.as_str(), explanation.forms[1].part), (query.as_str(), 0.5));
        }
    }
    assert!(decided_by.iter().all(|&n| n > 0), "{decided_by:?}");
    for rule in all_rules().into_iter().step_by(5) {
        assert_ranking_explained(&space, "senior data engineer", &rule);
    }
}

#[test]
fn matrices_made_elsewhere_are_explained_by_number() {
    let (_folder, path) = scratch();
    let labels = ["weld", "teach mathematics", "drive a lorry", "care for patients"];
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &labels));
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    for query in ["nurse", "welder", "data engineer"].map(matrix_of) {
        for rule in all_rules() {
            for hit in &space.rank_matrix(&query, &RankOptions::full().rule(rule)).unwrap() {
                let explanation = space.explain_matrix(&query, &hit.id, &rule).unwrap();
                assert_explains(&explanation, hit.score);
                assert_eq!((explanation.query.as_deref(), explanation.query_tokens.len()), (None, query.n_tokens()));
                assert_eq!(explanation.query_tokens[0].label(), "token 1");
                let n_rows = matrix_of(&explanation.label).n_tokens();
                assert_eq!(explanation.forms[0].tokens.last().unwrap().label(), format!("token {n_rows}"));
            }
        }
    }
    let error = space.explain("a text", "id-0", &Rule::default()).unwrap_err();
    assert!(error.to_string().contains("token matrices"), "{error}");
}

#[test]
fn zero_rows_and_extreme_temperatures_are_explained() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let rows = [0.0, 1e18, 1e-30].map(|value| TokenMatrix::new(DIM, vec![value; 2 * DIM]).unwrap());
    writer.ingest_matrices(&list_release("1", &["zero", "huge", "tiny"]), &rows, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    for temperature in [Rule::MIN_TEMPERATURE, 1e6] {
        for rule in all_rules().into_iter().map(|rule| Rule { temperature, ..rule }) {
            for query in &rows {
                for hit in &space.rank_matrix(query, &RankOptions::full().rule(rule)).unwrap() {
                    assert_explains(&space.explain_matrix(query, &hit.id, &rule).unwrap(), hit.score);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_explained_is_said() {
    let (_folder, _, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let id = space.concept(0).unwrap().unwrap().id;
    let error = space.explain("welder", "no such id", &Rule::default()).unwrap_err();
    assert!(matches!(error, Error::UnknownConcept { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`no such id`") && text.contains("esco@1.1.0/skill/en") && text.contains("hits"), "{text}");
    for text in ["", " \t", "\u{1}\u{7}"] {
        assert!(matches!(space.explain(text, &id, &Rule::default()), Err(Error::EmptyText { .. })));
    }
    assert!(matches!(space.explain("welder", &id, &Rule::soft(0.0)), Err(Error::InvalidOption { .. })));
    let narrow = TokenMatrix::new(3, vec![1.0; 3]).unwrap();
    assert!(matches!(space.explain_matrix(&narrow, &id, &Rule::default()), Err(Error::Matrix { .. })));
    let long = "weld metal and bake bread ".repeat(100);
    assert!(space.explain(&long, &id, &Rule::default()).unwrap().truncated);
}

#[test]
fn labels_have_positions() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let mut builder = ReleaseBuilder::new("list", "1", "en").unwrap();
    for (row, label) in ["weld", "solder", "weld"].into_iter().enumerate() {
        builder.add(Concept::new(format!("id-{row}"), Kind::SKILL, label), "list", row as u64 + 1);
    }
    ingest_list(&mut writer, &builder.finish().0);
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    assert_eq!(space.positions_of_label(" WELD"), [0, 2]);
    assert_eq!(space.positions_of_label("solder"), [1]);
    assert!(space.positions_of_label("bake").is_empty());
}

#[test]
fn json_has_what_the_explanation_has() {
    let (_folder, _, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let id = space.concept(5).unwrap().unwrap().id;
    let explanation = space.explain("data \"engineer\"", &id, &Rule::default()).unwrap();
    let value = serde_json::to_value(&explanation).unwrap();
    assert_eq!(value["space"], "esco@1.1.0/skill/en");
    assert_eq!(value["rule"]["interaction"], "soft");
    assert_eq!(value["rule"]["direction"], "both");
    assert_eq!(value["score"].as_f64(), Some(explanation.score));
    let comparison = &value["forms"][0]["comparisons"][0];
    let cell = comparison["contributions"][1][0].as_f64();
    assert_eq!(cell, Some(explanation.forms[0].comparisons[0].contributions[1][0]));
}

#[test]
fn real_texts_and_concepts_are_explained() {
    let Some(encoder) = pretrained() else { return };
    let Some(folder) = data::path("esco/1.1.1") else { return };
    let release = esco::read(&[folder], &esco::Options::default(), &Monitor::silent()).unwrap().0;
    let mut builder = ReleaseBuilder::new("esco", release.version(), "en").unwrap();
    let skills = release.concepts().iter().filter(|concept| concept.kind == Kind::SKILL);
    for (row, concept) in skills.step_by(40).enumerate() {
        builder.add(concept.clone(), "esco", row as u64);
    }
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &encoder).unwrap();
    let options = IngestOptions { forms: Forms::All, ..Default::default() };
    writer.ingest(&builder.finish().0, &options, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
    let mut largest = 0.0f64;
    for rule in all_rules() {
        for text in
            ["Senior data engineer", "You will maintain ETL pipelines in Python and weld stainless steel pipes."]
        {
            let ranking = space.rank(text, &RankOptions::full().rule(rule)).unwrap();
            for hit in ranking.iter().take(3).chain(ranking.iter().skip(3).step_by(60)) {
                let explanation = space.explain(text, &hit.id, &rule).unwrap();
                assert_explains(&explanation, hit.score);
                largest = largest.max((explanation.score - f64::from(hit.score)).abs());
            }
        }
    }
    eprintln!("largest difference of a score: {largest:.1e}");
}

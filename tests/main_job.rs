//! The main job: a release goes in, rankings come out, equal to the f64 reference, whatever the batch and thread count.

mod common;

use common::*;
use workindex::{
    Direction, ExactMatch, Filter, Monitor, RankOptions, Rule, TokenMatrix, Weights, WorkIndex, reference,
};

const QUERIES: [&str; 4] =
    ["Senior data engineer", "registered nurse night shift", "weld pipes and read blueprints", "chef"];

fn all_rules() -> Vec<Rule> {
    let mut rules = vec![Rule::context_match(), Rule::mean_pool()];
    for direction in [Direction::Query, Direction::Target, Direction::Both] {
        rules.push(Rule { direction, ..Rule::max_sim() });
        rules.push(Rule { direction, ..Rule::context_match() });
        for (temperature, weights) in [(0.1, Weights::Cosine), (0.5, Weights::Cosine), (5.0, Weights::Raw)] {
            rules.push(Rule { direction, weights, ..Rule::soft(temperature) });
        }
    }
    rules
}

#[test]
fn every_rule_ranks_as_the_reference_does() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let release = index.release("esco/skill/en").unwrap();
    let encoder = tiny_encoder();
    let labels: Vec<&str> =
        release.concepts().iter().filter(|c| c.kind.as_str() == "skill").map(|c| c.label.as_str()).collect();
    let targets = encoder.encode_batch(&labels, &Monitor::silent()).unwrap();
    for rule in all_rules() {
        for query in QUERIES {
            let matrix = encoder.encode(query).unwrap().matrix;
            let expected: Vec<f64> = targets.iter().map(|t| reference::score(&rule, &matrix, &t.matrix)).collect();
            let ranking = space.rank(query, &RankOptions::full().rule(rule)).unwrap();
            assert_eq!(ranking.len(), labels.len());
            for hit in &ranking {
                let error = (f64::from(hit.score) - expected[hit.target]).abs();
                assert!(
                    error < 1e-3,
                    "{rule}: {query} × {}: {} against {}",
                    hit.label,
                    hit.score,
                    expected[hit.target]
                );
            }
            // The order is that of the scores, with ties in target order.
            assert!(
                ranking
                    .windows(2)
                    .all(|w| w[0].score > w[1].score || (w[0].score == w[1].score && w[0].target < w[1].target))
            );
            assert!(ranking.iter().enumerate().all(|(at, hit)| hit.rank == at + 1));
        }
    }
}

#[test]
fn top_k_is_the_head_of_the_full_ranking() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/occupation/en").unwrap();
    let full = space.rank(QUERIES[0], &RankOptions::full()).unwrap();
    for k in [0, 1, 7, space.len(), space.len() + 5] {
        let top = space.rank(QUERIES[0], &RankOptions::top(k)).unwrap();
        assert_eq!(top.hits, full.hits[..k.min(space.len())]);
    }
}

#[test]
fn results_do_not_depend_on_threads_or_batches() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let matrices: Vec<TokenMatrix> = QUERIES.iter().map(|q| tiny_encoder().encode(q).unwrap().matrix).collect();
    let many: Vec<TokenMatrix> = matrices.iter().cycle().take(70).cloned().collect();
    let options = RankOptions::top(20);
    let one_by_one: Vec<_> = matrices.iter().map(|m| space.rank_matrix(m, &options).unwrap()).collect();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batch = pool.install(|| space.rank_matrices(&many, &options, &Monitor::silent())).unwrap();
        for (at, ranking) in batch.iter().enumerate() {
            assert_eq!(ranking, &one_by_one[at % matrices.len()], "{threads} threads");
        }
    }
}

#[test]
fn a_batch_of_texts_ranks_as_its_texts_do() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let batch = space.rank_batch(&QUERIES, &RankOptions::top(5), &Monitor::silent()).unwrap();
    for (query, ranking) in QUERIES.iter().zip(&batch) {
        let alone = space.rank(query, &RankOptions::top(5)).unwrap();
        assert_eq!(ranking.query.as_deref(), Some(*query));
        for (a, b) in ranking.iter().zip(&alone) {
            assert!((a.score - b.score).abs() < 1e-5);
        }
    }
    assert!(space.rank_batch::<&str>(&[], &RankOptions::top(5), &Monitor::silent()).unwrap().is_empty());
}

#[test]
fn surface_forms_score_as_the_mean_of_the_preferred_and_the_best() {
    let (_folder, path) = scratch();
    let encoder = tiny_encoder();
    let mut writer = WorkIndex::create(&path, &encoder).unwrap();
    let release = mini_esco("1.1.0");
    let options = workindex::IngestOptions { forms: workindex::Forms::All, ..Default::default() };
    writer.ingest(&release, &options, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
    let query = encoder.encode(QUERIES[0]).unwrap().matrix;
    let rule = Rule::default();
    for hit in &space.rank_matrix(&query, &RankOptions::full()).unwrap() {
        let concept = space.concept(hit.target).unwrap().unwrap();
        let of_form = |form: &str| reference::score(&rule, &query, &encoder.encode(form).unwrap().matrix);
        let scores: Vec<f64> = concept.surface_forms().map(of_form).collect();
        let expected = reference::concept_score(&scores);
        assert!((f64::from(hit.score) - expected).abs() < 1e-3, "{}: {} against {expected}", hit.label, hit.score);
    }
}

#[test]
fn filters_keep_what_they_say_and_change_no_score() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let full = space.rank(QUERIES[0], &RankOptions::full()).unwrap();
    let by_target = |target: usize| space.concept(target).unwrap().unwrap();
    let knowledge = Filter::attribute("skillType", "knowledge");
    let kept = space.rank(QUERIES[0], &RankOptions::full().filter(knowledge.clone())).unwrap();
    assert!(!kept.is_empty() && kept.len() < full.len());
    assert!(kept.iter().all(|hit| by_target(hit.target).attributes["skillType"] == ["knowledge"]));
    let score = |target| full.iter().find(|hit| hit.target == target).unwrap().score;
    assert!(kept.iter().all(|hit| hit.score == score(hit.target)));
    let rest = space.rank(QUERIES[0], &RankOptions::full().filter(!knowledge)).unwrap();
    assert_eq!(kept.len() + rest.len(), full.len());

    let ids: Vec<String> = full.iter().take(3).map(|hit| hit.id.clone()).collect();
    let listed = space.rank(QUERIES[0], &RankOptions::top(10).filter(Filter::ids(ids.clone()))).unwrap();
    assert_eq!(listed.iter().map(|hit| hit.id.clone()).collect::<Vec<_>>(), ids);
    let none = space.rank(QUERIES[0], &RankOptions::top(10).filter(Filter::attribute("no such", "value"))).unwrap();
    assert!(none.is_empty());
}

#[test]
fn hierarchy_filters_reach_descendants_through_other_kinds() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let occupations = index.space("esco/occupation/en").unwrap();
    let release = index.release("esco/occupation/en").unwrap();
    let group = release.concepts().iter().find(|c| c.kind.as_str() == "isco-group" && c.id.ends_with("C2"));
    let Some(group) = group else { panic!("the mini ontology has ISCO major group 2") };
    let options = RankOptions::full();
    let below = occupations.rank("engineer", &options.clone().filter(Filter::below(&group.id))).unwrap();
    let by_code = occupations.rank("engineer", &options.filter(Filter::prefix("iscoGroup", "2"))).unwrap();
    assert!(!below.is_empty() && below.len() < occupations.len());
    assert_eq!(below.hits, by_code.hits);
}

#[test]
fn exact_label_hits_are_marked() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let with_alias = (0..space.len())
        .filter_map(|target| space.concept(target).unwrap())
        .find(|concept| !concept.alternative_labels.is_empty())
        .unwrap();
    let mark = |text: &str| {
        let ranking = space.rank(text, &RankOptions::full()).unwrap();
        ranking.iter().find(|hit| hit.id == with_alias.id).unwrap().exact
    };
    assert_eq!(mark(&format!("  {} ", with_alias.label.to_uppercase())), Some(ExactMatch::Preferred));
    assert_eq!(mark(&with_alias.alternative_labels[0]), Some(ExactMatch::Alternative));
    assert_eq!(mark("something else entirely"), None);
}

#[test]
fn queries_with_nothing_in_them_and_rules_out_of_range_are_errors() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    for text in ["", "  \n\t ", "\u{0}\u{1}\u{7f}"] {
        let error = space.rank(text, &RankOptions::top(1)).unwrap_err();
        assert!(matches!(error, workindex::Error::EmptyText { .. }), "{text:?}: {error}");
    }
    for temperature in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(space.rank("chef", &RankOptions::top(1).rule(Rule::soft(temperature))).is_err());
    }
    let wrong = TokenMatrix::new(3, vec![1.0, 2.0, 3.0]).unwrap();
    assert!(matches!(space.rank_matrix(&wrong, &RankOptions::top(1)), Err(workindex::Error::Matrix { .. })));
    let long = "engineer ".repeat(100_000);
    assert!(space.rank(&long, &RankOptions::top(1)).unwrap().truncated);
    let error = index.space("esco/tool/en").unwrap_err().to_string();
    assert!(error.contains("esco@1.1.0/skill/en"), "{error}");
}

#[test]
fn the_handles_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone>(_: &T) {}
    let (_folder, _path, index) = mini_index("1.0.0");
    let space = index.space("esco/skill/en").unwrap();
    shareable(&index);
    shareable(&space);
    let expected = space.rank("chef", &RankOptions::top(3)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(space.rank("chef", &RankOptions::top(3)).unwrap(), expected));
        }
    });
}

//! Encoders that treat kinds of text differently: each concept is embedded on the side of its kind, each query on its own,
//! and rankings that ask for no rule are by the one that the model is for.

mod common;

use std::path::Path;

use common::{assert_intact, copy_folder, fixture, ingest, mini_esco, scratch};
use workindex::{
    Concept, Direction, Encoder, Error, Interaction, Kind, Monitor, RankOptions, RankedTargets, Ranking, Release,
    ReleaseBuilder, Rule, Space, TokenMatrix, WorkIndex, reference,
};

/// What 16-bit rows are off by, at most, in scores of short rows.
const STORED: f64 = 2e-4;

fn tiny(name: &str) -> Encoder {
    Encoder::open(&fixture("encoder").join(name)).unwrap()
}

/// A checkpoint with a sidecar.
fn with_sidecar(name: &str, sidecar: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&fixture("encoder").join(name), dir.path());
    std::fs::write(dir.path().join("workindex.json"), sidecar).unwrap();
    dir
}

fn index_of(path: &Path, encoder: &Encoder, release: &Release) -> WorkIndex {
    let mut writer = WorkIndex::create(path, encoder).unwrap();
    ingest(&mut writer, release);
    drop(writer);
    WorkIndex::open(path).unwrap()
}

/// Two skills and two occupations; one of each has the same label.
fn with_a_shared_label() -> Release {
    let mut builder = ReleaseBuilder::new("list", "1", "en").unwrap();
    let concepts =
        [(Kind::SKILL, "welding"), (Kind::SKILL, "data"), (Kind::OCCUPATION, "welding"), (Kind::OCCUPATION, "cook")];
    for (row, (kind, label)) in concepts.into_iter().enumerate() {
        builder.add(Concept::new(format!("id-{row}"), kind, label), "list", row as u64 + 1);
    }
    builder.finish().0
}

/// Scores of a text's token matrix against a label's, by the encoder itself.
fn score(encoder: &Encoder, rule: &Rule, query: &TokenMatrix, kind: &str, label: &str) -> f64 {
    let label = encoder.encode_on(label, encoder.target_side(kind)).unwrap().matrix;
    reference::score(rule, query, &label)
}

#[test]
fn concepts_and_queries_are_embedded_on_their_sides() {
    let (encoder, (_folder, path)) = (tiny("tiny-asym"), scratch());
    let index = index_of(&path, &encoder, &mini_esco("1.1.0"));
    assert_intact(&index);
    let text = "Senior data engineer";
    for (kind, query_kind) in
        [("skill", None), ("skill", Some("skill")), ("occupation", None), ("occupation", Some("skill"))]
    {
        let space = index.space(&format!("esco/{kind}/en")).unwrap();
        let options = query_kind.map_or(RankOptions::full(), |kind| RankOptions::full().query_kind(kind));
        let ranking = space.rank(text, &options).unwrap();
        assert_eq!((ranking.rule, ranking.len()), (Rule::mean_pool(), space.len()));
        let query = encoder.encode_on(text, encoder.query_side(query_kind)).unwrap().matrix;
        let other = if kind == "skill" { "occupation" } else { "skill" };
        let mut wrong_side = 0;
        for hit in &ranking {
            let expected = score(&encoder, &ranking.rule, &query, kind, &hit.label);
            assert!((expected - f64::from(hit.score)).abs() < STORED, "{}: {expected} {}", hit.label, hit.score);
            let wrong = score(&encoder, &ranking.rule, &query, other, &hit.label);
            wrong_side += usize::from((wrong - f64::from(hit.score)).abs() > 10.0 * STORED);
        }
        assert!(wrong_side > ranking.len() * 9 / 10, "{wrong_side} of {}", ranking.len());
        assert_ways_agree(&space, text, &options, &ranking);
    }
}

/// One by one, in batches, streamed and explained: all on the same side and by the same rule.
#[track_caller]
fn assert_ways_agree(space: &Space, text: &str, options: &RankOptions, ranking: &Ranking) {
    let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-5, "{a} {b}");
    let batch = space.rank_batch(&[text, "cook"], options, &Monitor::silent()).unwrap();
    assert_eq!(batch[0].rule, ranking.rule);
    near(batch[0][0].score, ranking[0].score);
    let mut streamed: Vec<RankedTargets> = Vec::new();
    space.rank_each(&[text], &options.clone().serial(), &Monitor::silent(), |_, ranked| streamed.push(ranked)).unwrap();
    near(streamed[0].scores[0], ranking[0].score);
    let rules = space.rank_rules(text, options, &[Rule::max_sim(), ranking.rule]).unwrap();
    assert_eq!([rules[0].rule, rules[1].rule], [Rule::max_sim(), ranking.rule]);
    near(rules[1][0].score, ranking[0].score);
    for hit in ranking.iter().take(3) {
        let explanation = space.explain_with(text, &hit.id, options).unwrap();
        assert_eq!((explanation.rule, explanation.forms[0].text.as_str()), (ranking.rule, hit.label.as_str()));
        near(explanation.score as f32, hit.score);
    }
}

#[test]
fn a_label_of_two_kinds_has_an_embedding_on_each_side() {
    let (encoder, (_folder, path), release) = (tiny("tiny-asym"), scratch(), with_a_shared_label());
    let mut writer = WorkIndex::create(&path, &encoder).unwrap();
    let report = ingest(&mut writer, &release);
    assert_eq!((report.texts, report.embedded), (4, 4));
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.info().unwrap().surface_forms, 4);
    for kind in ["skill", "occupation"] {
        let space = index.space(&format!("list/{kind}/en")).unwrap();
        let query = encoder.encode_on("welding", encoder.target_side(kind)).unwrap().matrix;
        let hit = space.rank_matrix(&query, &RankOptions::top(1)).unwrap()[0].clone();
        assert_eq!(hit.label, "welding");
        assert!((1.0 - hit.score).abs() < 1e-4, "{kind}: {}", hit.score);
        assert_eq!(space.explain_matrix(&query, &hit.id, &Rule::mean_pool()).unwrap().label, "welding");
    }
    // A second release finds all of them, compaction keeps them, and verification can tell the sides.
    let mut second = ReleaseBuilder::new("list", "2", "en").unwrap();
    for (row, concept) in release.concepts().iter().enumerate() {
        second.add(concept.clone(), "list", row as u64 + 1);
    }
    assert_eq!(ingest(&mut writer, &second.finish().0).embedded, 0);
    writer.drop_release("list@1/skill/en").unwrap();
    writer.compact(&Monitor::silent()).unwrap();
    drop(writer);
    let index = WorkIndex::open(&path).unwrap();
    assert_intact(&index);
    assert_eq!(index.info().unwrap().surface_forms, 4);
    // With one side there is one embedding.
    let (_folder, path) = scratch();
    let report = ingest(&mut WorkIndex::create(&path, &tiny("tiny-dense")).unwrap(), &release);
    assert_eq!((report.texts, report.embedded), (3, 3));
}

#[test]
fn verification_notices_that_a_model_has_other_sides() {
    let (_folder, path) = scratch();
    let index = index_of(&path, &tiny("tiny-asym"), &with_a_shared_label());
    let sidecar = r#"{"sides":{"kinds":{"skill":"anchor","occupation":"positive"}}}"#;
    let folder = std::fs::read_dir(path.join("encoders")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(folder.join("workindex.json"), sidecar).unwrap();
    let problems = index.verify(&Monitor::silent()).unwrap().problems;
    let says = |what: &str| problems.iter().any(|problem| problem.problem.contains(what));
    assert!(says("fingerprint") && says("token matrices"), "{problems:?}");
    // Files that cannot be read are a problem of the encoder.
    std::fs::write(folder.join("workindex.json"), "{").unwrap();
    let problems = index.verify(&Monitor::silent()).unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].path.ends_with("workindex.json"), "{problems:?}");
}

#[test]
fn late_interaction_models_rank_by_max_sim_over_the_query() {
    let (encoder, (_folder, path)) = (tiny("tiny-colbert"), scratch());
    let index = index_of(&path, &encoder, &with_a_shared_label());
    let space = index.space("list/skill/en").unwrap();
    let rule = Rule { direction: Direction::Query, ..Rule::max_sim() };
    assert_eq!(space.default_rule().unwrap(), rule);
    let ranking = space.rank("welder, data", &RankOptions::full()).unwrap();
    assert_eq!(ranking.rule, rule);
    let query = encoder.encode("welder, data").unwrap().matrix;
    assert_eq!(query.n_tokens(), 16);
    for hit in &ranking {
        let expected = score(&encoder, &rule, &query, "skill", &hit.label);
        assert!((expected - f64::from(hit.score)).abs() < STORED, "{}: {expected} {}", hit.label, hit.score);
        let explanation = space.explain("welder, data", &hit.id, &rule).unwrap();
        assert_eq!(explanation.query_tokens[1].text, "[Q] ");
        assert_eq!(explanation.forms[0].tokens[1].text, "[D] ");
    }
    assert_ways_agree(&space, "welder, data", &RankOptions::full(), &ranking);
}

#[test]
fn prompts_stand_before_queries_and_concepts() {
    let (encoder, (_folder, path)) = (tiny("tiny-prompts"), scratch());
    let index = index_of(&path, &encoder, &with_a_shared_label());
    assert_intact(&index);
    let space = index.space("list/occupation/en").unwrap();
    assert_eq!(space.default_rule().unwrap(), Rule::default());
    let ranking = space.rank("a cook", &RankOptions::full()).unwrap();
    let query = encoder.encode_on("a cook", encoder.query_side(None)).unwrap().matrix;
    for hit in &ranking {
        let expected = score(&encoder, &ranking.rule, &query, "occupation", &hit.label);
        assert!((expected - f64::from(hit.score)).abs() < STORED, "{}: {expected} {}", hit.label, hit.score);
    }
    assert!(matches!(space.rank(" ", &RankOptions::full()), Err(Error::EmptyText { .. })));
    assert!(matches!(space.rank("\u{200b}", &RankOptions::full()), Err(Error::EmptyText { .. })));
}

#[test]
fn a_sidecars_rule_is_the_default_and_options_override_it() {
    let sidecar = r#"{"rule":{"interaction":"soft","temperature":0.03,"direction":"target"}}"#;
    let (dir, (_folder, path)) = (with_sidecar("tiny-bert", sidecar), scratch());
    let index = index_of(&path, &Encoder::open(dir.path()).unwrap(), &with_a_shared_label());
    assert_intact(&index);
    let space = index.space("list/skill/en").unwrap();
    let rule = Rule { direction: Direction::Target, ..Rule::soft(0.03) };
    assert_eq!(space.default_rule().unwrap(), rule);
    let (by_default, by_rule) = (
        space.rank("cook", &RankOptions::full()).unwrap(),
        space.rank("cook", &RankOptions::full().rule(rule)).unwrap(),
    );
    assert_eq!(by_default, by_rule);
    let other = space.rank("cook", &RankOptions::full().rule(Rule::default())).unwrap();
    assert_eq!(other.rule, Rule::default());
    assert_ne!(other[0].score, by_default[0].score);
    let matrix = Encoder::open(dir.path()).unwrap().encode("cook").unwrap().matrix;
    assert_eq!(space.rank_matrix(&matrix, &RankOptions::top(1)).unwrap().rule, rule);
}

#[test]
fn a_sidecar_may_say_one_part_of_a_rule() {
    let rule_of = |model: &str, rule: &str| {
        let dir = with_sidecar(model, &format!(r#"{{"rule":{rule}}}"#));
        let (_folder, path) = scratch();
        let index = index_of(&path, &Encoder::open(dir.path()).unwrap(), &with_a_shared_label());
        index.space("list/skill/en").unwrap().default_rule().unwrap()
    };
    assert_eq!(rule_of("tiny-bert", r#"{"interaction":"context_match"}"#), Rule::context_match());
    assert_eq!(rule_of("tiny-bert", r#"{"temperature":0.5}"#), Rule::soft(0.5));
    assert_eq!(rule_of("tiny-colbert", r#"{"direction":"both"}"#), Rule::max_sim());
    let late = rule_of("tiny-colbert", r#"{"temperature":0.5}"#);
    assert_eq!((late.interaction, late.direction), (Interaction::MaxSim, Direction::Query));
}

#[test]
fn a_sidecars_rule_out_of_its_range_is_refused_when_the_index_is_made() {
    let dir = with_sidecar("tiny-bert", r#"{"rule":{"temperature":1e-6}}"#);
    let (_folder, path) = scratch();
    let error = WorkIndex::create(&path, &Encoder::open(dir.path()).unwrap()).unwrap_err();
    assert!(error.to_string().contains("rule.temperature"), "{error}");
    assert!(!path.exists());
}

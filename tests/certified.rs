//! The best k with a certificate are the head of the ranking of everything at full precision, bit for bit, and that is the
//! reference's to within the format's precision: under every rule, filter and k, with ties and near ties, over segments.

mod common;

use std::collections::HashMap;

use common::synthetic::{Random, Shape, World, every_rule};
use common::*;
use workindex::{
    Concept, Filter, Forms, Hit, IngestOptions, Interaction, Kind, Monitor, RankOptions, Ranking, Release,
    ReleaseBuilder, Rule, Space, TokenMatrix, Weights, WorkIndex, reference,
};

/// What a filter lets through, and what it is called where something fails.
struct Allowed {
    name: &'static str,
    filter: Option<Filter>,
    /// By target.
    keeps: Vec<bool>,
}

/// Filters of every density, by id.
fn filters(random: &mut Random, n: usize) -> Vec<Allowed> {
    let by_share = |random: &mut Random, one_in: usize| (0..n).map(|_| random.one_in(one_in)).collect::<Vec<_>>();
    let (one, spared) = (random.below(n), random.below(n));
    let keeps: [(&'static str, Vec<bool>); 6] = [
        ("everything", vec![true; n]),
        ("nothing", vec![false; n]),
        ("one", (0..n).map(|at| at == one).collect()),
        ("one in a hundred", by_share(random, 100)),
        ("half", by_share(random, 2)),
        ("all but one", (0..n).map(|at| at != spared).collect()),
    ];
    let allowed = |(name, keeps): (&'static str, Vec<bool>)| {
        let ids = (0..n).filter(|&at| keeps[at]).map(|at| format!("id-{at}"));
        let filter = (name != "everything").then(|| Filter::ids(ids));
        Allowed { name, filter, keeps }
    };
    keeps.into_iter().map(allowed).collect()
}

fn with(options: RankOptions, filter: Option<&Filter>, rule: Rule) -> RankOptions {
    let options = options.rule(rule);
    filter.iter().fold(options, |options, filter| options.filter((*filter).clone()))
}

/// Target and the bits of the score: what must be equal, ties included.
fn bits(hits: &[Hit]) -> Vec<(usize, u32)> {
    hits.iter().map(|hit| (hit.target, hit.score.to_bits())).collect()
}

/// Every target once, by falling score, equal scores in the order of the space.
#[track_caller]
fn assert_in_order(full: &Ranking, n: usize, at: &str) {
    let sorted = |w: &[Hit]| w[0].score > w[1].score || (w[0].score == w[1].score && w[0].target < w[1].target);
    assert!(full.windows(2).all(sorted), "{at}");
    let mut seen = vec![false; n];
    full.iter().for_each(|hit| seen[hit.target] = true);
    assert!(full.len() == n && seen.iter().all(|seen| *seen), "{at}");
    assert_eq!((full.certificate.targets, full.certificate.rescored), (n, n), "{at}");
}

/// Checks the best `k` under a filter against the ranking of everything; returns how many targets were rescored.
#[track_caller]
fn assert_is_head(top: &Ranking, full: &Ranking, allowed: &Allowed, k: usize, at: &str) -> usize {
    let head: Vec<Hit> = full.iter().filter(|hit| allowed.keeps[hit.target]).take(k).cloned().collect();
    assert_eq!(bits(top), bits(&head), "{at}, best {k} of {}", allowed.name);
    assert!(top.iter().enumerate().all(|(at, hit)| hit.rank == at + 1));
    let n = allowed.keeps.iter().filter(|keeps| **keeps).count();
    let certificate = top.certificate;
    assert!(certificate.certified && certificate.targets == n, "{at}: {certificate:?}");
    assert!((k.min(n)..=n).contains(&certificate.rescored), "{at}: {certificate:?}");
    certificate.rescored
}

/// All rules, each over all filters and some k, for one query. Returns how many comparisons were made, and how many of them
/// left targets without a rescoring.
fn compare(random: &mut Random, space: &Space, query: &TokenMatrix, at: &str) -> (usize, usize) {
    let n = space.len();
    let (mut compared, mut pruned) = (0, 0);
    for rule in every_rule(random) {
        let at = format!("{at}, {rule}");
        let full = space.rank_matrix(query, &RankOptions::full().rule(rule)).unwrap();
        assert_in_order(&full, n, &at);
        for allowed in filters(random, n) {
            let k = random.pick(&[0, 1, 1, 2, 10, 10, 10, n - 1, n, n + 5]);
            let options = with(RankOptions::top(k), allowed.filter.as_ref(), rule);
            let top = space.rank_matrix(query, &options).unwrap();
            let rescored = assert_is_head(&top, &full, &allowed, k, &at);
            compared += 1;
            pruned += usize::from(k > 0 && rescored < top.certificate.targets);
        }
    }
    (compared, pruned)
}

fn shape(random: &mut Random, dim: usize) -> Shape {
    Shape {
        dim,
        targets: random.pick(&[1, 90, 300, 400, 400]),
        topics: random.pick(&[1, 10, 40]),
        spread: random.pick(&[0.01, 0.3, 1.0, 3.0]),
        rows: random.pick(&[1, 3, 6]),
        size: random.pick(&[0.01, 1.0, 1.0, 30.0]),
        hostile: true,
    }
}

fn compare_worlds(dims: &[usize], worlds: u64, queries: usize) {
    let (mut compared, mut pruned) = (0, 0);
    for seed in 0..worlds {
        let mut random = Random::new(seed);
        let shape = shape(&mut random, dims[seed as usize % dims.len()]);
        let world = World::new(seed, shape);
        for _ in 0..queries {
            let tokens = 1 + random.below(12);
            let query = world.query(&mut random, tokens);
            let at = format!("seed {seed}, {shape:?}, {} tokens", query.n_tokens());
            let (more, more_pruned) = compare(&mut random, &world.space, &query, &at);
            (compared, pruned) = (compared + more, pruned + more_pruned);
        }
    }
    eprintln!("{compared} comparisons over rows of {dims:?}; targets were left out in {pruned}");
    assert!(compared >= 1000 && pruned > compared / 20, "{compared} {pruned}");
}

#[test]
fn the_best_of_short_rows_are_the_head_of_everything() {
    compare_worlds(&[1, 2, 3, 5, 8, 33], 48, 2);
}

#[test]
fn the_best_of_long_rows_are_the_head_of_everything() {
    compare_worlds(&[128, 256, 384, 768, 1024, 385], 24, 1);
}

#[test]
fn queries_of_hundreds_of_tokens_get_the_head_of_everything() {
    for (seed, tokens) in [(1, 31), (2, 33), (3, 100), (4, 512)] {
        let mut random = Random::new(seed);
        let shape = Shape { dim: 32, targets: 120, topics: 4, spread: 0.3, rows: 5, size: 1.0, hostile: seed % 2 == 0 };
        let world = World::new(seed, shape);
        let values: Vec<f32> = (0..tokens).flat_map(|_| random.values(shape.dim)).collect();
        let query = TokenMatrix::new(shape.dim, values).unwrap();
        compare(&mut random, &world.space, &query, &format!("{tokens} tokens"));
    }
}

/// How far a score may be from the reference: every cosine is off by what fixed point takes (√dim / 65,278 at most, for a row
/// with all its weight on one value) and by f32; through a softmax that grows as the engine's documentation derives.
fn budget(rule: &Rule, query: &TokenMatrix, target: &TokenMatrix) -> f64 {
    let dim = query.dim() as f64;
    let delta = dim.sqrt() / 65_278.0 + 2e-6 + dim * 2f64.powi(-24);
    let tokens = (query.n_tokens() + target.n_tokens()) as f64;
    let rounding = 2.5e-5 + tokens * 2.5e-7;
    let tau = f64::from(rule.temperature);
    match (rule.interaction, rule.weights) {
        (Interaction::MaxSim | Interaction::MeanPool, _) => delta + rounding,
        (_, Weights::Cosine) => delta * (1.0 + 2.0 * tokens.ln()).min(1.0 + 1.0 / tau) + rounding,
        (_, Weights::Raw) => {
            let kappa = largest_norm(query) * largest_norm(target);
            delta + 2.0 * (kappa * (delta + 3e-7) / tau / 2.0).tanh() + rounding
        }
    }
}

fn largest_norm(matrix: &TokenMatrix) -> f64 {
    let norm = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    matrix.rows().chain([matrix.pooled()]).map(norm).fold(0.0, f64::max)
}

#[test]
fn the_full_ranking_is_that_of_the_reference() {
    for (seed, dim) in [(1, 1), (2, 3), (3, 8), (4, 33), (5, 3), (6, 8)] {
        let mut random = Random::new(100 + seed);
        let shape = Shape { targets: 60, ..shape(&mut random, dim) };
        let world = World::new(seed, shape);
        let tokens = 1 + random.below(9);
        let query = world.query(&mut random, tokens);
        for rule in every_rule(&mut random) {
            let expected: Vec<f64> = world.targets.iter().map(|t| reference::score(&rule, &query, t)).collect();
            for options in [RankOptions::full(), RankOptions::top(5)] {
                for hit in &world.space.rank_matrix(&query, &options.rule(rule)).unwrap() {
                    let limit = budget(&rule, &query, &world.targets[hit.target]);
                    let error = (f64::from(hit.score) - expected[hit.target]).abs();
                    assert!(error <= limit, "{shape:?}, {rule}, {hit:?}: off by {error:e}, allowed {limit:e}");
                }
            }
        }
    }
}

/// A space as encoders make them: unit rows around 50 topics.
fn realistic() -> World {
    let shape = Shape { dim: 384, targets: 3000, topics: 50, spread: 1.0, rows: 6, size: 0.05, hostile: false };
    World::new(1, shape)
}

#[test]
fn a_realistic_space_is_answered_by_rescoring_a_small_part_of_it() {
    let (world, mut random) = (realistic(), Random::new(5));
    for rule in [Rule::default(), Rule::soft(0.03), Rule::max_sim(), Rule::context_match(), Rule::mean_pool()] {
        let mut rescored = Vec::new();
        for _ in 0..12 {
            let query = world.query(&mut random, 7);
            let top = world.space.rank_matrix(&query, &RankOptions::top(10).rule(rule)).unwrap();
            let full = world.space.rank_matrix(&query, &RankOptions::full().rule(rule)).unwrap();
            assert_eq!(bits(&top), bits(&full[..10]), "{rule}");
            rescored.push(top.certificate.rescored);
        }
        rescored.sort_unstable();
        eprintln!("{rule}: rescored {rescored:?} of {}", world.space.len());
        assert!(rescored[6] <= world.space.len() / 10, "{rule}: {rescored:?}");
    }
}

#[test]
fn where_nothing_can_be_left_out_everything_is_rescored() {
    let mut random = Random::new(9);
    let shape = Shape { dim: 48, targets: 500, topics: 1, spread: 1.0, rows: 3, size: 1.0, hostile: false };
    let one = TokenMatrix::new(48, random.values(3 * 48)).unwrap();
    let world = World::of(shape, vec![one; 500], vec![random.values(48)]);
    for rule in every_rule(&mut random) {
        let query = TokenMatrix::new(48, random.values(7 * 48)).unwrap();
        let top = world.space.rank_matrix(&query, &RankOptions::top(10).rule(rule)).unwrap();
        assert_eq!(top.iter().map(|hit| hit.target).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>(), "{rule}");
        assert!(top.iter().all(|hit| hit.score.to_bits() == top[0].score.to_bits()), "{rule}");
        assert_eq!((top.certificate.targets, top.certificate.rescored), (500, 500), "{rule}");
    }
}

#[test]
fn ties_at_the_last_place_go_to_the_earlier_target() {
    let mut random = Random::new(10);
    let shape = Shape { dim: 64, targets: 400, topics: 20, spread: 1.0, rows: 4, size: 1.0, hostile: false };
    let base = World::new(3, shape);
    let query = base.query(&mut random, 5);
    let best = base.space.rank_matrix(&query, &RankOptions::top(1)).unwrap()[0].target;
    // Nine copies of the best target, spread over the space and over its two segments.
    let mut targets = base.targets.clone();
    let copies: Vec<usize> = (0..9).map(|at| 3 + at * 44).chain([best]).collect();
    copies.iter().for_each(|&at| targets[at] = base.targets[best].clone());
    let mut copies: Vec<usize> = copies;
    copies.sort_unstable();
    copies.dedup();
    let world = World::of(shape, targets, vec![random.values(64)]);
    for k in 1..copies.len() {
        let top = world.space.rank_matrix(&query, &RankOptions::top(k)).unwrap();
        assert_eq!(top.iter().map(|hit| hit.target).collect::<Vec<_>>(), copies[..k]);
        assert!(top.certificate.rescored < 400, "{:?}", top.certificate);
    }
}

/// Concepts of one to five surface forms of few words, so that forms are shared between concepts. The second release has
/// more concepts and, for some, more forms.
fn many_forms(version: &str, n: usize) -> Release {
    const WORDS: [&str; 12] =
        ["nurse", "welder", "data", "engineer", "teach", "drive", "care", "pipe", "night", "senior", "sales", "cook"];
    let mut builder = ReleaseBuilder::new("list", version, "en").unwrap();
    for at in 0..n {
        let mut random = Random::new(at as u64);
        let mut text = || {
            let words = 1 + random.below(4);
            (0..words).map(|_| random.pick(&WORDS)).collect::<Vec<_>>().join(" ")
        };
        let mut concept = Concept::new(format!("id-{at}"), Kind::SKILL, text());
        let forms = at % 5 + usize::from(version == "2" && at % 3 == 0);
        concept.alternative_labels = (0..forms).map(|_| text()).collect();
        builder.add(concept, "list", at as u64 + 1);
    }
    builder.finish().0
}

#[test]
fn concepts_of_several_surface_forms_are_ranked_as_by_everything() {
    let (_folder, path) = scratch();
    let encoder = tiny_encoder();
    let mut writer = WorkIndex::create(&path, &encoder).unwrap();
    for (version, n) in [("1", 90), ("2", 260)] {
        let options = IngestOptions { forms: Forms::All, ..Default::default() };
        writer.ingest(&many_forms(version, n), &options, &Monitor::silent()).unwrap();
        writer.commit().unwrap();
    }
    assert!(segment_names(&path).len() >= 2);
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    let mut matrices: HashMap<String, TokenMatrix> = HashMap::new();
    let release = many_forms("2", 260);
    for text in release.concepts().iter().flat_map(Concept::surface_forms) {
        matrices.entry(text.to_string()).or_insert_with(|| encoder.encode(text).unwrap().matrix);
    }
    let (mut random, mut pruned) = (Random::new(77), 0);
    for text in ["senior data engineer", "night nurse", "cook", "drive pipe sales to the welder"] {
        let query = encoder.encode(text).unwrap().matrix;
        pruned += compare(&mut random, &space, &query, text).1;
        for rule in every_rule(&mut random).into_iter().filter(|rule| rule.weights == Weights::Cosine) {
            for hit in &space.rank_matrix(&query, &RankOptions::top(8).rule(rule)).unwrap() {
                let concept = space.concept(hit.target).unwrap().unwrap();
                let scores = concept.surface_forms().map(|form| reference::score(&rule, &query, &matrices[form]));
                let expected = reference::concept_score(&scores.collect::<Vec<_>>());
                let error = (f64::from(hit.score) - expected).abs();
                assert!(error <= budget(&rule, &query, &query), "{text}, {rule}, {}: {error:e}", hit.label);
            }
        }
    }
    assert!(pruned > 0);
}

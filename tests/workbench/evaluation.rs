//! An evaluation: its ranks are those of whole rankings, whatever is judged beside; what was judged is kept, and what changed is judged again.

use std::path::Path;

use workindex::workbench::held_out::Holdout;
use workindex::workbench::{
    Baseline, Data, Dataset, Evaluation, Event, Record, Run, Selection, Split, System, TargetIndex, Task, ranks,
};
use workindex::{CancelToken, Direction, Encoder, Error, Forms, Monitor, RankOptions, Rule, TokenMatrix, reference};

use crate::common::tiny_encoder;
use crate::support::{data_folder, load, open, whole};

fn rule(rule: Rule, forms: Forms) -> System {
    System::LateInteraction { rule: Some(rule), forms }
}

fn run(data: &Data, out: &Path, encoder: &Encoder, systems: Vec<System>, tasks: &[Task]) -> (Run, Vec<String>) {
    let mut events = Vec::new();
    let selection = whole(Split::Validation);
    let evaluation = Evaluation::new(data, out).encoder(encoder).systems(systems).tasks(tasks).selection(selection);
    let run = evaluation
        .run(&Monitor::silent(), &mut |event| {
            events.push(match event {
                Event::Begins(set) => format!("begins {}", set.name()),
                Event::Judged(record) => format!("judged {}", record.head.set),
                Event::Kept(record) => format!("kept {}", record.head.set),
                Event::Missing(missing) => format!("missing {}", missing.set),
            });
        })
        .unwrap();
    (run, events)
}

fn ranks_of(record: &Record, system: usize) -> Vec<Vec<u32>> {
    record.ranks(system).unwrap().map(<[u32]>::to_vec).collect()
}

/// Ranks by the f64 reference on matrices that the encoder makes: independent of index, executor and driver.
fn reference_scores(encoder: &Encoder, dataset: &Dataset, rule: &Rule, forms: Forms, query: &str) -> Vec<f64> {
    let query = encoder.encode(query).unwrap().matrix;
    let matrix = |text: &str| -> TokenMatrix { encoder.encode(text).unwrap().matrix };
    let score = |target: &workindex::workbench::Target| {
        let labels = std::iter::once(&target.label).chain(&target.alternative_labels);
        let n = if forms == Forms::All { usize::MAX } else { 1 };
        let scores: Vec<f64> = labels.take(n).map(|label| reference::score(rule, &query, &matrix(label))).collect();
        reference::concept_score(&scores)
    };
    dataset.targets().iter().map(score).collect()
}

#[test]
fn ranks_are_those_of_the_reference() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let rules = [Rule::default(), Rule { direction: Direction::Target, ..Rule::max_sim() }, Rule::mean_pool()];
    let systems: Vec<System> =
        [Forms::All, Forms::Preferred].iter().flat_map(|forms| rules.map(|r| rule(r, *forms))).collect();
    let (run, _) = run(&data, out.path(), &encoder, systems.clone(), &[Task::JobNormalisation]);
    let dataset = load(&data, "job-normalisation", whole(Split::Validation));
    let record = &run.records[0];
    for (at, system) in systems.iter().enumerate() {
        let System::LateInteraction { rule: Some(rule), forms } = system else { unreachable!() };
        for (query, ranked) in dataset.queries().iter().zip(ranks_of(record, at)).step_by(3) {
            let scores = reference_scores(&encoder, &dataset, rule, *forms, &query.text);
            assert_eq!(ranked.len(), query.positives.len());
            let mut bounds: Vec<(usize, usize)> = Vec::new();
            for &positive in &query.positives {
                let own = scores[positive as usize];
                // Scores nearer than the format's precision may change places.
                let above = scores.iter().filter(|score| **score > own + 2e-4).count();
                let within = scores.iter().filter(|score| **score > own - 2e-4).count();
                bounds.push((above + 1, within));
            }
            bounds.sort_unstable();
            for (rank, (low, high)) in ranked.iter().zip(bounds) {
                assert!((low..=high).contains(&(*rank as usize)), "{system}: {}: {rank}, {low}…{high}", query.text);
            }
        }
    }
}

#[test]
fn systems_do_not_depend_on_those_beside_them() {
    let folder = data_folder();
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let tasks = [Task::JobNormalisation, Task::SkillExtraction];
    let mut systems = System::sweep(&[0.1]);
    systems.push(System::Lexical(Baseline::TfIdfChar));
    systems.push(rule(Rule::default(), Forms::All));
    let out = tempfile::tempdir().unwrap();
    let (together, _) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    for (at, system) in systems.iter().enumerate() {
        let out = tempfile::tempdir().unwrap();
        let (alone, _) = run(&data, out.path(), &encoder, vec![*system], &tasks);
        for (one, other) in alone.records.iter().zip(&together.records) {
            assert_eq!(ranks_of(one, 0), ranks_of(other, at), "{system} on {}", one.head.set);
        }
    }
}

#[test]
fn what_was_judged_is_kept_until_something_changes() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let tasks = [Task::TitleSimilarity, Task::SkillExtraction];
    let systems = vec![rule(Rule::max_sim(), Forms::Preferred)];
    let (first, events) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    assert_eq!(events.iter().filter(|event| event.starts_with("judged")).count(), 4);
    assert!(events.contains(&"missing skill-extraction/techwolf".to_string()));
    assert_eq!(Run::read(out.path()).unwrap(), first);
    let (second, events) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    assert_eq!(second, first);
    assert!(events.iter().all(|event| event.starts_with("kept") || event.starts_with("missing")), "{events:?}");
    // Other systems, other data, another encoder, a damaged record: judged again, and only what is concerned.
    let judged = |events: Vec<String>| events.iter().filter(|event| event.starts_with("judged")).count();
    let (_, events) = run(&data, out.path(), &encoder, vec![rule(Rule::soft(0.5), Forms::Preferred)], &tasks);
    assert_eq!(judged(events), 4);
    let (_, events) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    assert_eq!(judged(events), 4);
    let path = folder.path().join("workbench/title_similarity/qrels.tsv");
    let fewer: Vec<String> =
        std::fs::read_to_string(&path).unwrap().lines().skip(1).map(|l| format!("{l}\n")).collect();
    std::fs::write(&path, fewer.concat()).unwrap();
    let (_, events) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    assert!(events.contains(&"judged title-similarity".to_string()) && judged(events) == 1);
    std::fs::write(out.path().join("sets/title-similarity.safetensors"), b"damaged").unwrap();
    let (_, events) = run(&data, out.path(), &encoder, systems.clone(), &tasks);
    assert_eq!(judged(events), 1);
    let other = Encoder::open(&crate::common::fixture("encoder/tiny-mpnet")).unwrap();
    let (_, events) = run(&data, out.path(), &other, systems, &tasks);
    assert_eq!(judged(events), 4);
    // No temporary index is left behind.
    let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_cancelled_evaluation_goes_on_where_it_was() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let systems = vec![System::Lexical(Baseline::Bm25), rule(Rule::default(), Forms::Preferred)];
    let tasks = [Task::Job2Skill, Task::Skill2Job, Task::JobNormalisation];
    let evaluation = Evaluation::new(&data, out.path()).encoder(&encoder).systems(systems).tasks(&tasks);
    let evaluation = evaluation.selection(whole(Split::Validation));
    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let stopped = evaluation.run(&Monitor::cancelled_by(cancel), &mut |event| {
        if let Event::Begins(set) = event
            && set.name().task() == Task::Skill2Job
        {
            stop.cancel();
        }
    });
    assert!(matches!(stopped, Err(Error::Cancelled)));
    let mut kept = 0;
    let run =
        evaluation.run(&Monitor::silent(), &mut |event| kept += usize::from(matches!(event, Event::Kept(_)))).unwrap();
    assert_eq!((kept, run.records.len()), (1, 3));
}

#[test]
fn labels_are_not_embedded_where_they_are_asked_for() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let systems = vec![rule(Rule::default(), Forms::All), rule(Rule::default(), Forms::Preferred)];
    let tasks = [Task::SkillNormalisation, Task::OnetTitle, Task::TitleSimilarity, Task::Job2Skill];
    let (run, _) = run(&data, out.path(), &encoder, systems, &tasks);
    for record in &run.records {
        let labels = record.ranks(0).is_some();
        assert_eq!(labels, record.head.set.task() == Task::Job2Skill, "{}", record.head.set);
        assert!(record.ranks(1).is_some() && record.head.systems[1].not_judged.is_none());
    }
}

#[test]
fn queries_with_nothing_to_embed_rank_everything_last() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let path = folder.path().join("workbench/title_similarity");
    let mut queries = std::fs::read_to_string(path.join("queries")).unwrap();
    queries.push_str("999\t\u{200b}\u{200d}\n");
    std::fs::write(path.join("queries"), queries).unwrap();
    let corpus = std::fs::read_to_string(path.join("corpus_elements")).unwrap();
    let id = corpus.lines().nth(1).unwrap().split('\t').next().unwrap().to_string();
    let mut judgements = std::fs::read_to_string(path.join("qrels.tsv")).unwrap();
    judgements.push_str(&format!("999\t0\t{id}\t1\n"));
    std::fs::write(path.join("qrels.tsv"), judgements).unwrap();
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    assert_eq!(encoder.encode("\u{200b}\u{200d}").unwrap().content_tokens, 0);
    let systems = vec![rule(Rule::default(), Forms::Preferred)];
    let (run, _) = run(&data, out.path(), &encoder, systems, &[Task::TitleSimilarity]);
    let record = &run.records[0];
    assert_eq!(record.head.unembedded, 1);
    assert_eq!(ranks_of(record, 0).last().unwrap(), &[record.head.targets as u32]);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let data = open(folder.path(), None);
    let fails = |systems: Vec<System>| {
        let evaluation = Evaluation::new(&data, out.path()).systems(systems);
        evaluation.run(&Monitor::silent(), &mut |_| {}).unwrap_err().to_string()
    };
    assert!(fails(vec![]).contains("systems"));
    assert!(fails(vec![rule(Rule::default(), Forms::Preferred)]).contains("encoder"));
    let encoder = tiny_encoder();
    let evaluation = Evaluation::new(&data, out.path()).encoder(&encoder);
    let evaluation = evaluation.systems(vec![rule(Rule::soft(0.0), Forms::Preferred)]);
    assert!(evaluation.run(&Monitor::silent(), &mut |_| {}).unwrap_err().to_string().contains("temperature"));
}

#[test]
fn an_index_of_targets_is_kept_and_only_for_its_encoder() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let index = out.path().join("targets.index");
    let systems = vec![rule(Rule::default(), Forms::Preferred)];
    for results in ["one", "two"] {
        let evaluation = Evaluation::new(&data, out.path().join(results)).encoder(&encoder).index(&index);
        let evaluation = evaluation.systems(systems.clone()).tasks(&[Task::TitleSimilarity]);
        evaluation.run(&Monitor::silent(), &mut |_| {}).unwrap();
    }
    let info = workindex::WorkIndex::open(&index).unwrap().info().unwrap();
    assert_eq!(info.releases.len(), 1);
    let other = Encoder::open(&crate::common::fixture("encoder/tiny-mpnet")).unwrap();
    let error = TargetIndex::kept(&other, &index).err().unwrap();
    assert!(matches!(error, Error::InvalidOption { option: "index", .. }), "{error}");
}

/// The scores that an evaluation reads are those of rankings, to the bit.
#[test]
fn scores_are_those_of_whole_rankings() {
    let folder = data_folder();
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let dataset = load(&data, "job2skill", Selection { split: Split::Test, held_out: Holdout::Hash });
    let scratch = tempfile::tempdir().unwrap();
    let index = TargetIndex::temporary(&encoder, scratch.path()).unwrap();
    let rules = vec![Rule::default(), Rule::max_sim(), Rule::context_match()];
    for forms in [Forms::Preferred, Forms::All] {
        let space = index.space(dataset.targets(), dataset.target_kind(), forms, &Monitor::silent()).unwrap();
        let texts: Vec<&str> = dataset.queries().iter().map(|query| query.text.as_str()).collect();
        let spaces = [(space.clone(), rules.clone())];
        let mut all: Vec<Vec<Vec<f32>>> = Vec::new();
        let whole = |_, _, _, scores: Vec<f32>| scores;
        index
            .score_each(&spaces, &texts, Some("occupation"), &Monitor::silent(), whole, |query, scores| {
                assert_eq!(query, all.len());
                all.push(scores.unwrap());
                Ok(())
            })
            .unwrap();
        for (text, by_rule) in texts.iter().zip(&all) {
            for (rule, scores) in rules.iter().zip(by_rule) {
                let ranking = space.rank(text, &RankOptions::full().rule(*rule)).unwrap();
                assert_eq!(ranking.len(), scores.len());
                for hit in &ranking {
                    assert_eq!(hit.score.to_bits(), scores[hit.target].to_bits(), "{text} {rule}");
                    assert_eq!(ranks::of(scores, &[hit.target as u32]), [hit.rank as u32]);
                }
            }
        }
    }
}

/// What is judged without a rule is what a ranking of such queries uses.
#[test]
fn the_default_depends_on_what_queries_are() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let systems = vec![System::LateInteraction { rule: None, forms: Forms::Preferred }];
    let (run, _) = run(&data, out.path(), &encoder, systems, &[Task::SkillExtraction, Task::JobNormalisation]);
    let scratch = tempfile::tempdir().unwrap();
    let index = TargetIndex::temporary(&encoder, scratch.path()).unwrap();
    for record in &run.records {
        let kind = record.head.query_kind.as_str();
        let rule = Rule::for_queries(Some(kind));
        assert_eq!(record.head.systems[0].description, rule.to_string());
        assert_eq!(rule == Rule::default(), kind != "sentence");
        let targets = load(&data, &record.head.set.to_string(), whole(Split::Validation)).targets().to_vec();
        let space = index.space(&targets, &workindex::Kind::SKILL, Forms::Preferred, &Monitor::silent()).unwrap();
        assert_eq!(space.default_rule_for(Some(kind)).unwrap(), rule);
        let options = RankOptions::top(1).query_kind(kind);
        assert_eq!(space.rank("welder", &options).unwrap().rule, rule);
        assert_eq!(space.rank("welder", &RankOptions::top(1)).unwrap().rule, Rule::default());
    }
}

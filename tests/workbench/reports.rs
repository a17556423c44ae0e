//! Reports say what was judged, what is missing and how systems differ; two runs stand side by side.

use workindex::workbench::held_out::Holdout;
use workindex::workbench::{
    Baseline, Column, Evaluation, Metric, Report, Resampling, Run, Selection, Split, System, Task,
};
use workindex::{Forms, Monitor};

use crate::common::tiny_encoder;
use crate::support::{data_folder, open, whole};

const RESAMPLING: Resampling = Resampling { replicates: 100, seed: 7 };

fn lexical_run(systems: &[Baseline], tasks: &[Task], one_in: usize) -> Run {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let data = open(folder.path(), None);
    let systems = systems.iter().map(|baseline| System::Lexical(*baseline)).collect();
    let evaluation = Evaluation::new(&data, out.path()).systems(systems).tasks(tasks).one_in(one_in);
    evaluation.selection(whole(Split::Validation)).run(&Monitor::silent(), &mut |_| {}).unwrap()
}

#[test]
fn a_report_says_everything() {
    let run = lexical_run(&[Baseline::Bm25, Baseline::Random], &Task::ALL, 1);
    let report = Report::new(vec![(String::new(), run.clone())], &Metric::STANDARD, RESAMPLING);
    let markdown = report.markdown();
    for words in [
        "| | bm25 | random |",
        "skill-extraction/house",
        "**macro, 6 of 6**",
        "More than `bm25`",
        "skill-extraction/techwolf: no `workbench/skill_extraction/techwolf_validation_annotations.csv`",
        "esco 1.1.0 en",
        "100 replicates, seed 7",
        "held out: SHA-1 of the id divisible by 5",
        "nDCG@10",
    ] {
        assert!(markdown.contains(words), "{words} in\n{markdown}");
    }
    // Every table is one: as many cells in each row as in its head.
    for table in markdown.split("\n\n").filter(|block| block.starts_with('|')) {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let head = cells(table.lines().next().unwrap());
        assert!(table.lines().all(|line| cells(line) == head), "{table}");
    }
    let json = report.json();
    assert_eq!(json["runs"][0]["sets"].as_array().unwrap().len(), run.records.len());
    let set = &json["runs"][0]["sets"][0];
    assert_eq!(set["set"], "job2skill");
    assert!(set["results"][0]["metrics"]["MAP"]["interval"][0].is_number(), "{set}");
    assert_eq!(json["runs"][0]["missing"].as_array().unwrap().len(), 1);
    let plot = report.plot();
    assert_eq!(plot.matches("<circle").count(), report.table(Metric::Map).columns.len() * 2);
    assert!(plot.starts_with("<svg") && plot.ends_with("</svg>\n") && !plot.contains("NaN"));
}

#[test]
fn two_runs_are_compared_where_they_judged_the_same_queries() {
    let tasks = [Task::JobNormalisation, Task::SkillExtraction];
    let one = lexical_run(&[Baseline::Bm25], &tasks, 1);
    let other = lexical_run(&[Baseline::TfIdfChar], &tasks, 1);
    let sampled = lexical_run(&[Baseline::TfIdfChar], &[Task::JobNormalisation], 2);
    let runs = vec![("words".to_string(), one), ("characters".to_string(), other), ("half".to_string(), sampled)];
    let table = Report::new(runs, &[Metric::Mrr, Metric::Map], RESAMPLING).table(Metric::Map);
    assert_eq!(
        table.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["words: bm25", "characters: tfidf-char", "half: tfidf-char"]
    );
    let names: Vec<String> = table.columns.iter().map(Column::name).collect();
    assert_eq!(names[0], "job-normalisation");
    assert_eq!(names.last().unwrap(), "macro, 2 of 6");
    let [words, characters, half] = table.rows.as_slice() else { panic!() };
    let (one, other) = (words.cells[0].unwrap(), characters.cells[0].unwrap());
    let more = other.more_than_first.unwrap();
    assert!((more.value - (other.estimate.value - one.estimate.value)).abs() < 1e-12);
    let width = |[low, high]: [f64; 2]| high - low;
    assert!(width(more.interval.unwrap()) > 0.0);
    assert_eq!(one.more_than_first.unwrap().value, 0.0);
    assert!(characters.cells.last().unwrap().unwrap().more_than_first.is_some());
    // Other queries: a value, and no difference; no macro average over fewer tasks.
    assert!(half.cells[0].unwrap().more_than_first.is_none());
    assert!(half.cells[1].is_none() && half.cells.last().unwrap().is_none());
}

#[test]
fn an_encoder_is_named_with_all_that_its_embeddings_depend_on() {
    let (folder, out) = (data_folder(), tempfile::tempdir().unwrap());
    let (data, encoder) = (open(folder.path(), None), tiny_encoder());
    let systems = vec![System::LateInteraction { rule: None, forms: Forms::Preferred }];
    let evaluation = Evaluation::new(&data, out.path()).encoder(&encoder).systems(systems).tasks(&[Task::Job2Skill]);
    let selection = Selection { split: Split::Test, held_out: Holdout::Hash };
    let run = evaluation.selection(selection).one_in(2).run(&Monitor::silent(), &mut |_| {}).unwrap();
    let markdown = Report::new(vec![(String::new(), run.clone())], &[], RESAMPLING).markdown();
    let fingerprint = encoder.fingerprint().to_string();
    for words in [fingerprint.as_str(), "held-out concepts", "one query in 2", "without special tokens", "f32"] {
        assert!(markdown.contains(words), "{words} in\n{markdown}");
    }
    assert!(run.records[0].head.systems[0].description.contains("soft late interaction"));
}

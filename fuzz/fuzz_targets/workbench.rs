//! Files of judging and training: datasets, results, configurations of runs.
//!
//! Input: a bundle of files that are put over the fixtures' data folder, with the results of a run in `run/` and a configuration in
//! `train.toml`. Options: one byte; its bits are the split, how concepts are held out, and whether the batches of the configuration are drawn.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use workindex::Monitor;
use workindex::train::{TrainingConfig, read_corpus};
use workindex::workbench::held_out::Holdout;
use workindex::workbench::{Data, DataOptions, Loaded, Metric, Report, Resampling, Run, Selection, Split, Task};
use workindex_fuzz::{Bundle, abort_on_own_panics, copy_folder, fixture, new_folder};

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let bundle = Bundle::new(data);
    let folder = new_folder();
    copy_folder(sound(), folder.path());
    bundle.write(folder.path());
    let option = bundle.option(0);
    let held_out = [Holdout::None, Holdout::Hash, Holdout::IscoGroup][usize::from(option >> 1) % 3];
    let split = if option & 1 == 0 { Split::Validation } else { Split::Test };
    let written = |name: &str| bundle.files.iter().any(|(file, _)| file.starts_with(name));
    let tasks = FOLDERS.into_iter().filter(|(name, _)| written(name)).map(|(_, task)| task);
    load(folder.path(), tasks, Selection { split, held_out });
    if written("run/") {
        report(folder.path());
    }
    if let Some((_, text)) = bundle.files.iter().find(|(name, _)| name == "train.toml") {
        configure(folder.path(), &String::from_utf8_lossy(text), option & 8 != 0);
    }
});

/// The task that is loaded when files in a folder are written: all of them would be a few inputs a second.
const FOLDERS: [(&str, Task); 8] = [
    ("workbench/skill_extraction/", Task::SkillExtraction),
    ("workbench/skill_similarity/", Task::SkillSimilarity),
    ("workbench/job_normalization/", Task::JobNormalisation),
    ("workbench/title_similarity/", Task::TitleSimilarity),
    ("workbench/melo_", Task::Melo),
    ("esco/", Task::Job2Skill),
    ("esco/1.1.0/skills", Task::SkillNormalisation),
    ("onet/", Task::OnetTask),
];

/// The data folder before anything is put over it.
fn sound() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = || {
        let folder = new_folder();
        copy_folder(&fixture("workbench/data"), folder.path());
        copy_folder(&fixture("mini-esco/1.1.0"), &folder.path().join("esco/1.1.0"));
        copy_folder(&fixture("mini-onet/29.0"), &folder.path().join("onet/29.0"));
        folder
    };
    FOLDER.get_or_init(made).path()
}

fn load(folder: &Path, tasks: impl Iterator<Item = Task>, selection: Selection) {
    let Ok(data) = Data::open(folder, DataOptions::default()) else { return };
    for set in tasks.flat_map(|task| data.sets(task)) {
        let Ok(Loaded::Ready(dataset)) = data.load(&set, selection, &Monitor::silent()) else { continue };
        let n_targets = dataset.targets().len() as u32;
        for query in dataset.queries() {
            assert!(!query.text.is_empty() && !query.positives.is_empty());
            assert!(query.positives.is_sorted_by(|a, b| a < b) && query.positives.iter().all(|at| *at < n_targets));
        }
        assert_eq!(dataset.queries_that_are_labels().len(), dataset.queries().len());
        assert!(!dataset.hash().is_empty());
    }
}

fn report(folder: &Path) {
    let Ok(run) = Run::read(&folder.join("run")) else { return };
    let runs = vec![("a".to_string(), run.clone()), ("b".to_string(), run)];
    let metrics = [Metric::Map, Metric::Ndcg(10)];
    let report = Report::new(runs, &metrics, Resampling { replicates: 20, ..Resampling::default() });
    assert!(!report.markdown().is_empty() && report.json().is_object() && report.plot().contains("</svg>"));
}

fn configure(folder: &Path, text: &str, draw: bool) {
    let Ok(config) = TrainingConfig::parse(text, "train.toml") else { return };
    let printed = config.to_toml();
    assert_eq!(TrainingConfig::parse(&printed, "printed").expect("what is printed is read"), config);
    if !draw {
        return;
    }
    let Ok(data) = Data::open(folder, DataOptions::default()) else { return };
    let Ok((corpus, _)) = read_corpus(&data, &config.data, &Monitor::silent()) else { return };
    let sampler = config.options().expect("what was parsed is valid").sampler;
    for step in [0, u64::MAX] {
        let batch = sampler.batch(&corpus, step);
        for graph in &batch.graphs {
            let inside = |at: &u32| (*at as usize) < batch.texts.len();
            assert!(graph.left.iter().chain(&graph.right).all(inside) && !graph.positives.is_empty());
        }
    }
}

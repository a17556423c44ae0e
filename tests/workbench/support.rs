//! A data folder made of the fixtures, and golden files.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use workindex::Monitor;
use workindex::workbench::held_out::Holdout;
use workindex::workbench::{Data, DataOptions, Dataset, Loaded, Selection, SetName, Split};

use crate::common::fixture;
pub use crate::data_folder::data_folder;

/// A golden file of WorkRB's values.
pub fn golden<T: DeserializeOwned>(name: &str) -> T {
    let path = fixture("workbench").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder, with the release of ESCO for every set.
pub fn open(folder: &Path, esco: Option<&str>) -> Data {
    Data::open(folder, DataOptions { esco: esco.map(str::to_string), ..DataOptions::default() }).unwrap()
}

/// A set that is there.
pub fn load(data: &Data, set: &str, selection: Selection) -> Dataset {
    let set: SetName = set.parse().unwrap();
    match data.load(&set, selection, &Monitor::silent()).unwrap() {
        Loaded::Ready(dataset) => *dataset,
        Loaded::Missing(looked_for) => panic!("{set}: no {looked_for}"),
    }
}

/// All queries of a part.
pub fn whole(split: Split) -> Selection {
    Selection { split, held_out: Holdout::None }
}

/// Query, and the labels of its positives.
pub fn judgements(dataset: &Dataset) -> BTreeSet<(String, BTreeSet<String>)> {
    let label = |positive: &u32| dataset.targets()[*positive as usize].label.clone();
    dataset.queries().iter().map(|query| (query.text.clone(), query.positives.iter().map(label).collect())).collect()
}

/// What we call a set of the golden files; none of one that we do not have.
pub fn set_name(workrb: &str) -> Option<&'static str> {
    Some(match workrb {
        "job2skill" => "job2skill",
        "skill2job" => "skill2job",
        "skill_norm" => "skill-normalisation",
        "house" => "skill-extraction/house",
        "tech" => "skill-extraction/tech",
        "skillskape" => "skill-extraction/skillskape",
        "job_norm" => "job-normalisation",
        "skill_match" => "skill-similarity",
        "title_similarity" => "title-similarity",
        "melo" => "melo/usa_en",
        _ => return None,
    })
}

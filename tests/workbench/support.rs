//! A data folder made of the fixtures, and golden files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tempfile::TempDir;
use workindex::Monitor;
use workindex::workbench::{Data, DataOptions, Dataset, Loaded, Selection, SetName, Split};

use crate::common::fixture;

/// A golden file of WorkRB's values.
pub fn golden<T: DeserializeOwned>(name: &str) -> T {
    let path = fixture("workbench").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A data folder with both releases of mini-esco, mini-onet and the annotations of the fixtures.
pub fn data_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for version in ["1.0.0", "1.1.0"] {
        copy(&fixture("mini-esco").join(version), &folder.path().join("esco").join(version));
    }
    for version in ["27.0", "29.0"] {
        copy(&fixture("mini-onet").join(version), &folder.path().join("onet").join(version));
    }
    copy(&fixture("workbench/data/workbench"), &folder.path().join("workbench"));
    folder
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { _ = std::fs::copy(&path, &target).unwrap() }
    }
}

/// The folder, with the release of ESCO for every set.
pub fn open(folder: &Path, esco: Option<&str>) -> Data {
    Data::open(folder, DataOptions { esco: esco.map(str::to_string), ..DataOptions::default() }).unwrap()
}

/// A set that is there.
pub fn load(data: &Data, set: &str, selection: Selection) -> Dataset {
    let set: SetName = set.parse().unwrap();
    match data.load(&set, selection, &Monitor::silent()).unwrap() {
        Loaded::Ready(dataset) => dataset,
        Loaded::Missing(looked_for) => panic!("{set}: no {looked_for}"),
    }
}

/// All queries of a part.
pub fn whole(split: Split) -> Selection {
    Selection { split, held_out: false }
}

/// Query, and the labels of its positives.
pub fn judgements(dataset: &Dataset) -> BTreeSet<(String, BTreeSet<String>)> {
    let label = |positive: &u32| dataset.targets()[*positive as usize].label.clone();
    dataset.queries().iter().map(|query| (query.text.clone(), query.positives.iter().map(label).collect())).collect()
}

//! Real ESCO and O*NET releases go in whole, and their updates cost what changed. Skipped without the data.
//!
//! Embeds with the tiny random encoder: what is counted here does not depend on what the embeddings mean.

mod common;
mod data;

use std::path::{Path, PathBuf};

use common::*;
use workindex::{IngestOptions, IngestReport, Monitor, RankOptions, Release, WorkIndex, esco, onet};

fn zips(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "zip")).collect()
}

fn ingest_all(releases: [&Release; 2]) -> (tempfile::TempDir, WorkIndex, Vec<IngestReport>) {
    let (folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let reports = releases.map(|release| ingest(&mut writer, release)).into_iter().collect();
    let index = WorkIndex::open(&path).unwrap();
    (folder, index, reports)
}

#[test]
fn esco_goes_in_whole_and_its_update_embeds_what_changed() {
    let Some(data) = data::path("") else { return };
    let read = |version: &str| {
        esco::read(&zips(&data.join("esco").join(version)), &esco::Options::default(), &Monitor::silent()).unwrap().0
    };
    let (old, new) = (read("1.1.0"), read("1.1.1"));
    let (_folder, index, reports) = ingest_all([&old, &new]);
    let size = |name: &str| index.space(name).unwrap().len();
    assert_eq!((size("esco@1.1.0/skill/en"), size("esco@1.1.0/occupation/en")), (13_891, 3_008));
    assert_eq!((size("esco/skill/en"), size("esco/occupation/en")), (13_896, 3_007));
    // Preferred labels are the surface forms: five skills are new and two relabelled, and groups changed a little.
    assert!(reports[0].embedded > 16_000, "{:?}", reports[0]);
    assert!(reports[1].embedded < 200, "{:?}", reports[1]);
    assert_eq!(reports[1].previous.as_deref(), Some("1.1.0"));
    for name in ["esco@1.1.0/skill/en", "esco@1.1.1/skill/en"] {
        assert_eq!(index.space(name).unwrap().rank("Data engineer", &RankOptions::top(10)).unwrap().len(), 10);
    }
    assert_eq!(&index.release("esco@1.1.0/skill/en").unwrap(), &old);
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
}

#[test]
fn onet_goes_in_whole_and_its_update_embeds_what_changed() {
    let Some(data) = data::path("") else { return };
    let read = |version: &str| {
        onet::read(&[data.join("onet").join(version)], &onet::Options::default(), &Monitor::silent()).unwrap().0
    };
    let (old, new) = (read("27.0"), read("29.0"));
    let (_folder, index, reports) = ingest_all([&old, &new]);
    assert_eq!(index.space("onet/occupation/en").unwrap().len(), 1_016);
    assert!(reports[0].embedded > 20_000 && reports[1].embedded < reports[0].embedded / 4, "{reports:?}");
    assert_eq!(index.space("onet/task/en").unwrap().rank("Train staff", &RankOptions::top(3)).unwrap().len(), 3);
    assert_eq!(&index.release("onet/task/en").unwrap(), &new);
}

#[test]
fn a_release_read_again_changes_nothing() {
    let Some(data) = data::path("") else { return };
    let read = || esco::read(&zips(&data.join("esco/1.1.1")), &esco::Options::default(), &Monitor::silent()).unwrap().0;
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &read());
    let report = writer.ingest(&read(), &IngestOptions::default(), &Monitor::silent()).unwrap();
    assert!(report.unchanged && report.embedded == 0);
}

//! Indexes of every version of the format, frozen in `fixtures/old-index`: those of today open for ever, older ones are upgraded
//! in one commit to the same answers, newer ones are refused with the reason.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use workindex::{CancelToken, Error, Monitor, RankOptions, WorkIndex};

/// Catalog and segment version, and the folder in `fixtures/old-index`.
const OLD: [(u32, &str); 2] = [(1, "catalog1-segment1"), (1, "catalog1-segment2")];
const CURRENT: (u32, &str) = (2, "catalog2-segment2");

/// A frozen index put together: its catalog unpacked, and the model that it was made with put back.
fn unpack(name: &str) -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = scratch();
    let frozen = fixture("old-index").join(name);
    copy_folder(&frozen.join("segments"), &path.join("segments"));
    let catalog = zstd::decode_all(std::fs::File::open(frozen.join("catalog.redb.zst")).unwrap()).unwrap();
    std::fs::write(path.join("catalog.redb"), catalog).unwrap();
    let fingerprint = tiny_encoder().fingerprint().to_string();
    copy_folder(&fixture("encoder/tiny-bert"), &path.join("encoders").join(fingerprint));
    (folder, path)
}

#[derive(serde::Deserialize)]
struct Golden {
    rankings: Vec<GoldenRanking>,
}

#[derive(serde::Deserialize)]
struct GoldenRanking {
    space: String,
    query: String,
    /// Ids and scores, best first.
    hits: Vec<(String, f32)>,
}

/// What the version that made the index answered is what it answers now. Scores are sums in f32, of which the order of the
/// additions has changed since: they may differ in the last places.
fn assert_answers_are_golden(name: &str, index: &WorkIndex) {
    let golden = std::fs::read(fixture("old-index").join(name).join("golden.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&golden).unwrap();
    assert!(golden.rankings.len() >= 9);
    for GoldenRanking { space, query, hits } in golden.rankings {
        let ranking = index.space(&space).unwrap().rank(&query, &RankOptions::top(hits.len())).unwrap();
        assert_eq!(ranking.len(), hits.len(), "{space}");
        for (hit, (id, score)) in ranking.iter().zip(&hits) {
            assert_eq!(&hit.id, id, "{space}, {query}");
            assert!((hit.score - score).abs() < 1e-5, "{space}, {query}, {id}: {} for {score}", hit.score);
        }
    }
}

fn upgrade(path: &Path) -> workindex::Result<workindex::UpgradeReport> {
    WorkIndex::upgrade(path, &Monitor::silent())
}

fn assert_is_old(path: &Path, version: u32) {
    for error in [WorkIndex::open(path).unwrap_err(), WorkIndex::writer(path).unwrap_err()] {
        assert!(matches!(error, Error::Version { found, .. } if found == version), "{error:?}");
        assert!(error.to_string().contains("workindex upgrade"), "{error}");
    }
}

#[test]
fn the_format_of_today_opens_for_ever() {
    let (version, name) = CURRENT;
    let (_folder, path) = unpack(name);
    let index = WorkIndex::open(&path).unwrap();
    assert_intact(&index);
    assert_answers_are_golden(name, &index);
    let (before, files) = (index.info().unwrap(), contents(&path));
    let report = upgrade(&path).unwrap();
    assert_eq!((report.from, report.to, report.segments), (version, version, 0));
    // Nothing was committed and no file touched. redb may cut free pages off the catalog's end when it closes it.
    assert!(!index.refresh().unwrap());
    let after = index.info().unwrap();
    assert_eq!(
        (after.generation, &after.releases, &after.encoders),
        (before.generation, &before.releases, &before.encoders)
    );
    assert_eq!((before.releases.len(), contents(&path)), (3, files));
    assert_intact(&index);
    assert_answers_are_golden(name, &index);
}

#[test]
fn older_versions_are_upgraded_to_the_same_answers() {
    for (version, name) in OLD {
        let (_folder, path) = unpack(name);
        assert_is_old(&path, version);
        let old_names = segment_names(&path);
        let report = upgrade(&path).unwrap();
        assert_eq!((report.from, report.to), (version, CURRENT.0));
        let index = WorkIndex::open(&path).unwrap();
        assert_intact(&index);
        assert_answers_are_golden(name, &index);
        let info = index.info().unwrap();
        assert_eq!(info.releases.len(), 3);
        // Segments of version 1 were written anew, the others are as they were, and nothing else is left.
        let names = segment_names(&path);
        assert_eq!(names.len() as u64, info.segments, "{names:?}");
        let kept = names.iter().filter(|name| old_names.contains(name)).count() as u64;
        assert_eq!(kept + report.segments.min(info.segments), info.segments, "{report:?}");
        assert_eq!(report.segments > 0, name.ends_with("segment1"));
        assert_eq!(upgrade(&path).unwrap().from, CURRENT.0);
        // It is an index like any other: what it has embedded is not embedded again.
        let mut writer = WorkIndex::writer(&path).unwrap();
        let report = ingest(&mut writer, &mini_esco("1.0.0"));
        assert!(report.embedded > 0);
        let again = ingest(&mut writer, &mini_esco_dutch());
        assert!(again.unchanged);
        writer.compact(&Monitor::silent()).unwrap();
        index.refresh().unwrap();
        assert_intact(&index);
        assert_answers_are_golden(name, &index);
    }
}

/// All files below a folder and what is in them.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            // redb notes in its header that it was open.
            false if path.ends_with("catalog.redb") => {}
            false => all.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn an_upgrade_that_fails_leaves_the_old_index() {
    let (version, name) = OLD[0];
    let (_folder, path) = unpack(name);
    let sound = contents(&path);
    let cancel = CancelToken::new();
    cancel.cancel();
    let cancelled = WorkIndex::upgrade(&path, &Monitor::cancelled_by(cancel));
    assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
    assert_eq!(contents(&path), sound);
    // A segment that is damaged is not copied, because its copy would vouch for it.
    for name in segment_names(&path) {
        let segment = path.join("segments").join(name);
        let bytes = std::fs::read(&segment).unwrap();
        let mut damaged = bytes.clone();
        damaged[5000] ^= 1;
        std::fs::write(&segment, &damaged).unwrap();
        let refused = upgrade(&path);
        assert!(matches!(&refused, Err(Error::Corrupt { path, .. }) if *path == segment), "{refused:?}");
        std::fs::write(&segment, &bytes).unwrap();
    }
    assert_eq!(contents(&path), sound);
    assert_is_old(&path, version);
    upgrade(&path).unwrap();
    assert_answers_are_golden(name, &WorkIndex::open(&path).unwrap());
}

/// A model that asks for a prompt: the old version embedded without it.
#[test]
fn a_model_that_means_something_else_now_is_refused() {
    let (version, name) = OLD[1];
    let (_folder, path) = unpack(name);
    let model = std::fs::read_dir(path.join("encoders")).unwrap().next().unwrap().unwrap().path();
    let config = r#"{"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": null}"#;
    std::fs::write(model.join("config_sentence_transformers.json"), config).unwrap();
    let refused = upgrade(&path);
    assert!(matches!(&refused, Err(Error::Encoder { path, .. }) if *path == model), "{refused:?}");
    assert_is_old(&path, version);
}

#[test]
fn a_newer_version_is_refused_with_the_reason() {
    use redb::{ConcurrencyMode, Database, TableDefinition};
    let (_folder, path) = unpack(CURRENT.1);
    let catalog = path.join("catalog.redb");
    let db = Database::builder().set_concurrency_mode(ConcurrencyMode::SingleWriter).open(&catalog).unwrap();
    let txn = db.begin_write().unwrap();
    let meta: TableDefinition<&str, u64> = TableDefinition::new("meta");
    txn.open_table(meta).unwrap().insert("format", 99).unwrap();
    txn.commit().unwrap();
    drop(db);
    let errors =
        [WorkIndex::open(&path).unwrap_err(), WorkIndex::writer(&path).unwrap_err(), upgrade(&path).unwrap_err()];
    for error in errors {
        assert!(matches!(error, Error::Version { found: 99, .. }), "{error:?}");
        assert!(error.to_string().contains("newer version of workindex"), "{error}");
    }
}

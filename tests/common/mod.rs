//! What the black-box tests share: fixtures, an encoder, small indexes.
#![allow(dead_code)] // each test binary uses its own part

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use workindex::{Encoder, IndexWriter, IngestOptions, IngestReport, Monitor, Release, WorkIndex, esco};

/// A path below `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// The tiny random BERT, loaded once a process.
pub fn tiny_encoder() -> Encoder {
    static ENCODER: OnceLock<Encoder> = OnceLock::new();
    ENCODER.get_or_init(|| Encoder::open(&fixture("encoder/tiny-bert")).unwrap()).clone()
}

/// A release of the mini ontology.
pub fn mini_esco(version: &str) -> Release {
    let options = esco::Options { version: Some(version.to_string()), ..Default::default() };
    esco::read(&[fixture("mini-esco").join(version)], &options, &Monitor::silent()).unwrap().0
}

/// Ingests a release with default options and commits.
pub fn ingest(writer: &mut IndexWriter, release: &Release) -> IngestReport {
    let report = writer.ingest(release, &IngestOptions::default(), &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    report
}

/// A folder that goes away with the test, and the path of an index in it that does not exist yet.
pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.index");
    (folder, path)
}

/// An index of one release of the mini ontology.
pub fn mini_index(version: &str) -> (tempfile::TempDir, PathBuf, WorkIndex) {
    let (folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &mini_esco(version));
    drop(writer);
    let index = WorkIndex::open(&path).unwrap();
    (folder, path, index)
}

/// The real data, or a loud reason for skipping.
pub fn data() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("WORKINDEX_DATA").map_or(default, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no data at {}", path.display());
    None
}

/// The pretrained encoder, or a loud reason for skipping.
pub fn pretrained() -> Option<Encoder> {
    let Some(path) = std::env::var_os("WORKINDEX_ENCODER").map(PathBuf::from).filter(|path| path.is_dir()) else {
        eprintln!("skipped: no pretrained encoder; set WORKINDEX_ENCODER to a model directory");
        return None;
    };
    Some(Encoder::open(&path).unwrap())
}

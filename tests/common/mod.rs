//! What the black-box tests share: fixtures, an encoder, small indexes.
#![allow(dead_code)] // each test binary uses its own part

pub mod children;
pub mod synthetic;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use workindex::{
    Concept, DeclaredEncoder, Encoder, IndexWriter, IngestOptions, IngestReport, Kind, Monitor, RankOptions, Ranking,
    Release, ReleaseBuilder, Rule, Space, TokenMatrix, WorkIndex, esco,
};

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

/// The pretrained encoder, or a loud reason for skipping.
pub fn pretrained() -> Option<Encoder> {
    let Some(path) = std::env::var_os("WORKINDEX_ENCODER").map(PathBuf::from).filter(|path| path.is_dir()) else {
        eprintln!("skipped: no pretrained encoder; set WORKINDEX_ENCODER to a model directory");
        return None;
    };
    Some(Encoder::open(&path).unwrap())
}

/// The Dutch part of the mini ontology's second release.
pub fn mini_esco_dutch() -> Release {
    let options = esco::Options { version: Some("1.1.0".to_string()), ..Default::default() };
    esco::read(&[fixture("mini-esco/1.1.0-nl")], &options, &Monitor::silent()).unwrap().0
}

/// Values a row of the matrices made by [`matrix_of`].
pub const DIM: usize = 8;

/// A token matrix that depends on the text alone, the same on every platform: one to four rows of small numbers.
pub fn matrix_of(text: &str) -> TokenMatrix {
    let mut state = text.bytes().fold(1u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as i32
    };
    let n_rows = 1 + next() as usize % 4;
    let values = (0..n_rows * DIM).map(|_| (next() % 200 - 100) as f32 / 16.0).collect();
    TokenMatrix::new(DIM, values).unwrap()
}

/// A release of a list of our own with one skill for each label.
pub fn list_release(version: &str, labels: &[&str]) -> Release {
    let mut builder = ReleaseBuilder::new("list", version, "en").unwrap();
    for (row, label) in labels.iter().enumerate() {
        builder.add(Concept::new(format!("id-{row}"), Kind::SKILL, *label), "list", row as u64 + 1);
    }
    builder.finish().0
}

/// A new index for token matrices made by [`matrix_of`]: no model, so that it is made in milliseconds.
pub fn list_index(path: &Path) -> IndexWriter {
    WorkIndex::create_declared(path, &DeclaredEncoder::new("made-by-hand", DIM).unwrap()).unwrap()
}

/// Ingests a release with the matrices of its labels; commits nothing.
pub fn ingest_list(writer: &mut IndexWriter, release: &Release) -> IngestReport {
    let matrices: Vec<TokenMatrix> = release.concepts().iter().map(|concept| matrix_of(&concept.label)).collect();
    writer.ingest_matrices(release, &matrices, &Monitor::silent()).unwrap()
}

/// What a space of an index of token matrices answers: full rankings by several rules.
pub fn answers(space: &Space) -> Vec<Ranking> {
    let queries: Vec<TokenMatrix> = ["nurse", "welder", "data engineer"].map(matrix_of).into();
    let rules = [Rule::default(), Rule::max_sim(), Rule::mean_pool()];
    let rank = |rule| space.rank_matrices(&queries, &RankOptions::full().rule(rule), &Monitor::silent()).unwrap();
    rules.into_iter().flat_map(rank).collect()
}

/// The names in the folder of segments, sorted.
pub fn segment_names(index: &Path) -> Vec<String> {
    names(&index.join("segments"))
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one segment of an index that has one.
pub fn only_segment(index: &Path) -> PathBuf {
    let names = segment_names(index);
    assert_eq!(names.len(), 1, "{names:?}");
    index.join("segments").join(&names[0])
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The sizes of all files below a folder together.
pub fn size_of_folder(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let size = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => size_of_folder(&entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    entries.map(size).sum()
}

/// Asserts that verification finds nothing wrong.
pub fn assert_intact(index: &WorkIndex) {
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
}

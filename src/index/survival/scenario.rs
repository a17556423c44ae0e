//! Changes to an index, step by step. Each step leads from one committed state to the next, or changes nothing that a reader
//! sees.

use std::path::Path;

use super::oracle::copy;
use crate::encoder::{DeclaredEncoder, Encoder};
use crate::error::Result;
use crate::index::{IndexWriter, IngestOptions, ReindexOptions, WorkIndex};
use crate::monitor::Monitor;
use crate::ontology::{Concept, Kind, Release, ReleaseBuilder};
use crate::storage::{Files, Paths};
use crate::token_matrix::TokenMatrix;

/// Where the index of a scenario is, in the folder that is watched.
pub(super) const INDEX: &str = "work.index";
/// Where the index is that a backup is made of.
pub(super) const SOURCE: &str = "source.index";

/// A change, in steps.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Makes the state before, in an empty folder.
    pub(super) prepare: fn(&Path),
    pub(super) steps: &'static [Step],
}

pub(super) type Step = fn(&mut Stage) -> Result<()>;

/// Where steps happen: an index reached through given files.
pub(super) struct Stage {
    paths: Paths,
    writer: Option<IndexWriter>,
}

impl Stage {
    pub(super) fn new(folder: &Path, files: Files) -> Self {
        let paths = Paths::through(&folder.join(INDEX), files);
        Self { paths, writer: None }
    }

    /// The writer of the index, opened when it is first asked for.
    pub(super) fn writer(&mut self) -> Result<&mut IndexWriter> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => IndexWriter::open_at(self.paths.clone())?,
        };
        Ok(self.writer.insert(writer))
    }

    /// The writer, if there is one.
    pub(super) fn open_writer(&mut self) -> Option<&mut IndexWriter> {
        self.writer.as_mut()
    }

    fn ingest(&mut self, version: &str, labels: &[&str]) -> Result<()> {
        let release = release(version, labels);
        let matrices: Vec<TokenMatrix> = release.concepts().iter().map(|concept| matrix(&concept.label)).collect();
        self.writer()?.ingest_matrices(&release, &matrices, &Monitor::silent()).map(drop)
    }

    fn ingest_texts(&mut self, version: &str, labels: &[&str]) -> Result<()> {
        self.writer()?.ingest(&release(version, labels), &IngestOptions::default(), &Monitor::silent()).map(drop)
    }

    fn commit(&mut self) -> Result<()> {
        self.writer()?.commit().map(drop)
    }

    fn drop_version(&mut self, version: &str) -> Result<()> {
        self.writer()?.drop_release(&format!("list@{version}/skill/en"))
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "creation", prepare: |_| {}, steps: &[create_declared, ingest_first] },
    Scenario { name: "creation with a model", prepare: |_| {}, steps: &[create_with_model, ingest_texts] },
    Scenario { name: "ingest", prepare: with_one, steps: &[ingest_second, ingest_third_and_replace_first] },
    Scenario { name: "drop", prepare: with_three, steps: &[drop_first, collect, drop_second, collect] },
    Scenario { name: "compact", prepare: with_garbage, steps: &[compact, drop_third, compact] },
    Scenario { name: "reindex", prepare: with_one, steps: &[reindex, collect, reindex_again, compact] },
    Scenario { name: "leftovers", prepare: with_leftovers, steps: &[collect, ingest_second] },
    Scenario { name: "upgrade", prepare: with_old, steps: &[upgrade, upgrade] },
    Scenario { name: "backup", prepare: with_source, steps: &[backup, drop_first] },
    Scenario { name: "discarded", prepare: with_one, steps: &[abort, ingest_second, cancel, drop_first] },
];

const FIRST: [&str; 4] = ["weld", "solder", "braze", "cut metal"];
const SECOND: [&str; 5] = ["weld", "teach mathematics", "braze", "drive a lorry", "bake bread"];
const THIRD: [&str; 3] = ["bake bread", "care for patients", "weld"];

fn create_declared(stage: &mut Stage) -> Result<()> {
    let encoder = DeclaredEncoder::new("made-by-hand", DIM)?;
    stage.writer = Some(IndexWriter::create_declared_at(stage.paths.clone(), &encoder)?);
    Ok(())
}

fn create_with_model(stage: &mut Stage) -> Result<()> {
    stage.writer = Some(IndexWriter::create_at(stage.paths.clone(), &tiny_encoder("tiny-bert"))?);
    Ok(())
}

fn ingest_texts(stage: &mut Stage) -> Result<()> {
    stage.ingest_texts("1", &FIRST)?;
    stage.commit()
}

fn ingest_more_texts(stage: &mut Stage) -> Result<()> {
    stage.ingest_texts("2", &SECOND)?;
    stage.commit()
}

fn ingest_first(stage: &mut Stage) -> Result<()> {
    stage.ingest("1", &FIRST)?;
    stage.commit()
}

fn ingest_second(stage: &mut Stage) -> Result<()> {
    stage.ingest("2", &SECOND)?;
    stage.commit()
}

fn ingest_third_and_replace_first(stage: &mut Stage) -> Result<()> {
    stage.ingest("3", &THIRD)?;
    stage.ingest("1", &SECOND[1..])?;
    stage.ingest("1", &["sing", "dance"])?;
    stage.commit()
}

pub(super) fn drop_first(stage: &mut Stage) -> Result<()> {
    stage.drop_version("1")?;
    stage.commit()
}

fn drop_second(stage: &mut Stage) -> Result<()> {
    stage.drop_version("2")?;
    stage.commit()
}

fn drop_third(stage: &mut Stage) -> Result<()> {
    stage.drop_version("3")?;
    stage.commit()
}

fn collect(stage: &mut Stage) -> Result<()> {
    stage.writer()?.collect().map(drop)
}

fn compact(stage: &mut Stage) -> Result<()> {
    stage.writer()?.compact(&Monitor::silent()).map(drop)
}

fn upgrade(stage: &mut Stage) -> Result<()> {
    WorkIndex::upgrade_at(stage.paths.clone(), &Monitor::silent()).map(drop)
}

/// Copies the index beside the place of the scenario's to that place.
fn backup(stage: &mut Stage) -> Result<()> {
    let source = stage.paths.at(&stage.paths.root().with_file_name(SOURCE));
    WorkIndex::open_at(source)?.backup(stage.paths.root(), &Monitor::silent()).map(drop)
}

fn reindex(stage: &mut Stage) -> Result<()> {
    reindex_with(stage, "tiny-bert")
}

fn reindex_again(stage: &mut Stage) -> Result<()> {
    reindex_with(stage, "tiny-mpnet")
}

fn reindex_with(stage: &mut Stage, name: &str) -> Result<()> {
    stage.writer()?.reindex(&tiny_encoder(name), &ReindexOptions::default(), &Monitor::silent())?;
    stage.commit()
}

fn abort(stage: &mut Stage) -> Result<()> {
    stage.ingest("9", &THIRD)?;
    stage.writer()?.abort();
    stage.commit()
}

fn cancel(stage: &mut Stage) -> Result<()> {
    let cancelled = crate::monitor::CancelToken::new();
    cancelled.cancel();
    stage.drop_version("2")?;
    match stage.writer()?.compact(&Monitor::cancelled_by(cancelled)) {
        Ok(_) | Err(crate::error::Error::Cancelled) => Ok(()),
        Err(error) => Err(error),
    }
}

fn with_one(folder: &Path) {
    run(folder, &[create_declared, ingest_first]);
}

pub(super) fn with_three(folder: &Path) {
    run(folder, &[create_declared, ingest_first, ingest_second, ingest_third_and_replace_first]);
}

fn with_garbage(folder: &Path) {
    with_three(folder);
    run(folder, &[drop_second]);
}

/// What writers that died leave behind: a staged segment, and one that was published without a commit.
fn with_leftovers(folder: &Path) {
    with_one(folder);
    let segments = folder.join(INDEX).join("segments");
    std::fs::write(segments.join(".staged-7"), b"half a segment").unwrap();
    std::fs::write(segments.join(format!("{}.seg", "5e".repeat(32))), b"never committed").unwrap();
}

/// An index of the first version of the format.
fn with_old(folder: &Path) {
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/old-index/catalog1-segment1");
    let paths = Paths::new(&folder.join(INDEX));
    std::fs::create_dir_all(paths.segments()).unwrap();
    copy(&frozen.join("segments"), &paths.segments());
    let catalog = zstd::decode_all(std::fs::File::open(frozen.join("catalog.redb.zst")).unwrap()).unwrap();
    std::fs::write(paths.catalog(), catalog).unwrap();
    let encoder = tiny_encoder("tiny-bert");
    let model = paths.encoder(encoder.fingerprint().as_bytes());
    std::fs::create_dir_all(&model).unwrap();
    copy(encoder.checkpoint().dir(), &model);
}

fn with_source(folder: &Path) {
    run(folder, &[create_with_model, ingest_texts, ingest_more_texts]);
    std::fs::rename(folder.join(INDEX), folder.join(SOURCE)).unwrap();
}

fn run(folder: &Path, steps: &[Step]) {
    let mut stage = Stage::new(folder, Files::default());
    steps.iter().for_each(|step| step(&mut stage).unwrap());
}

/// A model of the fixtures.
pub(super) fn tiny_encoder(name: &str) -> Encoder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder").join(name);
    Encoder::open(&folder).unwrap()
}

fn release(version: &str, labels: &[&str]) -> Release {
    let mut builder = ReleaseBuilder::new("list", version, "en").unwrap();
    for (row, label) in labels.iter().enumerate() {
        builder.add(Concept::new(format!("id-{row}"), Kind::SKILL, *label), "list", row as u64 + 1);
    }
    builder.finish().0
}

const DIM: usize = 8;

/// One to three rows that depend on the text alone.
pub(super) fn matrix(text: &str) -> TokenMatrix {
    let bytes = blake3::hash(text.as_bytes());
    let rows = 1 + usize::from(bytes.as_bytes()[31]) % 3;
    let values = bytes.as_bytes().iter().take(rows * DIM).map(|&byte| f32::from(byte) - 127.5).collect();
    TokenMatrix::new(DIM, values).unwrap()
}

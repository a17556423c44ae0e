//! A copy of one committed state, made while a writer works.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{self, CatalogRead, CatalogWrite, EncoderRecord};
use super::commit::in_new_catalog;
use super::files::Files;
use super::model_files;
use super::paths::Paths;
use super::segment::Segment;
use super::snapshot::{ReadStore, Snapshot};
use super::verify::{Models, verify_written};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Stage};

/// What a backup consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// The number of commits that the copied state comes after.
    pub generation: u64,
    /// Releases copied.
    pub releases: u64,
    /// Segments copied.
    pub segments: u64,
    /// Bytes of the copy.
    pub bytes: u64,
}

/// Bytes written at a time.
const PIECE: usize = 1 << 20;

/// Copies a snapshot to a place where nothing is, and verifies the copy. It is made beside its place and moved there when it
/// is whole, intact and durable.
pub(crate) fn backup(snapshot: &Snapshot, to: &Path, models: &dyn Models, monitor: &Monitor) -> Result<BackupReport> {
    // Mapped before anything is written: what is mapped stays, whatever a writer collects meanwhile.
    let segments = open_segments(snapshot)?;
    let making = snapshot.paths().files().make_dir(to)?;
    let paths = snapshot.paths().at(making.path());
    let files = paths.files();
    files.create_dir(&paths.segments())?;
    files.create_dir(&paths.encoders())?;
    for (done, segment) in (0..).zip(&segments) {
        monitor.report(Stage::Writing, done, Some(segments.len() as u64));
        copy_segment(files, segment, &paths.segment(segment.hash()), monitor)?;
    }
    for (_, encoder) in snapshot.catalog().encoders()? {
        monitor.check()?;
        copy_encoder(snapshot.paths(), &encoder, &paths)?;
    }
    in_new_catalog(&paths, |copy: &CatalogWrite| catalog::copy(&snapshot.catalog(), copy))?;
    [paths.segments(), paths.encoders()].iter().try_for_each(|folder| files.sync_dir(folder))?;
    let report = check(snapshot, &paths, models, monitor)?;
    making.finish()?;
    Ok(report)
}

fn open_segments(snapshot: &Snapshot) -> Result<Vec<Arc<Segment>>> {
    snapshot.catalog().segments()?.iter().map(|(_, record)| snapshot.segment(&record.hash)).collect()
}

fn copy_segment(files: &Files, segment: &Segment, to: &Path, monitor: &Monitor) -> Result<()> {
    let mut file = files.create(to)?;
    for piece in segment.file_bytes().chunks(PIECE) {
        monitor.check()?;
        file.write_all(piece).map_err(Error::io("write", to))?;
    }
    file.sync().map_err(Error::io("synchronise", to))
}

fn copy_encoder(from: &Paths, record: &EncoderRecord, to: &Paths) -> Result<()> {
    if record.settings.is_none() {
        return Ok(());
    }
    let source = from.encoder(&record.fingerprint);
    let names = from.files().files_below(&source)?;
    model_files::copy(to.files(), &source, &names, &to.encoder(&record.fingerprint))
}

/// Reads the copy as anyone will, and compares all of it with its hashes. What is wrong with it is wrong with the index, or
/// with the medium that the copy is on.
fn check(snapshot: &Snapshot, copy: &Paths, models: &dyn Models, monitor: &Monitor) -> Result<BackupReport> {
    let copied = ReadStore::open(copy.clone())?.snapshot()?;
    let report = verify_written(&copied, models, monitor)?;
    if let Some(problem) = report.problems.first() {
        let inside = problem.path.strip_prefix(copy.root()).unwrap_or(&problem.path);
        let of_index = snapshot.paths().root().join(inside);
        return Err(Error::corrupt(&of_index, "what a backup can be made of", problem.problem.clone()));
    }
    Ok(BackupReport {
        generation: copied.catalog().generation()?,
        releases: report.releases,
        segments: report.segments,
        bytes: copy.files().total_bytes(copy.root())?,
    })
}

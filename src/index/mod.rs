//! The front door: opening, creating and writing an index.
//!
//! | file | what |
//! |---|---|
//! | `space.rs` | [`Space`]: the concepts of one kind |
//! | `ranking.rs` | ranking them for texts and token matrices |
//! | `rules.rs` | the rule of rankings that ask for none |
//! | `pool.rs` | the threads that rankings run on |
//! | `explain.rs` | explaining a hit |
//! | `writer.rs` | [`IndexWriter`]: ingesting, dropping, compacting |
//! | `ingest.rs` | from a release to embeddings and a catalog entry |
//! | `reindex.rs` | from one encoder to another |
//! | `embedding.rs`, `memory.rs` | from texts to segments; how much of it at a time |
//! | `report.rs` | [`IngestReport`]: what an ingest did |
//! | `info.rs` | [`IndexInfo`]: what an index holds |
//! | `encoders.rs` | the encoders inside an index, loaded when a text asks for them |
//! | `survival/` | tests: crashes, faults, kills |

mod embedding;
mod encoders;
mod explain;
mod info;
mod ingest;
mod memory;
mod pool;
mod ranking;
mod reindex;
mod report;
mod rules;
mod space;
#[cfg(test)]
mod survival;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use info::{EncoderInfo, IndexInfo, ReleaseInfo, SpaceInfo};
pub use ingest::IngestOptions;
pub use reindex::{ReindexOptions, ReindexReport};
pub use report::{IngestReport, KindReport};
#[cfg(feature = "workbench")]
pub(crate) use rules::encoder_rule;
pub use space::Space;
pub use writer::IndexWriter;

use crate::encoder::{DeclaredEncoder, Encoder};
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{Release, ReleaseDiff, SpaceName};
use crate::storage::catalog::CatalogRead;
use crate::storage::{
    BackupReport, Paths, Problem, ReadStore, Snapshot, UpgradeReport, VerifyReport, backup, upgrade, verify,
};
use encoders::LoadedEncoders;
use pool::Pool;

/// An index opened for reading. `Send + Sync` and cheap to clone; any number of processes may read beside one writer.
///
/// What it sees is the state committed last when it was opened, until [`refresh`](Self::refresh).
#[derive(Clone)]
pub struct WorkIndex {
    inner: Arc<Inner>,
    pool: Pool,
}

struct Inner {
    store: ReadStore,
    snapshot: Mutex<Arc<Snapshot>>,
    encoders: Arc<LoadedEncoders>,
}

impl WorkIndex {
    /// Opens an index for reading. No token matrix is read, and no encoder loaded, before the first query.
    ///
    /// # Errors
    /// [`Error::NotAnIndex`], [`Error::Version`], [`Error::Corrupt`], [`Error::Catalog`], [`Error::Io`];
    /// [`Error::Interrupted`] when the last writer was killed and this process may not write.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_at(Paths::new(path.as_ref()))
    }

    fn open_at(paths: Paths) -> Result<Self> {
        let store = ReadStore::open(paths)?;
        let snapshot = Mutex::new(Arc::new(store.snapshot()?));
        Ok(Self { inner: Arc::new(Inner { store, snapshot, encoders: Arc::default() }), pool: Pool::default() })
    }

    /// The same index, whose spaces rank on the threads of a pool that the application has.
    ///
    /// Without this, a ranking runs on the rayon pool that it is called from; outside any, on rayon's global one. However many
    /// threads ask at a time, no more work than the pool has.
    pub fn with_pool(self, pool: Arc<rayon::ThreadPool>) -> Self {
        Self { pool: Pool::of(pool), ..self }
    }

    /// The same index, whose spaces rank on `threads` threads of their own.
    ///
    /// ```no_run
    /// let index = workindex::WorkIndex::open("work.index")?.with_threads(2)?;
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for none, or more than the machine can start.
    pub fn with_threads(self, threads: usize) -> Result<Self> {
        Ok(Self { pool: Pool::sized(threads)?, ..self })
    }

    /// Opens an index for writing; see [`IndexWriter::open`].
    ///
    /// # Errors
    /// As [`IndexWriter::open`].
    pub fn writer(path: impl AsRef<Path>) -> Result<IndexWriter> {
        IndexWriter::open(path)
    }

    /// Creates an index whose texts the encoder embeds; see [`IndexWriter::create`].
    ///
    /// # Errors
    /// As [`IndexWriter::create`].
    pub fn create(path: impl AsRef<Path>, encoder: &Encoder) -> Result<IndexWriter> {
        IndexWriter::create(path, encoder)
    }

    /// Creates an index of token matrices made elsewhere; see [`IndexWriter::create_declared`].
    ///
    /// # Errors
    /// As [`IndexWriter::create_declared`].
    pub fn create_declared(path: impl AsRef<Path>, encoder: &DeclaredEncoder) -> Result<IndexWriter> {
        IndexWriter::create_declared(path, encoder)
    }

    /// Brings an index that an older version of workindex made to the format of this one, in its place and in one commit. One that
    /// has it already is left as it is. Needs room for what is written anew. Readers by older versions are told so at their
    /// next refresh.
    ///
    /// # Errors
    /// As [`IndexWriter::open`]; [`Error::Version`] for an index by a newer version; [`Error::Encoder`] for a model that this
    /// version applies in another way; [`Error::Corrupt`], [`Error::Cancelled`]. The index is as it was then.
    pub fn upgrade(path: impl AsRef<Path>, monitor: &Monitor) -> Result<UpgradeReport> {
        Self::upgrade_at(Paths::new(path.as_ref()), monitor)
    }

    fn upgrade_at(paths: Paths, monitor: &Monitor) -> Result<UpgradeReport> {
        upgrade(paths, &encoders::ModelFiles, monitor)
    }

    /// Moves to the state committed last, and says whether that is a newer one. Spaces opened before stay as they are.
    ///
    /// # Errors
    /// [`Error::Catalog`] and [`Error::Corrupt`] when the catalog cannot be read.
    pub fn refresh(&self) -> Result<bool> {
        let mut pinned = self.inner.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken under the lock, so that of two threads that refresh none puts an older state back.
        let newest = self.inner.store.snapshot()?;
        let newer = newest.catalog().generation()? != pinned.catalog().generation()?;
        let named: Vec<_> = newest.catalog().encoders()?.into_iter().map(|(_, record)| record.fingerprint).collect();
        *pinned = Arc::new(newest);
        // Whoever loads a model holds the other lock for long: spaces are opened meanwhile.
        drop(pinned);
        self.inner.encoders.retain(&named);
        Ok(newer)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        // A panic while the lock was held leaves a snapshot that is still whole.
        Arc::clone(&self.inner.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a target space by its name: `esco/skill/en` for the release ingested last, `esco@1.1.0/skill/en` for one.
    ///
    /// When a writer has meanwhile removed the space's token matrices or its encoder, this index first moves to the newest state.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::UnknownSpace`] with the names that exist, and what a damaged index gives.
    pub fn space(&self, name: &str) -> Result<Space> {
        let name: SpaceName = name.parse()?;
        let mut snapshot = self.snapshot();
        loop {
            let generation = snapshot.catalog().generation()?;
            match Space::open(snapshot, &name, &self.inner.encoders, &self.pool) {
                // The pinned state may name files that a writer has collected since; the newest state does not.
                Err(error) if has_gone(&error) => {
                    self.refresh()?;
                    snapshot = self.snapshot();
                    if snapshot.catalog().generation()? == generation {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    /// What the index holds: spaces, releases, encoders, sizes.
    ///
    /// # Errors
    /// What a damaged index gives.
    pub fn info(&self) -> Result<IndexInfo> {
        info::gather(&self.snapshot())
    }

    /// A release as it was ingested, by the name of any of its spaces.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::UnknownSpace`], and what a damaged index gives.
    pub fn release(&self, space: &str) -> Result<Release> {
        self.snapshot().release(&space.parse()?)
    }

    /// What changed in a space between two releases that the index has.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn diff(&self, space: &str, old: &str, new: &str) -> Result<ReleaseDiff> {
        let name: SpaceName = space.parse()?;
        let snapshot = self.snapshot();
        let pinned = |version| SpaceName::new(name.ontology(), Some(version), name.kind().clone(), name.language());
        let (old, new) = (snapshot.release(&pinned(old)?)?, snapshot.release(&pinned(new)?)?);
        Ok(ReleaseDiff::between_kind(&old, &new, name.kind()))
    }

    /// Copies the state committed last to a place where nothing is yet, and verifies the copy, while a writer may go on. The
    /// copy is an index of its own: it can be moved, opened, written to; its catalog is as small as it can be.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::Cancelled`], [`Error::Io`]; [`Error::Corrupt`] when something that is damaged would
    /// be copied. Nothing is left at the place then.
    pub fn backup(&self, to: impl AsRef<Path>, monitor: &Monitor) -> Result<BackupReport> {
        let mut snapshot = self.inner.store.snapshot()?;
        loop {
            let copied = backup(&snapshot, to.as_ref(), &encoders::ModelFiles, monitor);
            // What this state names may be gone when a writer has dropped and collected it since.
            match copied {
                Err(error) if has_gone(&error) => {
                    let newest = self.inner.store.snapshot()?;
                    if newest.catalog().generation()? == snapshot.catalog().generation()? {
                        return Err(error);
                    }
                    snapshot = newest;
                }
                copied => return copied,
            }
        }
    }

    /// Reads and checks everything in the state committed last: the catalog's pages against their checksums, segments against
    /// their hashes, records against each other, texts against the hashes beside their token matrices, model files against the encoder's fingerprint.
    ///
    /// # Errors
    /// [`Error::Cancelled`], and what a catalog gives that cannot be read at all; what else is wrong with the index is in
    /// the report.
    pub fn verify(&self, monitor: &Monitor) -> Result<VerifyReport> {
        let mut before: Vec<Problem> = Vec::new();
        loop {
            let snapshot = self.inner.store.snapshot()?;
            let report = verify(&snapshot, &encoders::ModelFiles, monitor)?;
            // A writer that collects meanwhile removes files which this state names and the newest does not. What is wrong with two
            // states, one after the other, has no such excuse.
            let again = report.problems.iter().any(|problem| before.contains(problem));
            let generation = snapshot.catalog().generation();
            let newest = self.inner.store.snapshot()?.catalog().generation();
            if again || report.is_intact() || generation.is_err() || newest.is_err() || generation.ok() == newest.ok() {
                return Ok(report);
            }
            before = report.problems;
        }
    }
}

/// Whether an error says that a segment or an encoder is not there.
fn has_gone(error: &Error) -> bool {
    match error {
        Error::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        error => matches!(error, Error::EncoderRemoved { .. }),
    }
}

impl std::fmt::Debug for WorkIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkIndex").field("path", &self.snapshot().paths().root()).finish_non_exhaustive()
    }
}

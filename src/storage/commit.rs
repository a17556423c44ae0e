//! How changes become durable and visible: stage, synchronise, rename, synchronise the folder, commit the catalog.
//!
//! Everything a commit names is complete and durable under its final name before the catalog's transaction commits, and
//! nothing is removed before it has. A crash at any point therefore leaves the old state or the new one, and at worst
//! files that no commit names, which `collect` removes. `index-format.md` has the proof.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use redb::{ConcurrencyMode, Database, DatabaseError, WriteTransaction};

use super::catalog::tables::{self, failed, guarded};
use super::catalog::{self, CatalogRead, CatalogWrite, EncoderRecord, FormRef, SegmentRecord};
use super::files::Files;
use super::model_files;
use super::paths::{Paths, STAGED, hex};
use super::segment::SegmentBuilder;
use crate::error::{Error, Result};

/// Cache of the writer's catalog. A release of ESCO changes about 20 MB of it.
pub(crate) const WRITER_CACHE: usize = 64 << 20;

/// The one writer of an index. Holds redb's writer lock, which the operating system frees when the process dies.
pub(crate) struct WriteStore {
    paths: Paths,
    catalog_path: PathBuf,
    /// None only while it is dropped.
    db: Option<Database>,
    txn: Option<WriteTransaction>,
    /// Segments and model files written but not yet under their final names.
    staged: Vec<Staged>,
    /// How many names this writer has given to what it staged.
    n_staged: u64,
    /// Whether the transaction has anything to commit; one that only read has not.
    changed: bool,
    /// Why an earlier operation failed half-way.
    poisoned: Option<String>,
}

/// A file, or a folder of model files, that waits for a commit to get its final name.
struct Staged {
    at: PathBuf,
    to: PathBuf,
}

impl WriteStore {
    /// Creates an index whose texts are embedded by the given encoder, copying the encoder's model files into it.
    ///
    /// The index is made beside its final place and moved there when it is complete.
    pub(crate) fn create(paths: Paths, encoder: &EncoderRecord, model: Option<(&Path, &[PathBuf])>) -> Result<Self> {
        let making = paths.files().make_dir(paths.root())?;
        build(&paths.at(making.path()), encoder, model)?;
        Self::open(paths.at(&making.finish()?))
    }

    /// Opens an index for writing and removes what an earlier writer left half-written.
    pub(crate) fn open(paths: Paths) -> Result<Self> {
        Self::open_from(paths, catalog::OLDEST_VERSION)
    }

    /// The same of an index of a version from `oldest` on.
    pub(super) fn open_from(paths: Paths, oldest: u32) -> Result<Self> {
        let catalog_path = paths.existing_catalog()?;
        let db = open_catalog(&paths, false)?;
        let (staged, n_staged, changed, poisoned) = Default::default();
        let store = Self { paths, catalog_path, db: Some(db), txn: None, staged, n_staged, changed, poisoned };
        store.check_version(oldest)?;
        store.remove_staged_leftovers()?;
        Ok(store)
    }

    /// The places of this index.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    fn db(&self) -> Result<&Database> {
        self.db.as_ref().ok_or_else(|| Error::Poisoned {
            path: self.paths.root().to_path_buf(),
            reason: "it was closed".to_string(),
        })
    }

    fn check_version(&self, oldest: u32) -> Result<()> {
        use redb::ReadableDatabase;
        let db = self.db()?;
        let txn = guarded(&self.catalog_path, || db.begin_read().map_err(failed(&self.catalog_path)))?;
        check_format(&tables::In { path: &self.catalog_path, txn: &txn }, self.paths.root(), oldest).map(drop)
    }

    fn remove_staged_leftovers(&self) -> Result<()> {
        for folder in [self.paths.segments(), self.paths.encoders()] {
            for name in self.paths.files().names(&folder)?.iter().filter(|name| name.starts_with(STAGED)) {
                remove_staged(self.paths.files(), &folder.join(name))?;
            }
        }
        Ok(())
    }

    /// A name in a folder for something that is being written or removed. Unique because there is one writer, and the
    /// leftovers of the one before were removed when it opened.
    pub(crate) fn staged_name(&mut self, folder: &Path) -> PathBuf {
        self.n_staged += 1;
        folder.join(format!("{STAGED}{}", self.n_staged))
    }

    /// Where the model files of an encoder are: under their final name, or under the staged one that they have until the next
    /// commit.
    pub(crate) fn encoder_folder(&self, fingerprint: &[u8; 32]) -> PathBuf {
        let folder = self.paths.encoder(fingerprint);
        self.staged.iter().find(|staged| staged.to == folder).map_or(folder, |staged| staged.at.clone())
    }

    /// Enters an encoder, and copies its model files so that they are there with the next commit; returns its number. One that
    /// the index has is left as it is.
    pub(crate) fn stage_encoder(&mut self, record: &EncoderRecord, source: &Path, names: &[PathBuf]) -> Result<u32> {
        if let Some((number, _)) = self.catalog()?.find_encoder(&record.fingerprint)? {
            return Ok(number);
        }
        let to = self.paths.encoder(&record.fingerprint);
        // Left by a commit that was interrupted, or by a removal: nothing vouches for what is in it.
        if self.paths.files().exists(&to)? {
            self.remove_model(&hex(&record.fingerprint))?;
        }
        let at = self.staged_name(&self.paths.encoders());
        self.change(|store| {
            let files = store.paths.files().clone();
            store.staged.push(Staged { at: at.clone(), to });
            model_files::copy(&files, source, names, &at)?;
            store.catalog()?.put_encoder(record)
        })
    }

    /// The catalog as this writer has changed it so far.
    pub(crate) fn catalog(&mut self) -> Result<CatalogWrite<'_>> {
        if let Some(reason) = &self.poisoned {
            return Err(Error::Poisoned { path: self.paths.root().to_path_buf(), reason: reason.clone() });
        }
        let txn = match self.txn.take() {
            Some(txn) => txn,
            None => {
                let db = self.db()?;
                guarded(&self.catalog_path, || begin(db, &self.catalog_path))?
            }
        };
        Ok(CatalogWrite::new(&self.catalog_path, self.txn.insert(txn)))
    }

    /// Runs a change. When it fails it may be half done, so that all changes since the last commit are forgotten; and
    /// unless it was the user who stopped it, this writer refuses to go on, because the medium or the catalog failed.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.changed = true;
        let result = change(self);
        match &result {
            Err(Error::Cancelled) => self.discard(),
            Err(error) => self.poison(error),
            Ok(_) => {}
        }
        result
    }

    /// Runs an operation that calls back into the application. A panic there leaves it half done: its changes are forgotten,
    /// this writer refuses to go on, and the panic goes on.
    pub(crate) fn unwinding<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| operation(self)));
        done.unwrap_or_else(|panic| {
            self.poisoned.get_or_insert_with(|| "a panic in the middle of an operation".to_string());
            self.discard();
            std::panic::resume_unwind(panic)
        })
    }

    fn poison(&mut self, error: &Error) {
        if self.poisoned.is_none() {
            tracing::error!(%error, "the writer failed and refuses to go on");
            self.poisoned = Some(error.to_string());
        }
        self.discard();
    }

    /// Writes a segment under a temporary name and enters it into the catalog; returns the places of its forms, in the
    /// order in which they were pushed.
    pub(crate) fn stage(&mut self, encoder: u32, builder: SegmentBuilder) -> Result<Vec<FormRef>> {
        let staged = self.staged_name(&self.paths.segments());
        let written = builder.finish(self.paths.files(), &staged);
        let file = written.inspect_err(|_| _ = self.paths.files().remove_file(&staged))?;
        let places = |segment| file.places.iter().map(|&form| FormRef { segment, form }).collect();
        if let Some(number) = self.find_segment(&file.hash)? {
            self.paths.files().remove_file(&staged)?;
            return Ok(places(number));
        }
        self.changed = true;
        self.staged.push(Staged { at: staged, to: self.paths.segment(&file.hash) });
        let (hash, n_rows, n_forms, bytes) = (file.hash, file.n_rows, file.n_forms, file.bytes);
        self.catalog()?.put_segment(&SegmentRecord { hash, encoder, n_rows, n_forms, bytes }).map(places)
    }

    /// The number of the segment with a content hash. The file of each that the catalog names is there, or is staged: without
    /// one no record need be read, of which there may be many.
    fn find_segment(&mut self, hash: &[u8; 32]) -> Result<Option<u32>> {
        let path = self.paths.segment(hash);
        if !self.staged.iter().any(|staged| staged.to == path) && !self.paths.files().exists(&path)? {
            return Ok(None);
        }
        let known = self.catalog()?.segments()?.into_iter().find(|(_, record)| record.hash == *hash);
        Ok(known.map(|(number, _)| number))
    }

    /// Where the embeddings of texts are; `None` for those that the encoder has never embedded.
    pub(crate) fn embedded(&mut self, encoder: u32, texts: &[[u8; 32]]) -> Result<Vec<Option<FormRef>>> {
        let catalog = self.catalog()?;
        texts.iter().map(|text| catalog.embedding(encoder, text)).collect()
    }

    /// Makes all changes since the last commit durable and visible. `true` when there were any.
    pub(crate) fn commit(&mut self) -> Result<bool> {
        self.catalog()?;
        if !self.changed {
            self.discard();
            return Ok(false);
        }
        self.change(|store| {
            let Some(txn) = store.txn.take() else { return Ok(false) };
            store.publish()?;
            let path = &store.catalog_path;
            CatalogWrite::new(path, &txn).count_commit()?;
            guarded(path, || txn.commit().map_err(failed(path)))?;
            store.changed = false;
            Ok(true)
        })
    }

    /// Moves what is staged to its final names and makes those durable.
    fn publish(&mut self) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        while let Some(Staged { at, to }) = self.staged.last() {
            self.paths.files().rename(at, to)?;
            folders.extend(to.parent().map(Path::to_path_buf));
            self.staged.pop();
        }
        folders.iter().try_for_each(|folder| self.paths.files().sync_dir(folder))
    }

    /// Forgets all changes since the last commit.
    pub(crate) fn discard(&mut self) {
        for Staged { at, .. } in self.staged.drain(..) {
            if let Err(error) = remove_staged(self.paths.files(), &at) {
                tracing::warn!(%error, "what was staged stays behind until the next writer opens the index");
            }
        }
        self.changed = false;
        // Dropping a transaction aborts it.
        let txn = self.txn.take();
        if let Err(error) = guarded(&self.catalog_path, || {
            drop(txn);
            Ok(())
        }) {
            tracing::warn!(%error, "the catalog could not take changes back; they were not committed");
        }
    }

    /// Gives the catalog's free pages back to the file system, unless a reader has a snapshot of it open. Forgets what
    /// was not committed.
    pub(crate) fn compact_catalog(&mut self) -> Result<bool> {
        use redb::CompactionError::{EphemeralSavepointExists, PersistentSavepointExists, TransactionInProgress};
        // Even a transaction that only reads would be in the way.
        self.discard();
        let compacted = guarded(&self.catalog_path, || match self.db.as_mut().map(Database::compact) {
            Some(Ok(changed)) => Ok(changed),
            Some(Err(PersistentSavepointExists | EphemeralSavepointExists | TransactionInProgress)) | None => Ok(false),
            Some(Err(error)) => Err(failed(&self.catalog_path)(error)),
        });
        compacted.inspect_err(|error| self.poison(error))
    }
}

impl Drop for WriteStore {
    fn drop(&mut self) {
        self.discard();
        let db = self.db.take();
        close(db, &self.catalog_path);
    }
}

/// Removes a staged file, or a folder of model files with all that is in it.
fn remove_staged(files: &Files, path: &Path) -> Result<()> {
    if files.is_dir(path)? { files.remove_dir(path) } else { files.remove_file(path) }
}

/// Closes a catalog. Nothing is lost when that fails: what matters was committed before.
fn close(db: Option<Database>, path: &Path) {
    if let Err(error) = guarded(path, || db.map_or(Ok(()), |db| db.close().map_err(failed(path)))) {
        tracing::warn!(%error, "the catalog could not be closed; the next to open it repairs it");
    }
}

fn begin(db: &Database, path: &Path) -> Result<WriteTransaction> {
    let mut txn = db.begin_write().map_err(failed(path))?;
    // The allocator's state is saved with each commit, so that opening after a crash need not rebuild it.
    txn.set_quick_repair(true);
    Ok(txn)
}

/// Makes a complete index in an empty folder.
fn build(paths: &Paths, encoder: &EncoderRecord, model: Option<(&Path, &[PathBuf])>) -> Result<()> {
    let files = paths.files();
    files.create_dir(&paths.segments())?;
    files.create_dir(&paths.encoders())?;
    if let Some((source, names)) = model {
        model_files::copy(files, source, names, &paths.encoder(&encoder.fingerprint))?;
    }
    in_new_catalog(paths, |catalog| {
        catalog.create_tables()?;
        catalog.set_meta(tables::FORMAT, u64::from(catalog::VERSION))?;
        catalog.set_meta(tables::GENERATION, 0)?;
        let number = catalog.put_encoder(encoder)?;
        catalog.set_meta(tables::ENCODER, u64::from(number))
    })?;
    for folder in [paths.segments(), paths.encoders()] {
        files.sync_dir(&folder)?;
    }
    Ok(())
}

/// Makes a catalog of one commit.
pub(super) fn in_new_catalog(paths: &Paths, fill: impl FnOnce(&CatalogWrite<'_>) -> Result<()>) -> Result<()> {
    let path = paths.catalog();
    let db = open_catalog(paths, true)?;
    let txn = guarded(&path, || begin(&db, &path))?;
    fill(&CatalogWrite::new(&path, &txn))?;
    guarded(&path, || txn.commit().map_err(failed(&path)))?;
    close(Some(db), &path);
    Ok(())
}

fn open_catalog(paths: &Paths, new: bool) -> Result<Database> {
    let path = paths.catalog();
    let mut builder = Database::builder();
    builder.set_cache_size(WRITER_CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    guarded(&path, || {
        paths.files().catalog(&path, new, &builder).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Error::Locked { path: paths.root().to_path_buf() },
            error => failed(&path)(error),
        })
    })
}

/// Brings a catalog whose writer died back to its last commit, as opening it for writing does.
pub(super) fn repair(paths: &Paths) -> Result<()> {
    let db = open_catalog(paths, false)?;
    close(Some(db), &paths.catalog());
    Ok(())
}

/// The version of a catalog, unless it is older than `oldest` or newer than this build.
pub(crate) fn check_format(catalog: &impl CatalogRead, root: &Path, oldest: u32) -> Result<u32> {
    let newest = catalog::VERSION;
    let Some(found) = catalog.meta(tables::FORMAT)? else {
        let problem = "its catalog.redb is not a workindex catalog".to_string();
        return Err(Error::NotAnIndex { path: root.to_path_buf(), problem });
    };
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if (oldest..=newest).contains(&found) {
        return Ok(found);
    }
    Err(Error::Version { path: catalog.path().to_path_buf(), found, oldest, newest })
}

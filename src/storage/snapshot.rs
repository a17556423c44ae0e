//! What one reader sees for as long as it holds it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redb::{ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use super::catalog::tables::{In, failed, guarded};
use super::catalog::{CatalogRead, EncoderRecord, FormRef, ReleaseRecord, TargetTable};
use super::commit::{check_format, repair};
use super::live::live_forms;
use super::paths::Paths;
use super::segment::Segment;
use crate::error::{Error, Result};
use crate::ontology::{Release, SpaceName};

/// Cache of a reader's catalog: a few spaces' worth of labels.
const READER_CACHE: usize = 16 << 20;

/// How long a reader waits for another process that brings a catalog back to its last commit. It takes milliseconds.
const REPAIR_WAIT: Duration = Duration::from_secs(10);

/// An index opened for reading; the source of snapshots.
pub(crate) struct ReadStore {
    paths: Paths,
    db: ReadOnlyDatabase,
    segments: Arc<SegmentCache>,
}

impl ReadStore {
    /// Opens an index for reading. Works beside a writer, and from a read-only medium.
    pub(crate) fn open(paths: Paths) -> Result<Self> {
        let path = paths.existing_catalog()?;
        let db = match open_catalog(&paths)? {
            Err(DatabaseError::RepairAborted) => reopen_after_crash(&paths)?,
            opened => opened.map_err(failed(&path))?,
        };
        Ok(Self { paths, db, segments: Arc::default() })
    }

    /// The newest committed state.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let path = self.paths.catalog();
        let txn = guarded(&path, || self.db.begin_read().map_err(failed(&path)))?;
        let snapshot = Snapshot { paths: self.paths.clone(), path, txn, segments: Arc::clone(&self.segments) };
        check_format(&snapshot.catalog(), self.paths.root(), super::catalog::OLDEST_VERSION)?;
        Ok(snapshot)
    }
}

/// redb's own result, so that the caller sees a crash for what it is; the outer one is a damaged file's.
fn open_catalog(paths: &Paths) -> Result<Result<ReadOnlyDatabase, DatabaseError>> {
    let path = paths.catalog();
    let mut builder = Database::builder();
    builder.set_cache_size(READER_CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    guarded(&path, || Ok(paths.files().catalog_read_only(&path, &builder)))
}

/// Opens a catalog whose writer died. redb refuses to read it before a writer has opened it once, so this process does
/// that. Beside other processes that do the same at the same moment, one repairs and the others wait for it.
fn reopen_after_crash(paths: &Paths) -> Result<ReadOnlyDatabase> {
    let deadline = Instant::now() + REPAIR_WAIT;
    // More than one when writers keep dying meanwhile; a damaged file may never come out of it.
    let mut attempts = 3;
    loop {
        let repaired = repair(paths);
        match open_catalog(paths)? {
            Err(DatabaseError::RepairAborted) if attempts > 0 && Instant::now() < deadline => match repaired {
                Ok(()) => attempts -= 1,
                Err(Error::Locked { .. }) => std::thread::sleep(Duration::from_millis(5)),
                Err(Error::Io { source, .. }) if is_forbidden(&source) => {
                    return Err(Error::Interrupted { path: paths.root().to_path_buf(), source });
                }
                Err(error) => return Err(error),
            },
            opened => return opened.map_err(failed(&paths.catalog())),
        }
    }
}

/// Whether the operating system would have let someone else write.
fn is_forbidden(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// A committed state of the index. Later commits do not change it.
pub(crate) struct Snapshot {
    paths: Paths,
    path: std::path::PathBuf,
    txn: ReadTransaction,
    segments: Arc<SegmentCache>,
}

impl Snapshot {
    /// The catalog in this state.
    pub(crate) fn catalog(&self) -> In<'_, ReadTransaction> {
        In { path: &self.path, txn: &self.txn }
    }

    /// The places of the index.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The size of the catalog file.
    pub(crate) fn catalog_bytes(&self) -> Result<u64> {
        self.paths.files().size(&self.path)
    }

    /// The size of a folder's files together; 0 when a writer has removed it since.
    pub(crate) fn folder_bytes(&self, folder: &std::path::Path) -> Result<u64> {
        match self.paths.files().total_bytes(folder) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(0),
            bytes => bytes,
        }
    }

    /// A segment, mapped.
    pub(crate) fn segment(&self, hash: &[u8; 32]) -> Result<Arc<Segment>> {
        self.segments.get(&self.paths, hash)
    }

    /// How many surface forms the releases name, each counted once.
    pub(crate) fn live_forms(&self) -> Result<u64> {
        Ok(live_forms(&self.catalog())?.values().map(|forms| forms.len() as u64).sum())
    }

    /// A release as it was ingested.
    pub(crate) fn release(&self, name: &SpaceName) -> Result<Release> {
        let (number, record) = self.catalog().find_release(name)?;
        self.catalog().release(number, &record)
    }

    /// All that ranking a space needs; its segments are mapped, and stay so while the result lives.
    pub(crate) fn space(&self, name: &SpaceName) -> Result<SpaceData> {
        let catalog = self.catalog();
        let (number, record) = catalog.find_release(name)?;
        let encoder = catalog.encoder(record.encoder)?;
        let kind = name.kind().as_str().to_string();
        let targets = catalog.targets(number, &kind)?;
        let segments = self.map_segments(&targets, &encoder)?;
        let name = SpaceName::new(&record.ontology, Some(&record.version), name.kind().clone(), &record.language)?;
        Ok(SpaceData { name, release: number, record, encoder, kind, targets, segments })
    }

    /// Maps the segments that a space's forms are in, and checks that the forms are there.
    fn map_segments(&self, targets: &TargetTable, encoder: &EncoderRecord) -> Result<BTreeMap<u32, Arc<Segment>>> {
        let mut mapped: BTreeMap<u32, Arc<Segment>> = BTreeMap::new();
        for place in targets.all_forms() {
            let segment = match mapped.entry(place.segment) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let record = self.catalog().segment(place.segment)?;
                    let record = record.ok_or_else(|| self.damaged_place(place, "a segment of the catalog"))?;
                    let segment = self.segments.get(&self.paths, &record.hash)?;
                    if segment.encoder() != &encoder.fingerprint || segment.dim() != encoder.dim as usize {
                        return Err(self.damaged_place(place, "a segment by the release's encoder"));
                    }
                    entry.insert(segment)
                }
            };
            if place.form >= segment.n_forms() {
                return Err(self.damaged_place(place, "a form of the segment"));
            }
        }
        Ok(mapped)
    }

    fn damaged_place(&self, place: &FormRef, expected: &str) -> Error {
        Error::corrupt(&self.path, expected, format!("form {} of segment {}", place.form, place.segment))
    }
}

/// A target space in one snapshot.
#[derive(Debug)]
pub(crate) struct SpaceData {
    /// The pinned name.
    pub(crate) name: SpaceName,
    /// Number of the release.
    pub(crate) release: u32,
    /// The release.
    pub(crate) record: ReleaseRecord,
    /// The encoder that its forms are embedded with.
    pub(crate) encoder: EncoderRecord,
    /// The kind of its concepts.
    pub(crate) kind: String,
    /// Ids, labels and forms.
    pub(crate) targets: TargetTable,
    /// The segments that its forms are in, by number.
    segments: BTreeMap<u32, Arc<Segment>>,
}

impl SpaceData {
    /// The segment that a form of this space is in.
    pub(crate) fn segment(&self, place: FormRef) -> Option<&Segment> {
        self.segment_number(place.segment)
    }

    /// Lets go of memory that queries have made resident and that scans do not need.
    pub(crate) fn trim(&self) {
        self.segments.values().for_each(|segment| segment.trim());
    }

    /// A segment of this space.
    pub(crate) fn segment_number(&self, number: u32) -> Option<&Segment> {
        self.segments.get(&number).map(Arc::as_ref)
    }
}

/// Segments that are mapped at the moment, so that each is mapped once however many spaces use it.
#[derive(Debug, Default)]
pub(crate) struct SegmentCache(Mutex<HashMap<[u8; 32], Weak<Segment>>>);

impl SegmentCache {
    fn get(&self, paths: &Paths, hash: &[u8; 32]) -> Result<Arc<Segment>> {
        // A panic while the lock was held leaves a map that is still correct.
        let mut mapped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = mapped.get(hash).and_then(Weak::upgrade) {
            return Ok(segment);
        }
        mapped.retain(|_, segment| segment.strong_count() > 0);
        let segment = Arc::new(Segment::open(paths.files(), &paths.segment(hash), hash)?);
        mapped.insert(*hash, Arc::downgrade(&segment));
        Ok(segment)
    }
}

//! How many bytes a compaction would give back.

use std::collections::{BTreeMap, HashMap};

use redb::{Key, ReadTransaction, ReadableTableMetadata, TableDefinition, Value};

use super::SEGMENT_BYTES;
use super::catalog::tables::{self, In, failed, guarded};
use super::catalog::{CatalogRead, SegmentRecord};
use super::live::{LiveForms, dead_encoders, live_forms, unnamed, wasteful_segments};
use super::segment::PlannedSegment;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};

/// What a compaction would give back of a state of an index in which so many surface forms belong to no release.
///
/// Exact for segments, model files and leftovers. Files that a writer is making at this moment cannot be told from leftovers. Of
/// the catalog it is an estimate: what its tables do not fill, less what a compacted one typically leaves unfilled. It is off by
/// at most a third of the compacted catalog in all that was tried.
pub(crate) fn reclaimable_bytes(snapshot: &Snapshot, dead_forms: u64) -> Result<u64> {
    let sum =
        [of_segments(snapshot)?, of_encoders(snapshot)?, of_unnamed(snapshot)?, of_catalog(snapshot, dead_forms)?];
    Ok(sum.into_iter().fold(0, u64::saturating_add))
}

/// Dead segments, and what the others would lose when they are rewritten.
fn of_segments(snapshot: &Snapshot) -> Result<u64> {
    let catalog = snapshot.catalog();
    let live = live_forms(&catalog)?;
    let segments = catalog.segments()?;
    let dead = segments.iter().filter(|(number, _)| !live.contains_key(number)).map(|(_, record)| record.bytes);
    let dead = dead.fold(0, u64::saturating_add);
    let wasteful = wasteful_segments(&catalog, live)?;
    let records: BTreeMap<u32, SegmentRecord> = segments.into_iter().collect();
    let rewritten = wasteful.keys().filter_map(|number| records.get(number)).map(|record| record.bytes);
    let rewritten = rewritten.fold(0, u64::saturating_add);
    let left = compacted_bytes(snapshot, &wasteful, &records)?;
    Ok(dead.saturating_add(rewritten.saturating_sub(left)))
}

/// The size of the segments that compaction would write instead of wasteful ones: encoder by encoder, in the order of the
/// numbers of the old ones, each written when it is full.
fn compacted_bytes(
    snapshot: &Snapshot,
    wasteful: &BTreeMap<u32, LiveForms>,
    records: &BTreeMap<u32, SegmentRecord>,
) -> Result<u64> {
    let mut planned: HashMap<u32, PlannedSegment> = HashMap::new();
    let mut bytes = 0u64;
    for (number, forms) in wasteful {
        let Some(record) = records.get(number) else { continue };
        let segment = match snapshot.segment(&record.hash) {
            Ok(segment) => segment,
            // A writer has collected it meanwhile: nothing of it is left.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let dim = segment.dim() as u32;
        let of_encoder = planned.entry(record.encoder).or_insert_with(|| PlannedSegment::new(dim));
        for (&form, &run) in forms {
            of_encoder.push(run, segment.lengths().get(form as usize).copied().unwrap_or(0));
            if of_encoder.payload_bytes() >= SEGMENT_BYTES {
                let full = std::mem::replace(of_encoder, PlannedSegment::new(dim));
                bytes = bytes.saturating_add(full.file_bytes()?);
            }
        }
    }
    for last in planned.values() {
        bytes = bytes.saturating_add(last.file_bytes()?);
    }
    Ok(bytes)
}

/// Model files of encoders that nothing is embedded with.
fn of_encoders(snapshot: &Snapshot) -> Result<u64> {
    let catalog = snapshot.catalog();
    let mut bytes = 0u64;
    for number in dead_encoders(&catalog)? {
        let folder = snapshot.paths().encoder(&catalog.encoder(number)?.fingerprint);
        bytes = bytes.saturating_add(snapshot.folder_bytes(&folder)?);
    }
    Ok(bytes)
}

/// Files that no commit names.
fn of_unnamed(snapshot: &Snapshot) -> Result<u64> {
    let paths = snapshot.paths();
    let unnamed = unnamed(paths, &snapshot.catalog())?;
    let mut bytes = 0u64;
    for name in unnamed.segments {
        // It may be gone by now: a writer's staged file gets another name.
        bytes = bytes.saturating_add(paths.files().size(&paths.segments().join(name)).unwrap_or(0));
    }
    for name in unnamed.encoders {
        bytes = bytes.saturating_add(snapshot.folder_bytes(&paths.encoders().join(name))?);
    }
    Ok(bytes)
}

/// What a compacted catalog has beside the pages of its tables: its header and redb's own tables. Besides, some pages stay empty
/// between others because what would have to move there is larger: a sixteenth of it all, typically.
const UNFILLED: u64 = 12 << 10;

/// Pages of the catalog that hold nothing, and entries about embeddings that go with their segments.
fn of_catalog(snapshot: &Snapshot, dead_forms: u64) -> Result<u64> {
    let catalog = snapshot.catalog();
    let (filled, embeddings) = filled(&catalog)?;
    let dead = match embeddings.entries {
        0 => 0,
        entries => embeddings.bytes / entries * dead_forms.min(entries),
    };
    let kept = filled.saturating_sub(dead);
    Ok(snapshot.catalog_bytes()?.saturating_sub(kept.saturating_add(kept / 16).saturating_add(UNFILLED)))
}

/// What a table fills.
#[derive(Debug, Clone, Copy, Default)]
struct Filled {
    entries: u64,
    /// Of the pages of its entries, and those that lead to them.
    bytes: u64,
}

/// What all tables fill together, in bytes, and what embeddings do.
fn filled(catalog: &In<ReadTransaction>) -> Result<(u64, Filled)> {
    let embeddings = filled_by(catalog, tables::EMBEDDINGS)?;
    let all = tables::each_table!(filled_by(catalog));
    Ok((all.iter().map(|table| table.bytes).fold(0, u64::saturating_add), embeddings))
}

fn filled_by<K: Key + 'static, V: Value + 'static>(
    catalog: &In<ReadTransaction>,
    table: TableDefinition<'static, K, V>,
) -> Result<Filled> {
    guarded(catalog.path, || {
        let table = catalog.txn.open_table(table).map_err(failed(catalog.path))?;
        let stats = table.stats().map_err(failed(catalog.path))?;
        let entries = table.len().map_err(failed(catalog.path))?;
        Ok(Filled { entries, bytes: stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes() })
    })
}

//! From an index of an older version to one of today, in one commit: a crash leaves the old index or the new one.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{self, CatalogRead, old_encoders, tables, upgrade_encoders};
use super::commit::{WriteStore, check_format};
use super::live::live_forms;
use super::paths::Paths;
use super::segment::is_old;
use super::verify::Models;
use crate::error::{Error, Result};
use crate::monitor::Monitor;

/// What an upgrade did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpgradeReport {
    /// The version that the catalog had.
    pub from: u32,
    /// The version that it has.
    pub to: u32,
    /// Segments that had an older version: written anew, or forgotten where no release names a form of them.
    pub segments: u64,
}

/// Upgrades an index in its place.
pub(crate) fn upgrade(paths: Paths, models: &dyn Models, monitor: &Monitor) -> Result<UpgradeReport> {
    let root = paths.root().to_path_buf();
    let mut store = WriteStore::open_from(paths, catalog::OLDEST_UPGRADABLE)?;
    let from = check_format(&store.catalog()?, &root, catalog::OLDEST_UPGRADABLE)?;
    if from == catalog::VERSION {
        return Ok(UpgradeReport { from, to: from, segments: 0 });
    }
    check_meaning(&mut store, models)?;
    let old = old_segments(&mut store)?;
    store.change(|store| {
        upgrade_encoders(&store.catalog()?)?;
        let live = live_forms(&store.catalog()?)?.into_iter().filter(|(number, _)| old.contains(number));
        let live: BTreeMap<_, _> = live.collect();
        store.rewrite(&live, monitor)?;
        // What no release names is not written anew.
        let dead = old.iter().filter(|number| !live.contains_key(number)).copied().collect();
        store.catalog()?.remove_segments(&dead)?;
        store.catalog()?.set_meta(tables::FORMAT, u64::from(catalog::VERSION))
    })?;
    store.collect()?;
    Ok(UpgradeReport { from, to: catalog::VERSION, segments: old.len() as u64 })
}

/// Refuses encoders that the version which wrote the index did not read as this one does: it knew nothing of heads, prompts
/// and marks, so that texts embedded then and now would not go together.
fn check_meaning(store: &mut WriteStore, models: &dyn Models) -> Result<()> {
    for (_, record) in old_encoders(&store.catalog()?)? {
        let folder = store.paths().encoder(&record.fingerprint);
        if record.settings.is_some() && !models.is_plain(&folder)? {
            let problem = "the version of workindex that made this index did not apply the model's heads, prompts or marks, and \
                           this one does: make a new index (`workindex init`) and ingest again";
            return Err(Error::Encoder { path: folder, problem: problem.to_string() });
        }
    }
    Ok(())
}

/// The segments of a version that only an upgrade reads.
fn old_segments(store: &mut WriteStore) -> Result<BTreeSet<u32>> {
    let mut old = BTreeSet::new();
    for (number, record) in store.catalog()?.segments()? {
        if is_old(&store.paths().files().map(&store.paths().segment(&record.hash))?) {
            old.insert(number);
        }
    }
    Ok(old)
}

//! What the releases of an index name, and what nothing names any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::SEGMENT_BYTES;
use super::catalog::CatalogRead;
use super::paths::{Paths, STAGED, hex};
use crate::error::Result;

/// Forms of a segment that releases name, and the run in which each is to lie when it is copied.
pub(crate) type LiveForms = BTreeMap<u32, u32>;

/// The forms that releases name, by segment, each with the number of the kind that has it in the newest of them.
pub(crate) fn live_forms(catalog: &impl CatalogRead) -> Result<HashMap<u32, LiveForms>> {
    let mut live: HashMap<u32, LiveForms> = HashMap::new();
    for (number, record) in catalog.releases()? {
        // The first kind last: it is the one that counts, as when the release was ingested.
        for (run, (kind, _)) in record.kinds.iter().enumerate().rev() {
            for place in catalog.targets(number, kind)?.all_forms() {
                live.entry(place.segment).or_default().insert(place.form, run as u32);
            }
        }
    }
    Ok(live)
}

/// The live forms of the segments worth rewriting: those with a dead form, and small ones when there are several.
/// Wholly dead ones are not among them: they are collected.
pub(crate) fn wasteful_segments(
    catalog: &impl CatalogRead,
    mut live: HashMap<u32, LiveForms>,
) -> Result<BTreeMap<u32, LiveForms>> {
    let segments = catalog.segments()?;
    let small = |bytes: u64| bytes < SEGMENT_BYTES as u64 / 4;
    let mut small_of_encoder: HashMap<u32, usize> = HashMap::new();
    for (_, record) in segments.iter().filter(|(number, s)| live.contains_key(number) && small(s.bytes)) {
        *small_of_encoder.entry(record.encoder).or_default() += 1;
    }
    let mut wasteful = BTreeMap::new();
    for (number, record) in &segments {
        let Some(forms) = live.remove(number) else { continue };
        let joins = small(record.bytes) && small_of_encoder.get(&record.encoder).is_some_and(|&n| n > 1);
        if joins || forms.len() < record.n_forms as usize {
            wasteful.insert(*number, forms);
        }
    }
    Ok(wasteful)
}

/// The encoders that no release is embedded with, but for the one that new texts are embedded with.
pub(crate) fn dead_encoders(catalog: &impl CatalogRead) -> Result<BTreeSet<u32>> {
    let (current, _) = catalog.current_encoder()?;
    let mut dead: BTreeSet<u32> = catalog.encoders()?.into_iter().map(|(number, _)| number).collect();
    dead.remove(&current);
    for (_, record) in catalog.releases()? {
        dead.remove(&record.encoder);
    }
    Ok(dead)
}

/// Names in an index's folders that workindex gives and a state of the catalog does not know.
pub(crate) struct Unnamed {
    /// Files in the folder of segments.
    pub(crate) segments: Vec<String>,
    /// Folders of model files.
    pub(crate) encoders: Vec<String>,
}

/// What is in the folders and not in the catalog. What has no name that workindex gives is someone else's and not listed.
pub(crate) fn unnamed(paths: &Paths, catalog: &impl CatalogRead) -> Result<Unnamed> {
    let segments = catalog.segments()?;
    let segments: BTreeSet<String> = segments.iter().map(|(_, record)| format!("{}.seg", hex(&record.hash))).collect();
    let encoders: BTreeSet<String> = catalog.encoders()?.iter().map(|(_, record)| hex(&record.fingerprint)).collect();
    let of_segments = paths.files().names(&paths.segments())?.into_iter();
    let of_encoders = paths.files().names(&paths.encoders())?.into_iter();
    Ok(Unnamed {
        segments: of_segments.filter(|name| is_segment(name) && !segments.contains(name)).collect(),
        encoders: of_encoders.filter(|name| is_encoder(name) && !encoders.contains(name)).collect(),
    })
}

/// Whether a writer gives such names to files in the folder of segments.
fn is_segment(name: &str) -> bool {
    name.starts_with(STAGED) || name.strip_suffix(".seg").is_some_and(is_hash)
}

/// Whether a writer gives such names to folders in the folder of encoders.
fn is_encoder(name: &str) -> bool {
    name.starts_with(STAGED) || is_hash(name)
}

fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

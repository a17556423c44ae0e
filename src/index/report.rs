//! What an ingest did.

use std::collections::HashMap;

use crate::error::Result;
use crate::ontology::{Kind, Release};
use crate::storage::WriteStore;
use crate::storage::catalog::{CatalogRead, Numbered, ReleaseRecord};

/// What an ingest did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestReport {
    /// Whether the index had this very release already, so that nothing was done.
    pub unchanged: bool,
    /// The version that the release was compared with: the one ingested before it, if any.
    pub previous: Option<String>,
    /// What changed, kind by kind.
    pub kinds: Vec<KindReport>,
    /// Distinct surface forms of the release; each once on each side of an encoder that treats kinds of concepts differently.
    pub texts: usize,
    /// Surface forms that were embedded now; the others had been before.
    pub embedded: usize,
    /// Of the texts embedded now, those that were longer than the encoder reads.
    pub truncated: usize,
}

/// What changed in the concepts of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindReport {
    /// The kind.
    pub kind: Kind,
    /// The pinned name of its space.
    pub space: String,
    /// Concepts in this release.
    pub concepts: usize,
    /// Concepts that the previous release did not have.
    pub added: usize,
    /// Concepts that only the previous release has.
    pub removed: usize,
    /// Concepts with another preferred label than in the previous release.
    pub relabelled: usize,
}

/// The ids and preferred labels of the release that a new one is compared with.
#[derive(Debug, Default)]
pub(super) struct Previous {
    version: Option<String>,
    kinds: Vec<(Kind, HashMap<String, String>)>,
}

impl Previous {
    /// Those of a stored release, if there is one.
    pub(super) fn of(store: &mut WriteStore, release: Option<Numbered<ReleaseRecord>>) -> Result<Self> {
        let Some((number, record)) = release else { return Ok(Self::default()) };
        let catalog = store.catalog()?;
        let labels = |(kind, _): &(String, u32)| {
            let targets = catalog.targets(number, kind)?;
            Ok((Kind::new(kind)?, targets.ids.iter().zip(targets.labels.iter()).collect()))
        };
        Ok(Self { kinds: record.kinds.iter().map(labels).collect::<Result<_>>()?, version: Some(record.version) })
    }
}

impl IngestReport {
    /// The report of a release compared with a previous one; what was embedded is for the caller to fill in.
    pub(super) fn new(release: &Release, texts: usize, previous: &Previous) -> Self {
        let mut kinds = kinds_in_order(release);
        let gone = previous.kinds.iter().map(|(kind, _)| kind).filter(|kind| !kinds.contains(kind));
        kinds.extend(gone.collect::<Vec<_>>());
        let nothing = HashMap::new();
        let report = |kind: &Kind| {
            let labels = previous.kinds.iter().find(|(of, _)| of == kind).map_or(&nothing, |(_, labels)| labels);
            KindReport::new(release, kind, labels)
        };
        let kinds = kinds.into_iter().map(report).collect();
        Self { unchanged: false, previous: previous.version.clone(), kinds, texts, embedded: 0, truncated: 0 }
    }
}

impl KindReport {
    fn new(release: &Release, kind: &Kind, previous: &HashMap<String, String>) -> Self {
        let (mut concepts, mut kept, mut relabelled) = (0, 0, 0);
        for concept in release.concepts().iter().filter(|concept| &concept.kind == kind) {
            concepts += 1;
            if let Some(label) = previous.get(&concept.id) {
                kept += 1;
                relabelled += usize::from(*label != concept.label);
            }
        }
        let space = release.space_name(kind).to_string();
        let (added, removed) = (concepts - kept, previous.len() - kept);
        Self { kind: kind.clone(), space, concepts, added, removed, relabelled }
    }
}

/// The kinds of a release in the order in which they first come, as its spaces are stored.
pub(super) fn kinds_in_order(release: &Release) -> Vec<&Kind> {
    let mut kinds: Vec<&Kind> = Vec::new();
    for concept in release.concepts() {
        if !kinds.contains(&&concept.kind) {
            kinds.push(&concept.kind);
        }
    }
    kinds
}

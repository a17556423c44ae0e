//! What an index holds.

use serde::Serialize;

use super::encoders;
use crate::encoder::Precision;
use crate::error::Result;
use crate::storage::catalog::{CatalogRead, EncoderRecord, ReleaseRecord, space_names};
use crate::storage::{Snapshot, hex, reclaimable_bytes};

/// What an index holds: spaces, releases, encoders, sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexInfo {
    /// Number of commits so far.
    pub generation: u64,
    /// Releases, in order of ingestion.
    pub releases: Vec<ReleaseInfo>,
    /// Encoders, the one that embeds new texts marked.
    pub encoders: Vec<EncoderInfo>,
    /// Segment files.
    pub segments: u64,
    /// Surface forms in them.
    pub surface_forms: u64,
    /// Token rows in them.
    pub token_rows: u64,
    /// Bytes of the segment files.
    pub segment_bytes: u64,
    /// Bytes of the catalog.
    pub catalog_bytes: u64,
    /// Surface forms that no release names.
    pub dead_surface_forms: u64,
    /// Bytes that [`compact`](crate::IndexWriter::compact) would give back: segments and parts of segments that no release names,
    /// encoders that nothing is embedded with, what interrupted writers left behind, and pages of the catalog that hold nothing.
    /// Exact but for the catalog's, which is an estimate, and which can only be given back while no reader has a state of the
    /// index open; what a writer is making at this moment, or has
    /// committed since this state, counts as left behind.
    pub reclaimable_bytes: u64,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseInfo {
    /// The ontology.
    pub ontology: String,
    /// The version.
    pub version: String,
    /// The language.
    pub language: String,
    /// `preferred` or `all`: which texts of a concept are embedded.
    pub forms: String,
    /// Fingerprint of the encoder that its texts are embedded with.
    pub encoder: String,
    /// What output that shows its concepts must say.
    pub attribution: Option<String>,
    /// Number of relations.
    pub relations: u32,
    /// Its spaces.
    pub spaces: Vec<SpaceInfo>,
}

/// One space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpaceInfo {
    /// The pinned name.
    pub name: String,
    /// Number of concepts.
    pub concepts: u32,
}

/// One encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderInfo {
    /// What people call it.
    pub name: String,
    /// Its identity: a hash of its files and settings.
    pub fingerprint: String,
    /// Values per row.
    pub dim: u32,
    /// Longer texts are cut; none for an encoder that runs elsewhere.
    pub max_tokens: Option<u32>,
    /// Whether the rows of `[CLS]` and `[SEP]` are kept; none for an encoder that runs elsewhere.
    pub special_tokens: Option<bool>,
    /// How its linear layers are computed; none for an encoder that runs elsewhere.
    pub precision: Option<Precision>,
    /// Bytes of its model files in the index.
    pub bytes: u64,
    /// Whether new texts are embedded with it.
    pub current: bool,
}

/// Gathers what a snapshot holds.
pub(super) fn gather(snapshot: &Snapshot) -> Result<IndexInfo> {
    let catalog = snapshot.catalog();
    let segments = catalog.segments()?;
    let encoders = catalog.encoders()?;
    let (current, _) = catalog.current_encoder()?;
    let releases = catalog.releases()?;
    let surface_forms: u64 = segments.iter().map(|(_, s)| u64::from(s.n_forms)).sum();
    let dead_surface_forms = surface_forms.saturating_sub(snapshot.live_forms()?);
    Ok(IndexInfo {
        generation: catalog.generation()?,
        encoders: encoders
            .iter()
            .map(|(number, e)| encoder_info(snapshot, e, *number == current))
            .collect::<Result<_>>()?,
        segments: segments.len() as u64,
        surface_forms,
        token_rows: segments.iter().map(|(_, s)| u64::from(s.n_rows)).sum(),
        segment_bytes: segments.iter().fold(0, |sum, (_, s)| sum.saturating_add(s.bytes)),
        catalog_bytes: snapshot.catalog_bytes()?,
        dead_surface_forms,
        reclaimable_bytes: reclaimable_bytes(snapshot, dead_surface_forms)?,
        releases: releases
            .iter()
            .map(|(_, r)| Ok(release_info(r, hex(&catalog.encoder(r.encoder)?.fingerprint))))
            .collect::<Result<_>>()?,
    })
}

fn encoder_info(snapshot: &Snapshot, record: &EncoderRecord, current: bool) -> Result<EncoderInfo> {
    let bytes = match record.settings {
        Some(_) => snapshot.folder_bytes(&snapshot.paths().encoder(&record.fingerprint))?,
        None => 0,
    };
    Ok(EncoderInfo {
        name: record.name.clone(),
        fingerprint: hex(&record.fingerprint),
        dim: record.dim,
        max_tokens: record.settings.map(|settings| settings.max_tokens),
        special_tokens: record.settings.map(|settings| settings.special_tokens),
        precision: record.settings.map(|settings| encoders::precision(&settings)),
        bytes,
        current,
    })
}

fn release_info(record: &ReleaseRecord, encoder: String) -> ReleaseInfo {
    let spaces = space_names(record).zip(&record.kinds);
    ReleaseInfo {
        ontology: record.ontology.clone(),
        version: record.version.clone(),
        language: record.language.clone(),
        forms: if record.all_forms { "all" } else { "preferred" }.to_string(),
        encoder,
        attribution: record.attribution.clone(),
        relations: record.n_relations,
        spaces: spaces.map(|(name, (_, concepts))| SpaceInfo { name, concepts: *concepts }).collect(),
    }
}

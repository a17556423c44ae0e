//! From a release to embeddings and a catalog entry.

use std::collections::{HashMap, HashSet};

use super::embedding::{Embed, Embedder, Text};
use super::memory::Budget;
use super::report::{IngestReport, Previous, kinds_in_order};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::ontology::{Forms, Kind, Release};
use crate::storage::WriteStore;
use crate::storage::catalog::{CatalogRead, FormRef, Numbered, ReleaseRecord, check_fits, content_hash};
use crate::storage::segment::{SideKey, TextHash, text_hash};

/// How a release is ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IngestOptions {
    /// Which texts of a concept are embedded.
    pub forms: Forms,
    /// The bytes of memory that the whole process is to stay below while texts are embedded: what it has in memory already (the
    /// program, the model with its mapped files, the release) and what embedding needs. Fewer texts are embedded at a time then,
    /// and segments are smaller; rankings are the same. Linux only. None: as is fastest, some 400 MB beside model and
    /// release.
    pub memory: Option<u64>,
}

/// Ingests a release into the writer's uncommitted state. On error that state is forgotten.
pub(super) fn ingest(
    store: &mut WriteStore,
    release: &Release,
    options: &IngestOptions,
    embed: &mut dyn Embed,
    monitor: &Monitor,
) -> Result<IngestReport> {
    let (encoder, record) = store.catalog()?.current_encoder()?;
    let same = find_same(store, release)?;
    let forms = options.forms;
    let equal = |old: &ReleaseRecord| {
        old.content == content_hash(release) && old.encoder == encoder && old.all_forms == (forms == Forms::All)
    };
    let sides: HashMap<Kind, SideKey> =
        kinds_in_order(release).into_iter().map(|kind| (kind.clone(), embed.side_key(kind))).collect();
    let side_of = |kind: &Kind| sides.get(kind).copied().flatten();
    let texts = distinct_texts(release, forms, &side_of);
    if same.as_ref().is_some_and(|(_, old)| equal(old)) {
        let report = IngestReport::new(release, texts.len(), &Previous::of(store, same)?);
        return Ok(IngestReport { unchanged: true, ..report });
    }
    let last = store.catalog()?.releases()?.into_iter().rev().find(|(_, record)| same_line(record, release));
    check_fits(release, forms)?;
    let previous = Previous::of(store, last)?;
    let hashes: Vec<TextHash> = texts.iter().map(|text| text.hash).collect();
    let known = store.embedded(encoder, &hashes)?;
    let budget = match options.memory {
        // Where nothing is embedded no model is loaded to know what it would take.
        Some(ceiling) if known.contains(&None) => Budget::below(ceiling, embed.load()?)?,
        _ => Budget::default(),
    };
    let mut embedder = Embedder::new(encoder, record, budget)?;
    let placed = place_texts(store, &mut embedder, &texts, known, embed, monitor).and_then(|places| {
        let place = |kind: &Kind, text: &str| places.get(&text_hash(text, &side_of(kind))).copied();
        store.change(|store| {
            let catalog = store.catalog()?;
            same.iter().try_for_each(|(number, _)| catalog.remove_release(*number))?;
            catalog.put_release(release, forms, encoder, &place)
        })
    });
    placed.inspect_err(|_| store.discard())?;
    let report = IngestReport::new(release, texts.len(), &previous);
    Ok(IngestReport { embedded: embedder.embedded, truncated: embedder.truncated, ..report })
}

/// The stored release of the same ontology, version and language.
fn find_same(store: &mut WriteStore, release: &Release) -> Result<Option<Numbered<ReleaseRecord>>> {
    let same = |record: &ReleaseRecord| same_line(record, release) && record.version == release.version();
    Ok(store.catalog()?.releases()?.into_iter().rev().find(|(_, record)| same(record)))
}

fn same_line(record: &ReleaseRecord, release: &Release) -> bool {
    record.ontology == release.ontology() && record.language == release.language()
}

/// The surface forms of a release, each once on each side of the encoder, kind after kind.
fn distinct_texts<'r>(release: &'r Release, forms: Forms, side_of: &dyn Fn(&Kind) -> SideKey) -> Vec<Text<'r>> {
    let mut seen = HashSet::new();
    let of_kind = |(kind, run): (&'r Kind, u32)| {
        let concepts = release.concepts().iter().filter(move |concept| &concept.kind == kind);
        let texts = concepts.flat_map(move |concept| forms.of(concept));
        let side = side_of(kind);
        texts.map(move |text| Text { text, kind, side, run, hash: text_hash(text, &side) })
    };
    let texts = kinds_in_order(release).into_iter().zip(0..).flat_map(of_kind);
    texts.filter(|text| seen.insert(text.hash)).collect()
}

/// Finds or makes the embedding of each text.
fn place_texts(
    store: &mut WriteStore,
    embedder: &mut Embedder,
    texts: &[Text],
    known: Vec<Option<FormRef>>,
    embed: &mut dyn Embed,
    monitor: &Monitor,
) -> Result<HashMap<TextHash, FormRef>> {
    let missing: Vec<&Text> =
        texts.iter().zip(&known).filter(|(_, place)| place.is_none()).map(|(text, _)| text).collect();
    let mut done = 0;
    for of_side in missing.chunk_by(|a, b| a.side == b.side) {
        for part in of_side.chunks(embedder.part()) {
            embedder.embed(store, part, embed, &monitor.part(done, missing.len() as u64))?;
            done += part.len() as u64;
        }
    }
    embedder.stage(store, monitor)?;
    let mut places = std::mem::take(&mut embedder.places);
    places.extend(texts.iter().zip(known).filter_map(|(text, place)| Some((text.hash, place?))));
    Ok(places)
}

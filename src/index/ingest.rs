//! From a release to embeddings and a catalog entry.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::report::{IngestReport, Previous, kinds_in_order};
use crate::error::Result;
use crate::monitor::{Monitor, Stage};
use crate::ontology::{Forms, Kind, Release};
use crate::storage::catalog::{CatalogRead, EncoderRecord, FormRef, Numbered, ReleaseRecord, content_hash};
use crate::storage::segment::{SegmentBuilder, SideKey, TextHash, text_hash};
use crate::storage::{SEGMENT_BYTES, WriteStore};
use crate::token_matrix::TokenMatrix;

/// Texts embedded at a time: enough to fill batches of equal length, few enough that their f32 rows stay below
/// about 100 MB.
const PART: usize = 1024;

/// How a release is ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IngestOptions {
    /// Which texts of a concept are embedded.
    pub forms: Forms,
}

/// What an ingest asks of the encoder.
pub(super) trait Embed {
    /// What tells embeddings of concepts of a kind from those of others with the same texts.
    fn side_key(&self, kind: &Kind) -> SideKey;

    /// Embeds texts of concepts of a kind; returns each text's matrix and whether the text was truncated.
    fn embed(&mut self, texts: &[&str], kind: &Kind, monitor: &Monitor) -> Result<Vec<(TokenMatrix, bool)>>;
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
    let previous = Previous::of(store, last)?;
    let mut embedder = Embedder { encoder, record, embedded: 0, truncated: 0, staged: 0, places: BTreeMap::new() };
    let placed = place_texts(store, &mut embedder, &texts, embed, monitor).and_then(|places| {
        let place = |kind: &Kind, text: &str| places.get(&text_hash(text, &side_of(kind))).copied();
        store.change(|store| {
            let catalog = store.catalog()?;
            catalog.put_embeddings(encoder, &embedder.places)?;
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

/// A surface form, on the side of the first kind that has it there.
struct Text<'r> {
    text: &'r str,
    kind: &'r Kind,
    side: SideKey,
    /// The number of the kind: a space's rows lie together.
    run: u32,
    hash: TextHash,
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

/// What is being embedded, and where it went.
struct Embedder {
    encoder: u32,
    record: EncoderRecord,
    embedded: usize,
    truncated: usize,
    /// Segments written so far.
    staged: u64,
    /// The places of the texts embedded now.
    places: BTreeMap<TextHash, FormRef>,
}

/// Finds or makes the embedding of each text.
fn place_texts(
    store: &mut WriteStore,
    embedder: &mut Embedder,
    texts: &[Text],
    embed: &mut dyn Embed,
    monitor: &Monitor,
) -> Result<HashMap<TextHash, FormRef>> {
    let hashes: Vec<TextHash> = texts.iter().map(|text| text.hash).collect();
    let known = store.embedded(embedder.encoder, &hashes)?;
    let missing: Vec<&Text> =
        texts.iter().zip(&known).filter(|(_, place)| place.is_none()).map(|(text, _)| text).collect();
    embedder.embed_all(store, &missing, embed, monitor)?;
    let known = hashes.iter().zip(known).filter_map(|(hash, place)| Some((*hash, place?)));
    Ok(known.chain(embedder.places.iter().map(|(hash, place)| (*hash, *place))).collect())
}

impl Embedder {
    fn embed_all(
        &mut self,
        store: &mut WriteStore,
        missing: &[&Text],
        embed: &mut dyn Embed,
        monitor: &Monitor,
    ) -> Result<()> {
        let mut builder = self.new_builder()?;
        let mut waiting: Vec<TextHash> = Vec::new();
        let same_side = missing.chunk_by(|a, b| a.side == b.side);
        let parts: Vec<&[&Text]> = same_side.flat_map(|of_side| of_side.chunks(PART)).collect();
        let mut done = 0;
        for texts in parts {
            monitor.check()?;
            let of_part: Vec<&str> = texts.iter().map(|missing| missing.text).collect();
            let Some(kind) = texts.first().map(|missing| missing.kind) else { continue };
            let embedded = embed.embed(&of_part, kind, &monitor.part(done, missing.len() as u64))?;
            done += texts.len() as u64;
            for (missing, (matrix, truncated)) in texts.iter().zip(embedded) {
                builder.push(missing.run, missing.hash, &matrix)?;
                waiting.push(missing.hash);
                self.embedded += 1;
                self.truncated += usize::from(truncated);
            }
            if builder.payload_bytes() >= SEGMENT_BYTES {
                self.stage(store, std::mem::replace(&mut builder, self.new_builder()?), &mut waiting, monitor)?;
            }
        }
        if builder.len() > 0 {
            self.stage(store, builder, &mut waiting, monitor)?;
        }
        Ok(())
    }

    fn new_builder(&self) -> Result<SegmentBuilder> {
        SegmentBuilder::new(self.record.fingerprint, self.record.dim as usize)
    }

    fn stage(
        &mut self,
        store: &mut WriteStore,
        builder: SegmentBuilder,
        waiting: &mut Vec<TextHash>,
        monitor: &Monitor,
    ) -> Result<()> {
        let places = store.change(|store| store.stage(self.encoder, builder))?;
        self.staged += 1;
        monitor.report(Stage::Writing, self.staged, None);
        self.places.extend(waiting.drain(..).zip(places));
        Ok(())
    }
}

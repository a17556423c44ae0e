//! From one encoder to another: every surface form of every release is embedded anew, and one commit switches.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::embedding::{Embed, Embedder, Text};
use super::encoders::ModelFiles;
use super::memory::Budget;
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Stage};
use crate::ontology::Kind;
use crate::storage::catalog::tables;
use crate::storage::catalog::{CatalogRead, EncoderRecord, FormRef, Numbered, ReleaseRecord, TargetTable};
use crate::storage::segment::{SideKey, TextHash, text_hash};
use crate::storage::{Models, WriteStore, hex};

/// How an index is re-indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReindexOptions {
    /// The bytes of memory that the whole process is to stay below; see [`IngestOptions::memory`](crate::IngestOptions::memory).
    pub memory: Option<u64>,
}

/// What a re-indexing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReindexReport {
    /// Whether the index had this very encoder already, so that nothing was done.
    pub unchanged: bool,
    /// The name of the encoder that new texts were embedded with before.
    pub previous: String,
    /// Releases whose texts are now embedded by the new encoder and were not before.
    pub releases: usize,
    /// Surface forms of these releases; a text counts in each concept that has it.
    pub surface_forms: u64,
    /// Texts that were embedded now; the others have been by this encoder before, or come more than once.
    pub embedded: usize,
    /// Of the texts embedded now, those that were longer than the encoder reads.
    pub truncated: usize,
}

/// An encoder that is to take over.
pub(super) struct Successor<'a> {
    pub(super) record: EncoderRecord,
    /// Its model directory, and the files in it that belong to the model.
    pub(super) model: (&'a Path, &'a [PathBuf]),
}

/// Re-indexes in the writer's uncommitted state. On error that state is forgotten.
pub(super) fn reindex(
    store: &mut WriteStore,
    successor: &Successor,
    embed: &mut dyn Embed,
    options: &ReindexOptions,
    monitor: &Monitor,
) -> Result<ReindexReport> {
    let (current, record) = store.catalog()?.current_encoder()?;
    let mut report = ReindexReport {
        unchanged: false,
        previous: record.name,
        releases: 0,
        surface_forms: 0,
        embedded: 0,
        truncated: 0,
    };
    let releases = store.catalog()?.releases()?;
    let by_current = |(_, release): &Numbered<ReleaseRecord>| release.encoder == current;
    if record.fingerprint == successor.record.fingerprint && releases.iter().all(by_current) {
        return Ok(ReindexReport { unchanged: true, ..report });
    }
    let budget = match options.memory {
        Some(ceiling) => Budget::below(ceiling, embed.load()?)?,
        None => Budget::default(),
    };
    let switched = switch(store, successor, releases, embed, (budget, monitor), &mut report);
    switched.inspect_err(|_| store.discard())?;
    Ok(report)
}

fn switch(
    store: &mut WriteStore,
    successor: &Successor,
    releases: Vec<Numbered<ReleaseRecord>>,
    embed: &mut dyn Embed,
    (budget, monitor): (Budget, &Monitor),
    report: &mut ReindexReport,
) -> Result<()> {
    monitor.check()?;
    let Successor { record, model: (folder, files) } = successor;
    let encoder = store.stage_encoder(record, folder, files)?;
    check_copy(store, record, folder)?;
    // The newest first: its rows are scanned most and come to lie together.
    let stale = releases.into_iter().rev().filter(|(_, release)| release.encoder != encoder);
    let spaces = stale.map(SpaceOf::all).collect::<Result<Vec<_>>>()?.concat();
    for space in &spaces {
        report.surface_forms += space.targets(store)?.all_forms().len() as u64;
    }
    let embedder = Embedder::new(encoder, record.clone(), budget)?;
    let (pending, passed, total) = (HashSet::new(), 0, report.surface_forms);
    let mut walk = Walk { store, embed, embedder, monitor, encoder, pending, passed, total };
    (0..).zip(&spaces).try_for_each(|(run, space)| walk.embed_space(run, space))?;
    walk.embedder.stage(walk.store, monitor)?;
    (report.embedded, report.truncated) = (walk.embedder.embedded, walk.embedder.truncated);
    let sides: Vec<SideKey> = spaces.iter().map(|space| walk.embed.side_key(&space.kind)).collect();
    let mut switched: Vec<&Numbered<ReleaseRecord>> = spaces.iter().map(|space| &*space.release).collect();
    switched.dedup_by_key(|(number, _)| *number);
    report.releases = switched.len();
    store.change(|store| {
        for (space, side) in spaces.iter().zip(&sides) {
            monitor.check()?;
            point_at(store, encoder, space, side)?;
        }
        let catalog = store.catalog()?;
        for (number, release) in switched {
            catalog.replace_release(*number, &ReleaseRecord { encoder, ..release.clone() })?;
        }
        catalog.set_meta(tables::ENCODER, u64::from(encoder))
    })
}

/// The copy in the index must be the model that embeds: its files may have changed since it was opened.
fn check_copy(store: &WriteStore, record: &EncoderRecord, source: &Path) -> Result<()> {
    let Some(settings) = &record.settings else { return Ok(()) };
    let folder = store.encoder_folder(&record.fingerprint);
    let found = ModelFiles.fingerprint(&folder, settings)?;
    if found == record.fingerprint {
        return Ok(());
    }
    if folder == store.paths().encoder(&record.fingerprint) {
        // Not copied now: the index had this encoder before.
        let expected = format!("the model with fingerprint {}", hex(&record.fingerprint));
        return Err(Error::corrupt(&folder, expected, hex(&found)));
    }
    let problem = format!(
        "its files have changed since it was opened: fingerprint {} instead of {}; open it again",
        hex(&found),
        hex(&record.fingerprint)
    );
    Err(Error::Encoder { path: source.to_path_buf(), problem })
}

/// A space of a release that is to be embedded anew.
#[derive(Clone)]
struct SpaceOf {
    release: Rc<Numbered<ReleaseRecord>>,
    kind: Kind,
}

impl SpaceOf {
    /// The spaces of a release.
    fn all(release: Numbered<ReleaseRecord>) -> Result<Vec<Self>> {
        let release = Rc::new(release);
        let of_kind = |(kind, _): &(String, u32)| Ok(Self { release: Rc::clone(&release), kind: Kind::new(kind)? });
        release.1.kinds.iter().map(of_kind).collect()
    }

    fn targets(&self, store: &mut WriteStore) -> Result<TargetTable> {
        store.catalog()?.targets(self.release.0, self.kind.as_str())
    }

    /// The surface forms of a block of targets.
    fn forms(&self, store: &mut WriteStore, targets: &TargetTable, block: u32) -> Result<Vec<Vec<String>>> {
        let (number, record) = &*self.release;
        store.catalog()?.surface_forms(*number, self.kind.as_str(), targets, record.all_forms, block)
    }
}

/// On the way through all texts of an index, a space and a part at a time.
struct Walk<'a> {
    store: &'a mut WriteStore,
    embed: &'a mut dyn Embed,
    embedder: Embedder,
    monitor: &'a Monitor,
    encoder: u32,
    /// Texts that have no entry in the catalog yet: those of the part, and those that wait for their segment.
    pending: HashSet<TextHash>,
    /// Surface forms that were looked at.
    passed: u64,
    total: u64,
}

impl Walk<'_> {
    fn embed_space(&mut self, run: u32, space: &SpaceOf) -> Result<()> {
        let side = self.embed.side_key(&space.kind);
        let targets = space.targets(self.store)?;
        let mut part: Vec<(String, TextHash)> = Vec::new();
        for block in 0.. {
            let forms = space.forms(self.store, &targets, block)?;
            if forms.is_empty() {
                break;
            }
            for text in forms.into_iter().flatten() {
                let hash = text_hash(&text, &side);
                self.passed += 1;
                if self.store.catalog()?.embedding(self.encoder, &hash)?.is_none() && self.pending.insert(hash) {
                    part.push((text, hash));
                }
                if part.len() >= self.embedder.part() {
                    self.embed_part(run, space, &std::mem::take(&mut part))?;
                }
            }
        }
        self.embed_part(run, space, &part)
    }

    fn embed_part(&mut self, run: u32, space: &SpaceOf, part: &[(String, TextHash)]) -> Result<()> {
        let side = self.embed.side_key(&space.kind);
        let text = |(text, hash)| Text { text, kind: &space.kind, side, run, hash };
        let texts: Vec<Text> = part.iter().map(|(of, hash)| text((of.as_str(), *hash))).collect();
        let monitor = self.monitor.part(self.passed.saturating_sub(part.len() as u64), self.total);
        self.embedder.embed(self.store, &texts.iter().collect::<Vec<_>>(), self.embed, &monitor)?;
        if self.embedder.is_empty() {
            self.pending.clear();
        }
        // The catalog says where they are.
        self.embedder.places.clear();
        self.monitor.report(Stage::Encoding, self.passed, Some(self.total));
        self.monitor.check()
    }
}

/// Points the targets of a space at the embeddings by the new encoder.
fn point_at(store: &mut WriteStore, encoder: u32, space: &SpaceOf, side: &SideKey) -> Result<()> {
    let mut targets = space.targets(store)?;
    let mut places: Vec<FormRef> = Vec::with_capacity(targets.all_forms().len());
    for block in 0.. {
        let forms = space.forms(store, &targets, block)?;
        if forms.is_empty() {
            break;
        }
        let catalog = store.catalog()?;
        for text in forms.iter().flatten() {
            let place = catalog.embedding(encoder, &text_hash(text, side))?;
            places.push(place.ok_or_else(|| catalog.damaged("an embedding for each surface form", "none"))?);
        }
    }
    let catalog = store.catalog()?;
    if places.len() != targets.all_forms().len() {
        let expected = format!("{} surface forms of kind {}", targets.all_forms().len(), space.kind);
        return Err(catalog.damaged(&expected, places.len()));
    }
    targets.all_forms_mut().copy_from_slice(&places);
    catalog.replace_targets(space.release.0, space.kind.as_str(), &targets)
}

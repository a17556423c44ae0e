//! Garbage: releases dropped, segments that no release names any more, files that no commit names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::catalog::{CatalogRead, FormRef};
use super::commit::WriteStore;
use super::paths::{STAGED, hex};
use super::segment::{Segment, SegmentBuilder, TextHash};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Stage};
use crate::ontology::SpaceName;

/// What a collection or compaction gave back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Segment files removed.
    pub segments: u64,
    /// Other files and folders removed: leftovers of interrupted writers, model files of no encoder.
    pub leftovers: u64,
    /// Bytes of the removed files, less those of the files written instead.
    pub bytes: u64,
}

/// Forms of a segment that releases name, and the run in which each is to lie when it is copied.
type LiveForms = BTreeMap<u32, u32>;

/// Segments are rewritten up to this size, as an ingest writes them.
pub(crate) const SEGMENT_BYTES: usize = 128 << 20;

impl WriteStore {
    /// Forgets the releases of an ontology, version and language. Its segments stay until they are collected.
    pub(crate) fn drop_release(&mut self, name: &SpaceName) -> Result<()> {
        let (number, _) = self.catalog()?.find_release(name)?;
        self.change(|store| store.catalog()?.remove_release(number))
    }

    /// Removes the segments that no release names and the files that no commit names. Commits.
    ///
    /// Files go after the commit, so that a crash leaves files without an entry and never an entry without its file.
    pub(crate) fn collect(&mut self) -> Result<Reclaimed> {
        let live = self.live_forms()?;
        let segments = self.catalog()?.segments()?;
        let dead = segments.iter().map(|(number, _)| *number).filter(|number| !live.contains_key(number));
        let dead: BTreeSet<u32> = dead.collect();
        if !dead.is_empty() {
            self.change(|store| store.catalog()?.remove_segments(&dead))?;
        }
        self.commit()?;
        self.remove_unnamed_files()
    }

    /// Rewrites the segments that hold embeddings of no release, joins small ones, and collects. Commits.
    pub(crate) fn compact(&mut self, monitor: &Monitor) -> Result<Reclaimed> {
        // What is staged becomes readable under its final name, and survives when the rewriting does not come to an end.
        self.commit()?;
        let before = self.segment_bytes()?;
        let wasteful = self.wasteful_segments()?;
        if !wasteful.is_empty() {
            self.change(|store| store.rewrite(&wasteful, monitor))?;
        }
        let reclaimed = self.collect()?;
        let catalog = self.paths().catalog();
        let size = self.paths().files().size(&catalog)?;
        self.compact_catalog()?;
        let bytes =
            before.saturating_sub(self.segment_bytes()?) + size.saturating_sub(self.paths().files().size(&catalog)?);
        Ok(Reclaimed { bytes, ..reclaimed })
    }

    /// The sizes of all files in the folder of segments together.
    fn segment_bytes(&self) -> Result<u64> {
        let (files, folder) = (self.paths().files(), self.paths().segments());
        files.names(&folder)?.iter().map(|name| files.size(&folder.join(name))).sum()
    }

    /// The forms that releases name, by segment, each with the number of the kind that has it in the newest of them.
    fn live_forms(&mut self) -> Result<HashMap<u32, LiveForms>> {
        let catalog = self.catalog()?;
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
    fn wasteful_segments(&mut self) -> Result<BTreeMap<u32, LiveForms>> {
        let mut live = self.live_forms()?;
        let segments = self.catalog()?.segments()?;
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

    /// Copies live forms into new segments, encoder by encoder, and points the releases at them.
    fn rewrite(&mut self, live: &BTreeMap<u32, LiveForms>, monitor: &Monitor) -> Result<()> {
        let segments: BTreeMap<u32, _> = self.catalog()?.segments()?.into_iter().collect();
        let encoders: BTreeSet<u32> =
            live.keys().filter_map(|number| segments.get(number)).map(|record| record.encoder).collect();
        let (mut moved, mut done) = (HashMap::new(), 0);
        for encoder in encoders {
            let mut copier = Copier::new(self, encoder)?;
            let of_encoder = segments.iter().filter(|(_, record)| record.encoder == encoder);
            for (number, record) in of_encoder {
                let Some(forms) = live.get(number) else { continue };
                monitor.check()?;
                done += 1;
                monitor.report(Stage::Writing, done, Some(live.len() as u64));
                let segment = Segment::open(self.paths().files(), &self.paths().segment(&record.hash), &record.hash)?;
                // A copy gets a hash of its own, which would vouch for damage that the old one shows.
                segment.verify(|_| monitor.check())?;
                copier.copy(self, *number, &segment, forms)?;
            }
            copier.finish(self)?;
            self.catalog()?.put_embeddings(encoder, &copier.embeddings)?;
            moved.extend(copier.moved);
        }
        self.repoint(&moved)?;
        // Where a part of the copies came out equal to a segment that was there, that segment is the copy.
        let copies: BTreeSet<u32> = moved.values().map(|place| place.segment).collect();
        let replaced = live.keys().filter(|number| !copies.contains(number)).copied().collect();
        // The embeddings' entries were overwritten by those of the copies, or are dead.
        self.catalog()?.remove_segments(&replaced)
    }

    /// Replaces the places of moved forms in all releases.
    fn repoint(&mut self, moved: &HashMap<FormRef, FormRef>) -> Result<()> {
        let catalog = self.catalog()?;
        for (number, record) in catalog.releases()? {
            for (kind, _) in &record.kinds {
                let mut table = catalog.targets(number, kind)?;
                let mut changed = false;
                for place in table.all_forms_mut() {
                    if let Some(new) = moved.get(place) {
                        *place = *new;
                        changed = true;
                    }
                }
                if changed {
                    catalog.replace_targets(number, kind, &table)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the segments and encoders that the committed catalog does not name, and staged files. What has no name
    /// that workindex gives is someone else's and stays.
    fn remove_unnamed_files(&mut self) -> Result<Reclaimed> {
        let catalog = self.catalog()?;
        let segments: BTreeSet<String> =
            catalog.segments()?.iter().map(|(_, record)| format!("{}.seg", hex(&record.hash))).collect();
        let encoders: BTreeSet<String> =
            catalog.encoders()?.iter().map(|(_, record)| hex(&record.fingerprint)).collect();
        let mut reclaimed = Reclaimed::default();
        let files = self.paths().files();
        let folder = self.paths().segments();
        for name in files.names(&folder)?.into_iter().filter(|name| is_ours(name) && !segments.contains(name)) {
            let path = folder.join(&name);
            let bytes = files.size(&path)?;
            // A platform may refuse to remove a file that a reader has mapped; the next collection tries again.
            match files.remove_file(&path) {
                Err(error) => tracing::warn!(%error, "a dead segment stays until the next collection"),
                Ok(()) if name.starts_with(STAGED) => reclaimed.leftovers += 1,
                Ok(()) => {
                    reclaimed.segments += 1;
                    reclaimed.bytes += bytes;
                }
            }
        }
        let folder = self.paths().encoders();
        for name in files.names(&folder)?.into_iter().filter(|name| is_hash(name) && !encoders.contains(name)) {
            files.remove_dir(&folder.join(name))?;
            reclaimed.leftovers += 1;
        }
        Ok(reclaimed)
    }
}

/// Whether a writer gives such names to files in the folder of segments.
fn is_ours(name: &str) -> bool {
    name.starts_with(STAGED) || name.strip_suffix(".seg").is_some_and(is_hash)
}

fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Copies forms from old segments into new ones.
struct Copier {
    encoder: u32,
    fingerprint: [u8; 32],
    dim: usize,
    builder: SegmentBuilder,
    /// Old place and text of each form of the builder.
    waiting: Vec<(FormRef, TextHash)>,
    moved: HashMap<FormRef, FormRef>,
    embeddings: BTreeMap<TextHash, FormRef>,
}

impl Copier {
    fn new(store: &mut WriteStore, encoder: u32) -> Result<Self> {
        let record = store.catalog()?.encoder(encoder)?;
        let dim = record.dim as usize;
        let builder = SegmentBuilder::new(record.fingerprint, dim)?;
        let (waiting, moved, embeddings) = Default::default();
        Ok(Self { encoder, fingerprint: record.fingerprint, dim, builder, waiting, moved, embeddings })
    }

    fn copy(&mut self, store: &mut WriteStore, number: u32, segment: &Segment, forms: &LiveForms) -> Result<()> {
        if segment.dim() != self.dim {
            let path = store.paths().segment(segment.hash());
            return Err(Error::corrupt(&path, format!("rows of {} values", self.dim), segment.dim().to_string()));
        }
        for (&form, &run) in forms {
            self.builder.push_stored(run, segment, form)?;
            self.waiting.push((FormRef { segment: number, form }, segment.text_hash(form)));
            if self.builder.payload_bytes() >= SEGMENT_BYTES {
                self.finish(store)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, store: &mut WriteStore) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.builder, SegmentBuilder::new(self.fingerprint, self.dim)?);
        let places = store.stage(self.encoder, full)?;
        for ((old, text), new) in self.waiting.drain(..).zip(places) {
            self.moved.insert(old, new);
            self.embeddings.insert(text, new);
        }
        Ok(())
    }
}

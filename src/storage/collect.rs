//! Garbage: releases dropped, segments that no release names any more, files that no commit names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::catalog::{CatalogRead, FormRef};
use super::commit::WriteStore;
use super::live::{LiveForms, dead_encoders, live_forms, unnamed, wasteful_segments};
use super::paths::STAGED;
use super::segment::{SegmentBuilder, StoredForms, TextHash, open_stored};
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

/// Segments are rewritten up to this size, as an ingest writes them.
pub(crate) const SEGMENT_BYTES: usize = 128 << 20;

impl WriteStore {
    /// Forgets the releases of an ontology, version and language. Its segments stay until they are collected.
    pub(crate) fn drop_release(&mut self, name: &SpaceName) -> Result<()> {
        let (number, _) = self.catalog()?.find_release(name)?;
        self.change(|store| store.catalog()?.remove_release(number))
    }

    /// Removes the segments that no release names, encoders that nothing is embedded with, and the files that no commit names.
    /// Commits.
    ///
    /// Files go after the commit, so that a crash leaves files without an entry and never an entry without its file.
    pub(crate) fn collect(&mut self) -> Result<Reclaimed> {
        let catalog = self.catalog()?;
        let live = live_forms(&catalog)?;
        let segments = catalog.segments()?;
        let dead = segments.iter().map(|(number, _)| *number).filter(|number| !live.contains_key(number));
        let dead: BTreeSet<u32> = dead.collect();
        let encoders = dead_encoders(&catalog)?;
        if !dead.is_empty() || !encoders.is_empty() {
            self.change(|store| {
                let catalog = store.catalog()?;
                catalog.remove_segments(&dead)?;
                // No release is by them, so that all their segments are among the dead.
                catalog.remove_encoders(&encoders)
            })?;
        }
        self.commit()?;
        self.remove_unnamed_files()
    }

    /// Rewrites the segments that hold embeddings of no release, joins small ones, and collects. Commits.
    pub(crate) fn compact(&mut self, monitor: &Monitor) -> Result<Reclaimed> {
        // What is staged becomes readable under its final name, and survives when the rewriting does not come to an end.
        self.commit()?;
        let (folders, catalog_then) = self.index_bytes()?;
        let catalog = self.catalog()?;
        let wasteful = wasteful_segments(&catalog, live_forms(&catalog)?)?;
        if !wasteful.is_empty() {
            self.change(|store| store.rewrite(&wasteful, monitor))?;
        }
        let reclaimed = self.collect()?;
        self.compact_catalog()?;
        let (folders_now, catalog_now) = self.index_bytes()?;
        // A catalog that grew because a reader kept it from being compacted has free pages, which later changes fill.
        let bytes = folders.saturating_sub(folders_now).saturating_add(catalog_then.saturating_sub(catalog_now));
        Ok(Reclaimed { bytes, ..reclaimed })
    }

    /// The sizes of all files in the folders of segments and encoders together, and of the catalog.
    fn index_bytes(&self) -> Result<(u64, u64)> {
        let (files, paths) = (self.paths().files(), self.paths());
        let folders = files.total_bytes(&paths.segments())?.saturating_add(files.total_bytes(&paths.encoders())?);
        Ok((folders, files.size(&paths.catalog())?))
    }

    /// Copies live forms into new segments, encoder by encoder, and points the releases at them.
    pub(super) fn rewrite(&mut self, live: &BTreeMap<u32, LiveForms>, monitor: &Monitor) -> Result<()> {
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
                let segment = open_stored(self.paths(), record)?;
                // A copy gets a hash of its own, which would vouch for damage that the old one shows.
                segment.verify(&mut |_| monitor.check())?;
                copier.copy(self, *number, segment.as_ref(), forms)?;
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
        let paths = self.paths().clone();
        let unnamed = unnamed(&paths, &self.catalog()?)?;
        let (mut reclaimed, files) = (Reclaimed::default(), paths.files());
        // What cannot be removed does not undo the commit: a platform may refuse to remove a file that a reader has mapped; the next
        // collection tries again.
        for name in unnamed.segments {
            let path = paths.segments().join(&name);
            match files.size(&path).and_then(|bytes| files.remove_file(&path).map(|()| bytes)) {
                Err(error) => tracing::warn!(%error, "a dead segment stays until the next collection"),
                Ok(_) if name.starts_with(STAGED) => reclaimed.leftovers += 1,
                Ok(bytes) => {
                    reclaimed.segments += 1;
                    reclaimed.bytes += bytes;
                }
            }
        }
        for name in unnamed.encoders {
            let folder = paths.encoders().join(&name);
            match files.total_bytes(&folder).and_then(|bytes| self.remove_model(&name).map(|()| bytes)) {
                Err(error) => tracing::warn!(%error, "the files of a dead encoder stay until the next collection"),
                Ok(bytes) => {
                    reclaimed.leftovers += 1;
                    reclaimed.bytes += bytes;
                }
            }
        }
        Ok(reclaimed)
    }

    /// Removes a folder of model files. It goes under a staged name first, so that a reader finds all of it or nothing.
    pub(super) fn remove_model(&mut self, name: &str) -> Result<()> {
        let folder = self.paths().encoders();
        let removed = if name.starts_with(STAGED) { folder.join(name) } else { self.staged_name(&folder) };
        if !name.starts_with(STAGED) {
            self.paths().files().rename(&folder.join(name), &removed)?;
        }
        self.paths().files().remove_dir(&removed)
    }
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

    fn copy(
        &mut self,
        store: &mut WriteStore,
        number: u32,
        segment: &dyn StoredForms,
        forms: &LiveForms,
    ) -> Result<()> {
        if segment.dim() != self.dim {
            let path = store.paths().segment(segment.hash());
            return Err(Error::corrupt(&path, format!("rows of {} values", self.dim), segment.dim().to_string()));
        }
        for (&form, &run) in forms {
            // A form has at least one row; nothing but a damaged catalog names one that is not there.
            if segment.rows(form).is_empty() {
                let expected = format!("a form of segment {number}");
                return Err(Error::corrupt(&store.paths().catalog(), expected, format!("form {form}")));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ontology::{Concept, Forms, Kind, ReleaseBuilder};
    use crate::storage::Paths;
    use crate::storage::catalog::EncoderRecord;
    use crate::storage::segment::text_hash;
    use crate::token_matrix::TokenMatrix;

    /// A catalog whose pages are sound and that names a form which its segment does not have.
    #[test]
    fn a_form_that_is_not_there_is_damage_and_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(&folder.path().join("index"));
        let record = EncoderRecord { fingerprint: [7; 32], name: "by hand".to_string(), dim: 4, settings: None };
        for beyond in [2, 15, 16, u32::MAX] {
            let mut store = match paths.files().exists(paths.root()).unwrap() {
                true => WriteStore::open(paths.clone()).unwrap(),
                false => WriteStore::create(paths.clone(), &record, None).unwrap(),
            };
            let mut builder = SegmentBuilder::new([7; 32], 4).unwrap();
            for form in 0..2 {
                let matrix = TokenMatrix::new(4, vec![beyond as f32, form as f32, 1.0, 2.0]).unwrap();
                builder.push(0, text_hash(&format!("{beyond}, {form}"), &None), &matrix).unwrap();
            }
            let segment = store.stage(0, builder).unwrap()[0].segment;
            let mut release = ReleaseBuilder::new("list", &beyond.to_string(), "en").unwrap();
            release.add(Concept::new("id", Kind::SKILL, "weld"), "list", 1);
            let place = |_: &Kind, _: &str| Some(FormRef { segment, form: beyond });
            store.catalog().unwrap().put_release(&release.finish().0, Forms::All, 0, &place).unwrap();
            assert!(store.commit().unwrap());
            let refused = store.compact(&Monitor::silent());
            assert!(matches!(&refused, Err(Error::Corrupt { path, .. }) if *path == paths.catalog()), "{refused:?}");
        }
    }
}

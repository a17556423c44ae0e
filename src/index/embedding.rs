//! From texts to embeddings in segments: what ingesting and re-indexing share.

use std::collections::{BTreeMap, HashMap};

use super::memory::Budget;
use crate::error::Result;
use crate::monitor::{Monitor, Stage};
use crate::ontology::Kind;
use crate::storage::WriteStore;
use crate::storage::catalog::{EncoderRecord, FormRef};
use crate::storage::segment::{SegmentBuilder, SideKey, TextHash};
use crate::token_matrix::TokenMatrix;

/// What is asked of an encoder.
pub(super) trait Embed {
    /// What tells embeddings of concepts of a kind from those of others with the same texts.
    fn side_key(&self, kind: &Kind) -> SideKey;

    /// Embeds texts of concepts of a kind; returns each text's matrix and whether the text was truncated.
    fn embed(&mut self, texts: &[&str], kind: &Kind, monitor: &Monitor) -> Result<Vec<(TokenMatrix, bool)>>;

    /// Loads what embedding needs, and says how large the matrix of a text can become: rows, and values a row.
    fn load(&mut self) -> Result<(usize, usize)>;
}

/// A surface form, on the side of the first kind that has it there.
pub(super) struct Text<'r> {
    pub(super) text: &'r str,
    pub(super) kind: &'r Kind,
    pub(super) side: SideKey,
    /// The number of the kind: a space's rows lie together.
    pub(super) run: u32,
    pub(super) hash: TextHash,
}

/// Embeds texts part by part and writes segments as they become full.
pub(super) struct Embedder {
    encoder: u32,
    record: EncoderRecord,
    budget: Budget,
    builder: SegmentBuilder,
    /// The texts of the builder.
    waiting: Vec<TextHash>,
    /// Segments written so far.
    staged: u64,
    /// The places of the texts in segments written so far.
    pub(super) places: HashMap<TextHash, FormRef>,
    /// Texts embedded so far.
    pub(super) embedded: usize,
    /// Of these, those that were longer than the encoder reads.
    pub(super) truncated: usize,
}

impl Embedder {
    pub(super) fn new(encoder: u32, record: EncoderRecord, budget: Budget) -> Result<Self> {
        let builder = new_builder(&record)?;
        let (waiting, staged, places, embedded, truncated) = Default::default();
        Ok(Self { encoder, record, budget, builder, waiting, staged, places, embedded, truncated })
    }

    /// How many texts it embeds at a time.
    pub(super) fn part(&self) -> usize {
        self.budget.part
    }

    /// Whether no text waits for its segment.
    pub(super) fn is_empty(&self) -> bool {
        self.builder.len() == 0
    }

    /// Embeds texts of one side, at most [`part`](Self::part) of them.
    pub(super) fn embed(
        &mut self,
        store: &mut WriteStore,
        texts: &[&Text],
        embed: &mut dyn Embed,
        monitor: &Monitor,
    ) -> Result<()> {
        monitor.check()?;
        let Some(kind) = texts.first().map(|text| text.kind) else { return Ok(()) };
        let of_part: Vec<&str> = texts.iter().map(|text| text.text).collect();
        let embedded = embed.embed(&of_part, kind, monitor)?;
        for (text, (matrix, truncated)) in texts.iter().zip(embedded) {
            self.builder.push(text.run, text.hash, &matrix)?;
            self.waiting.push(text.hash);
            self.embedded += 1;
            self.truncated += usize::from(truncated);
        }
        if self.builder.payload_bytes() >= self.budget.segment_bytes {
            self.stage(store, monitor)?;
        }
        Ok(())
    }

    /// Writes what waits as a segment, and where its texts are into the catalog.
    pub(super) fn stage(&mut self, store: &mut WriteStore, monitor: &Monitor) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.builder, new_builder(&self.record)?);
        let encoder = self.encoder;
        let waiting = std::mem::take(&mut self.waiting);
        let placed = store.change(|store| {
            let placed: BTreeMap<TextHash, FormRef> = waiting.into_iter().zip(store.stage(encoder, full)?).collect();
            store.catalog()?.put_embeddings(encoder, &placed)?;
            Ok(placed)
        })?;
        self.staged += 1;
        monitor.report(Stage::Writing, self.staged, None);
        self.places.extend(placed);
        Ok(())
    }
}

fn new_builder(record: &EncoderRecord) -> Result<SegmentBuilder> {
    SegmentBuilder::new(record.fingerprint, record.dim as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::DeclaredEncoder;
    use crate::index::{IndexWriter, WorkIndex};
    use crate::storage::Paths;
    use crate::storage::catalog::CatalogRead;
    use crate::storage::segment::text_hash;

    /// One to three rows that depend on the text's length alone.
    struct ByLength;

    impl Embed for ByLength {
        fn side_key(&self, _: &Kind) -> SideKey {
            None
        }

        fn embed(&mut self, texts: &[&str], _: &Kind, _: &Monitor) -> Result<Vec<(TokenMatrix, bool)>> {
            assert!(texts.len() <= 3, "a part is no larger than the budget says");
            let of_text = |text: &&str| {
                let rows = 1 + text.len() % 3;
                Ok((TokenMatrix::new(4, (0..rows * 4).map(|v| v as f32 + 1.0).collect())?, text.len() > 6))
            };
            texts.iter().map(of_text).collect()
        }

        fn load(&mut self) -> Result<(usize, usize)> {
            Ok((3, 4))
        }
    }

    #[test]
    fn however_little_is_done_at_a_time_every_text_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.index");
        drop(IndexWriter::create_declared(&path, &DeclaredEncoder::new("by-length", 4).unwrap()).unwrap());
        let mut store = WriteStore::open(Paths::new(&path)).unwrap();
        let (encoder, record) = store.catalog().unwrap().current_encoder().unwrap();
        let mut embedder = Embedder::new(encoder, record, Budget { part: 3, segment_bytes: 100 }).unwrap();
        let texts: Vec<String> = (0..50).map(|n| format!("text {n}")).collect();
        let kind = Kind::SKILL;
        let text = |text| Text { text, kind: &kind, side: None, run: 0, hash: text_hash(text, &None) };
        let texts: Vec<Text> = texts.iter().map(|of| text(of)).collect();
        for part in texts.iter().collect::<Vec<_>>().chunks(3) {
            embedder.embed(&mut store, part, &mut ByLength, &Monitor::silent()).unwrap();
        }
        embedder.stage(&mut store, &Monitor::silent()).unwrap();
        assert!(embedder.is_empty());
        assert_eq!((embedder.embedded, embedder.truncated, embedder.places.len()), (50, 40, 50));
        store.commit().unwrap();
        for text in &texts {
            let place = store.catalog().unwrap().embedding(encoder, &text.hash).unwrap();
            assert_eq!(place, embedder.places.get(&text.hash).copied());
        }
        let index = WorkIndex::open(&path).unwrap();
        assert!(index.info().unwrap().segments > 10);
        let report = index.verify(&Monitor::silent()).unwrap();
        assert!(report.is_intact(), "{:?}", report.problems);
    }
}

//! Typed writing of the catalog, inside a write transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use redb::{Key, ReadableTable, TableDefinition, Value, WriteTransaction};

use super::codec::{CodecError, to_archive, to_compressed};
use super::details::{BLOCK, Details};
use super::read::CatalogRead;
use super::relations::RelationColumns;
use super::tables::{self, In, failed, guarded};
use super::targets::{FormRef, TargetTable};
use super::texts::Texts;
use super::{AliasList, AttributeColumn, EncoderRecord, ReleaseRecord, SegmentRecord};
use crate::error::{Error, Result};
use crate::ontology::{Concept, Forms, Kind, Relation, Release};

/// Where the embedding of a text of a concept of some kind is.
pub(crate) type Place<'a> = dyn Fn(&Kind, &str) -> Option<FormRef> + 'a;

/// A write transaction of a catalog.
pub(crate) type CatalogWrite<'a> = In<'a, WriteTransaction>;

impl<'a> CatalogWrite<'a> {
    /// The write transaction `txn` of the catalog at `path`.
    pub(crate) fn new(path: &'a Path, txn: &'a WriteTransaction) -> Self {
        Self { path, txn }
    }

    fn put<'k, K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
        value: V::SelfType<'_>,
    ) -> Result<()> {
        guarded(self.path, || {
            let mut table = self.txn.open_table(table).map_err(failed(self.path))?;
            table.insert(key, value).map_err(failed(self.path))?;
            Ok(())
        })
    }

    fn remove<'k, K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
    ) -> Result<()> {
        guarded(self.path, || {
            let mut table = self.txn.open_table(table).map_err(failed(self.path))?;
            table.remove(key).map_err(failed(self.path))?;
            Ok(())
        })
    }

    fn retain<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
        keep: impl for<'f> FnMut(K::SelfType<'f>, V::SelfType<'f>) -> bool,
    ) -> Result<()> {
        guarded(self.path, || {
            let mut table = self.txn.open_table(table).map_err(failed(self.path))?;
            table.retain(keep).map_err(failed(self.path))
        })
    }

    /// Removes the entries of a range of keys, without a look at the others.
    fn remove_range<'k, K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
        range: Range<K::SelfType<'k>>,
    ) -> Result<()> {
        guarded(self.path, || {
            let mut table = self.txn.open_table(table).map_err(failed(self.path))?;
            table.retain_in::<K::SelfType<'k>, _>(range, |_, _| false).map_err(failed(self.path))
        })
    }

    fn encoded<T>(&self, value: std::result::Result<T, CodecError>) -> Result<T> {
        value.map_err(|problem| self.damaged("a value that can be stored", problem))
    }

    /// Creates all tables, empty.
    pub(crate) fn create_tables(&self) -> Result<()> {
        fn create<K: Key + 'static, V: Value + 'static>(
            catalog: &CatalogWrite,
            table: TableDefinition<'static, K, V>,
        ) -> Result<()> {
            catalog.txn.open_table(table).map(drop).map_err(failed(catalog.path))
        }
        tables::each_table!(create(self));
        Ok(())
    }

    /// The number after the last one of a table.
    fn next(&self, table: TableDefinition<'static, u32, &'static [u8]>) -> Result<u32> {
        let last = guarded(self.path, || {
            let table = self.txn.open_table(table).map_err(failed(self.path))?;
            let last = table.last().map_err(failed(self.path))?;
            Ok(last.map(|(number, _)| number.value()))
        })?;
        let Some(last) = last else { return Ok(0) };
        last.checked_add(1).ok_or_else(|| self.damaged("numbers below 4294967295", last))
    }

    /// Counts one more commit.
    pub(crate) fn count_commit(&self) -> Result<()> {
        // A damaged count that is at its end stays there: it only tells readers that something changed.
        self.set_meta(tables::GENERATION, self.generation()?.saturating_add(1))
    }

    /// Sets a fact about the index.
    pub(crate) fn set_meta(&self, key: &'static str, value: u64) -> Result<()> {
        self.put(tables::META, key, value)
    }

    /// Adds an encoder, unless one with its fingerprint is there; returns its number.
    pub(crate) fn put_encoder(&self, record: &EncoderRecord) -> Result<u32> {
        if let Some((number, _)) = self.find_encoder(&record.fingerprint)? {
            return Ok(number);
        }
        let number = self.next(tables::ENCODERS)?;
        self.put(tables::ENCODERS, number, self.encoded(to_archive(record))?.as_slice())?;
        Ok(number)
    }

    /// Puts another record in the place of an encoder's.
    pub(super) fn replace_encoder(&self, number: u32, record: &EncoderRecord) -> Result<()> {
        self.put(tables::ENCODERS, number, self.encoded(to_archive(record))?.as_slice())
    }

    /// Forgets encoders. The caller has seen to it that no segment is by one of them.
    pub(crate) fn remove_encoders(&self, dead: &BTreeSet<u32>) -> Result<()> {
        dead.iter().try_for_each(|&number| self.remove(tables::ENCODERS, number))
    }

    /// Adds a segment and returns its number.
    pub(crate) fn put_segment(&self, record: &SegmentRecord) -> Result<u32> {
        let number = self.next(tables::SEGMENTS)?;
        self.put(tables::SEGMENTS, number, self.encoded(to_archive(record))?.as_slice())?;
        Ok(number)
    }

    /// Forgets segments and the embeddings in them.
    pub(crate) fn remove_segments(&self, dead: &BTreeSet<u32>) -> Result<()> {
        for &number in dead {
            self.remove(tables::SEGMENTS, number)?;
        }
        self.retain(tables::EMBEDDINGS, |_, place| !dead.contains(&FormRef::unpacked(place).segment))
    }

    /// Records where the embeddings of texts are. Sorted by hash, so that the tree is written in order.
    pub(crate) fn put_embeddings(&self, encoder: u32, embeddings: &BTreeMap<[u8; 32], FormRef>) -> Result<()> {
        guarded(self.path, || {
            let mut table = self.txn.open_table(tables::EMBEDDINGS).map_err(failed(self.path))?;
            for (text, place) in embeddings {
                table.insert((encoder, text), place.packed()).map_err(failed(self.path))?;
            }
            Ok(())
        })
    }

    /// Stores a release under a new number. `place` says where the embedding of a surface form is.
    pub(crate) fn put_release(&self, release: &Release, forms: Forms, encoder: u32, place: &Place<'_>) -> Result<u32> {
        let number = self.next(tables::RELEASES)?;
        let kinds = by_kind(release);
        for (kind, concepts) in &kinds {
            self.put_space(number, kind, concepts, forms, place)?;
        }
        let relations = regrouped_relations(release, &kinds);
        let columns = self.encoded(to_compressed(&RelationColumns::new(&relations)))?;
        self.put(tables::RELATIONS, number, columns.as_slice())?;
        let record = ReleaseRecord {
            ontology: release.ontology().to_string(),
            version: release.version().to_string(),
            language: release.language().to_string(),
            attribution: release.attribution().map(str::to_string),
            encoder,
            all_forms: forms == Forms::All,
            content: content_hash(release),
            kinds: kinds.iter().map(|(kind, of_kind)| (kind.to_string(), of_kind.len() as u32)).collect(),
            n_relations: relations.len() as u32,
        };
        self.put(tables::RELEASES, number, self.encoded(to_archive(&record))?.as_slice())?;
        Ok(number)
    }

    fn put_space(
        &self,
        release: u32,
        kind: &Kind,
        concepts: &[(u32, &Concept)],
        forms: Forms,
        place: &Place<'_>,
    ) -> Result<()> {
        let of_kind = || concepts.iter().map(|(_, concept)| *concept);
        let refs = of_kind().map(|concept| forms.of(concept).map(|text| place(kind, text)).collect::<Option<Vec<_>>>());
        let refs: Vec<Vec<FormRef>> =
            refs.collect::<Option<_>>().ok_or_else(|| self.damaged("an embedding for each surface form", "none"))?;
        let columns = || {
            let ids = Texts::new(of_kind().map(|c| c.id.as_str()))?;
            let labels = Texts::new(of_kind().map(|c| c.label.as_str()))?;
            TargetTable::new(ids, labels, refs.into_iter())
        };
        let table = columns().ok_or_else(|| Error::InvalidOption {
            option: "release",
            expected: "ids, labels and surface forms that fit 2 GiB".to_string(),
            got: format!("{} concepts of kind {kind}", concepts.len()),
        })?;
        self.put(tables::SPACES, (release, kind.as_str()), self.encoded(to_archive(&table))?.as_slice())?;
        let aliases = AliasList::new(of_kind()).to_bytes();
        self.put(tables::ALIASES, (release, kind.as_str()), aliases.as_slice())?;
        self.put_details(release, kind, concepts)?;
        self.put_attributes(release, kind, concepts)
    }

    fn put_details(&self, release: u32, kind: &Kind, concepts: &[(u32, &Concept)]) -> Result<()> {
        let details = |(_, concept): &(u32, &Concept)| Details {
            alternative_labels: concept.alternative_labels.clone(),
            description: concept.description.clone(),
        };
        for (block, of_block) in (0u32..).zip(concepts.chunks(BLOCK)) {
            let block_details: Vec<Details> = of_block.iter().map(details).collect();
            let bytes = self.encoded(to_compressed(&block_details))?;
            self.put(tables::DETAILS, (release, kind.as_str(), block), bytes.as_slice())?;
        }
        Ok(())
    }

    fn put_attributes(&self, release: u32, kind: &Kind, concepts: &[(u32, &Concept)]) -> Result<()> {
        let names: BTreeSet<&String> = concepts.iter().flat_map(|(_, concept)| concept.attributes.keys()).collect();
        for name in names {
            let values = (0u32..).zip(concepts).filter_map(|(target, (_, concept))| {
                concept.attributes.get(name).map(|values| (target, values.as_slice()))
            });
            let bytes = self.encoded(to_compressed(&AttributeColumn::new(values)))?;
            self.put(tables::ATTRIBUTES, (release, kind.as_str(), name.as_str()), bytes.as_slice())?;
        }
        Ok(())
    }

    /// Replaces the targets of a space, when its token matrices have moved to another segment.
    pub(crate) fn replace_targets(&self, release: u32, kind: &str, table: &TargetTable) -> Result<()> {
        self.put(tables::SPACES, (release, kind), self.encoded(to_archive(table))?.as_slice())
    }

    /// Replaces the record of a release, when its texts have been embedded by another encoder.
    pub(crate) fn replace_release(&self, number: u32, record: &ReleaseRecord) -> Result<()> {
        self.put(tables::RELEASES, number, self.encoded(to_archive(record))?.as_slice())
    }

    /// Forgets a release.
    pub(crate) fn remove_release(&self, number: u32) -> Result<()> {
        self.remove(tables::RELEASES, number)?;
        self.remove(tables::RELATIONS, number)?;
        // Numbers end before the largest u32 (`next`), so that there is one after each.
        let next = number.saturating_add(1);
        self.remove_range(tables::SPACES, (number, "")..(next, ""))?;
        self.remove_range(tables::ALIASES, (number, "")..(next, ""))?;
        self.remove_range(tables::DETAILS, (number, "", 0)..(next, "", 0))?;
        self.remove_range(tables::ATTRIBUTES, (number, "", "")..(next, "", ""))
    }
}

/// The concepts of a release kind by kind, in the order in which the kinds first come, with their positions.
pub(super) fn by_kind(release: &Release) -> Vec<(&Kind, Vec<(u32, &Concept)>)> {
    let mut kinds: Vec<(&Kind, Vec<(u32, &Concept)>)> = Vec::new();
    for (position, concept) in (0u32..).zip(release.concepts()) {
        let at = kinds.iter().position(|(kind, _)| **kind == concept.kind).unwrap_or_else(|| {
            kinds.push((&concept.kind, Vec::new()));
            kinds.len() - 1
        });
        kinds[at].1.push((position, concept));
    }
    kinds
}

/// The relations with ends renumbered to the order of `by_kind`, sorted.
fn regrouped_relations(release: &Release, kinds: &[(&Kind, Vec<(u32, &Concept)>)]) -> Vec<Relation> {
    let mut renumbered = vec![0u32; release.concepts().len()];
    let in_order = kinds.iter().flat_map(|(_, concepts)| concepts);
    for (new, (old, _)) in (0u32..).zip(in_order) {
        renumbered[*old as usize] = new;
    }
    let renumber =
        |r: &Relation| Relation { from: renumbered[r.from as usize], to: renumbered[r.to as usize], kind: r.kind };
    let mut relations: Vec<Relation> = release.relations().iter().map(renumber).collect();
    relations.sort_unstable();
    relations
}

/// A hash of all that a release says. Equal for equal releases, however their concepts of different kinds interleave.
pub(crate) fn content_hash(release: &Release) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    let kinds = by_kind(release);
    for name in [release.ontology(), release.version(), release.language()] {
        text(name);
    }
    text(release.attribution().unwrap_or_default());
    for concept in kinds.iter().flat_map(|(_, concepts)| concepts.iter().map(|(_, concept)| concept)) {
        text(concept.kind.as_str());
        text(&concept.id);
        text(concept.description.as_deref().unwrap_or_default());
        text(&concept.surface_forms().count().to_string());
        concept.surface_forms().for_each(&mut text);
        text(&concept.attributes.len().to_string());
        for (name, values) in &concept.attributes {
            text(name);
            text(&values.len().to_string());
            values.iter().for_each(|value| text(value));
        }
    }
    for relation in regrouped_relations(release, &kinds) {
        hasher.update(&relation.from.to_le_bytes());
        hasher.update(&relation.to.to_le_bytes());
        hasher.update(&[relation.kind.code()]);
    }
    *hasher.finalize().as_bytes()
}

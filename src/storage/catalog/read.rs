//! Typed reading of the catalog, from any transaction.

use redb::TableDefinition;

use super::codec::{CodecError, from_archive, from_compressed};
use super::details::{self, Details};
use super::relations::RelationColumns;
use super::tables::{self, Tables};
use super::targets::{FormRef, TargetTable};
use super::{AliasList, AttributeColumn, EncoderRecord, ReleaseRecord, SegmentRecord};
use crate::error::{Error, Result};
use crate::ontology::{Concept, Kind, Relation, Release, ReleaseBuilder, SpaceName};

/// A table of numbered records.
type Records = TableDefinition<'static, u32, &'static [u8]>;

/// A record and its number.
pub(crate) type Numbered<T> = (u32, T);

/// What can be asked of a catalog.
pub(crate) trait CatalogRead: Tables {
    /// A fact about the index.
    fn meta(&self, key: &'static str) -> Result<Option<u64>> {
        self.value(tables::META, key, |value| value)
    }

    /// The number of commits so far.
    fn generation(&self) -> Result<u64> {
        Ok(self.meta(tables::GENERATION)?.unwrap_or(0))
    }

    /// A value that does not read as what it should be.
    fn damaged(&self, what: &str, problem: impl std::fmt::Display) -> Error {
        Error::corrupt(self.path(), what, problem.to_string())
    }

    /// The encoder that new releases are embedded with.
    fn current_encoder(&self) -> Result<Numbered<EncoderRecord>> {
        let missing = || self.damaged("the number of an encoder", "none");
        let number = self.meta(tables::ENCODER)?.and_then(|n| u32::try_from(n).ok()).ok_or_else(missing)?;
        Ok((number, self.encoder(number)?))
    }

    /// One encoder.
    fn encoder(&self, number: u32) -> Result<EncoderRecord> {
        let record = self.value(tables::ENCODERS, number, from_archive)?;
        let record = record.ok_or_else(|| self.damaged(&format!("encoder {number}"), "none"))?;
        record.map_err(|problem| self.damaged("an encoder record", problem))
    }

    /// All encoders.
    fn encoders(&self) -> Result<Vec<Numbered<EncoderRecord>>> {
        self.records(tables::ENCODERS, "an encoder record", from_archive)
    }

    /// The encoder with a fingerprint, if the index has it.
    fn find_encoder(&self, fingerprint: &[u8; 32]) -> Result<Option<Numbered<EncoderRecord>>> {
        Ok(self.encoders()?.into_iter().find(|(_, known)| known.fingerprint == *fingerprint))
    }

    /// One segment; none when the catalog has none of that number.
    fn segment(&self, number: u32) -> Result<Option<SegmentRecord>> {
        let record = self.value(tables::SEGMENTS, number, from_archive)?.transpose();
        record.map_err(|problem| self.damaged("a segment record", problem))
    }

    /// All segments.
    fn segments(&self) -> Result<Vec<Numbered<SegmentRecord>>> {
        self.records(tables::SEGMENTS, "a segment record", from_archive)
    }

    /// All releases, in order of ingestion.
    fn releases(&self) -> Result<Vec<Numbered<ReleaseRecord>>> {
        self.records(tables::RELEASES, "a release record", from_archive)
    }

    /// All records of a table, in the order of their numbers.
    fn records<T>(
        &self,
        table: Records,
        what: &str,
        decode: fn(&[u8]) -> Result<T, CodecError>,
    ) -> Result<Vec<Numbered<T>>> {
        let mut all = Vec::new();
        self.entries(table, .., |number, value| {
            all.push((number, decode(value).map_err(|problem| self.damaged(what, problem))?));
            Ok(())
        })?;
        Ok(all)
    }

    /// Where the embedding of a text is, if an encoder has one.
    fn embedding(&self, encoder: u32, text: &[u8; 32]) -> Result<Option<FormRef>> {
        self.value(tables::EMBEDDINGS, (encoder, text), FormRef::unpacked)
    }

    /// The release that a space name means: the pinned version, else the one ingested last.
    fn find_release(&self, name: &SpaceName) -> Result<Numbered<ReleaseRecord>> {
        let matches = |record: &ReleaseRecord| {
            record.ontology == name.ontology()
                && record.language == name.language()
                && name.version().is_none_or(|version| version == record.version)
                && record.kinds.iter().any(|(kind, _)| kind == name.kind().as_str())
        };
        let releases = self.releases()?;
        let available = || releases.iter().flat_map(|(_, record)| space_names(record)).collect::<Vec<_>>().join(", ");
        match releases.iter().rev().find(|(_, record)| matches(record)) {
            Some(found) => Ok(found.clone()),
            None => Err(Error::UnknownSpace { name: name.to_string(), available: available() }),
        }
    }

    /// The targets of a space.
    fn targets(&self, release: u32, kind: &str) -> Result<TargetTable> {
        let what = format!("the targets of release {release}, {kind}");
        let table: Option<_> = self.value(tables::SPACES, (release, kind), from_archive::<TargetTable>)?;
        let table = table.ok_or_else(|| self.damaged(&what, "none"))?.map_err(|p| self.damaged(&what, p))?;
        if table.is_sound() { Ok(table) } else { Err(self.damaged(&what, "columns that do not fit each other")) }
    }

    /// A block of details.
    fn details_block(&self, release: u32, kind: &str, block: u32) -> Result<Vec<Details>> {
        let what = format!("details {block} of release {release}, {kind}");
        let value = self.value(tables::DETAILS, (release, kind, block), from_compressed)?;
        value.ok_or_else(|| self.damaged(&what, "none"))?.map_err(|p| self.damaged(&what, p))
    }

    /// The surface forms of a block of a space's targets, as many lists as the block has targets; none beyond the last block.
    fn surface_forms(
        &self,
        release: u32,
        kind: &str,
        targets: &TargetTable,
        all_forms: bool,
        block: u32,
    ) -> Result<Vec<Vec<String>>> {
        let first = block as usize * details::BLOCK;
        let labels = (first..targets.len().min(first.saturating_add(details::BLOCK))).map(|at| targets.labels.get(at));
        let mut forms: Vec<Vec<String>> = labels.map(|label| label.into_iter().collect()).collect();
        if all_forms && !forms.is_empty() {
            let details = self.details_block(release, kind, block)?;
            if details.len() != forms.len() {
                return Err(self.damaged(&format!("{} concepts in details {block}", forms.len()), details.len()));
            }
            forms.iter_mut().zip(details).for_each(|(forms, details)| forms.extend(details.alternative_labels));
        }
        Ok(forms)
    }

    /// The details of one target.
    fn details(&self, release: u32, kind: &str, target: usize) -> Result<Details> {
        let (block, at) = details::place(target);
        let found = self.details_block(release, kind, block)?.into_iter().nth(at);
        found.ok_or_else(|| self.damaged(&format!("details of target {target}"), "a shorter block"))
    }

    /// The names of the attributes that a space has.
    fn attribute_names(&self, release: u32, kind: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let (first, last) = ((release, "", ""), (release.saturating_add(1), "", ""));
        self.entries(tables::ATTRIBUTES, first..last, |(of_release, of_kind, name), _| {
            if (of_release, of_kind) == (release, kind) {
                names.push(name.to_string());
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// One attribute of a space; empty when it has none of that name.
    fn attribute(&self, release: u32, kind: &str, name: &str, n_targets: usize) -> Result<AttributeColumn> {
        let what = format!("attribute {name} of release {release}, {kind}");
        match self.value(tables::ATTRIBUTES, (release, kind, name), from_compressed::<AttributeColumn>)? {
            None => Ok(AttributeColumn::default()),
            Some(Ok(column)) if column.is_sound(n_targets) => Ok(column),
            Some(Ok(_)) => Err(self.damaged(&what, "entries out of range")),
            Some(Err(problem)) => Err(self.damaged(&what, problem)),
        }
    }

    /// The relations of a release. Ends are positions in its concepts, kind after kind.
    fn relations(&self, release: u32, record: &ReleaseRecord) -> Result<Vec<Relation>> {
        let what = format!("the relations of release {release}");
        let n_concepts = record.kinds.iter().fold(0u32, |sum, (_, n)| sum.saturating_add(*n));
        let columns = self.value(tables::RELATIONS, release, from_compressed::<RelationColumns>)?;
        let columns = columns.ok_or_else(|| self.damaged(&what, "none"))?.map_err(|p| self.damaged(&what, p))?;
        columns.relations(n_concepts).ok_or_else(|| self.damaged(&what, "ends or kinds out of range"))
    }

    /// The labels of a space.
    fn aliases(&self, release: u32, kind: &str, n_targets: usize) -> Result<AliasList> {
        let what = format!("the aliases of release {release}, {kind}");
        let list = self.value(tables::ALIASES, (release, kind), |bytes| AliasList::from_bytes(bytes, n_targets))?;
        list.flatten().ok_or_else(|| self.damaged(&what, "none, or an unsorted list"))
    }

    /// All concepts of one kind of a release.
    fn concepts(&self, release: u32, kind: &str) -> Result<Vec<Concept>> {
        let targets = self.targets(release, kind)?;
        let kind_name = Kind::new(kind)?;
        let mut concepts: Vec<Concept> = targets
            .ids
            .iter()
            .zip(targets.labels.iter())
            .map(|(id, label)| Concept::new(id, kind_name.clone(), label))
            .collect();
        for (block, of_block) in concepts.chunks_mut(details::BLOCK).enumerate() {
            let details = self.details_block(release, kind, block as u32)?;
            if details.len() != of_block.len() {
                let what = format!("{} concepts in details {block} of release {release}, {kind}", of_block.len());
                return Err(self.damaged(&what, details.len()));
            }
            for (concept, details) in of_block.iter_mut().zip(details) {
                concept.alternative_labels = details.alternative_labels;
                concept.description = details.description;
            }
        }
        for name in self.attribute_names(release, kind)? {
            let column = self.attribute(release, kind, &name, concepts.len())?;
            for (concept, target) in concepts.iter_mut().zip(0..) {
                let values = column.values_of(target);
                if !values.is_empty() {
                    concept.attributes.insert(name.clone(), values);
                }
            }
        }
        Ok(concepts)
    }

    /// A release as it was ingested: its concepts kind after kind, and its relations.
    fn release(&self, number: u32, record: &ReleaseRecord) -> Result<Release> {
        let mut builder = ReleaseBuilder::new(&record.ontology, &record.version, &record.language)?;
        if let Some(attribution) = &record.attribution {
            builder.attribution(attribution);
        }
        let mut ends = Vec::new();
        for (kind, _) in &record.kinds {
            for concept in self.concepts(number, kind)? {
                ends.push((concept.kind.clone(), concept.id.clone()));
                builder.add(concept, "catalog", 0);
            }
        }
        for relation in self.relations(number, record)? {
            let (Some((from_kind, from)), Some((to_kind, to))) =
                (ends.get(relation.from as usize), ends.get(relation.to as usize))
            else {
                return Err(self.damaged("relations between concepts of the release", "an end out of range"));
            };
            builder.relate((from_kind, from), relation.kind, (to_kind, to), "catalog", 0);
        }
        Ok(builder.finish().0)
    }
}

impl<T: Tables> CatalogRead for T {}

/// The pinned names of a release's spaces.
pub(crate) fn space_names(record: &ReleaseRecord) -> impl Iterator<Item = String> {
    let name = |(kind, _): &(String, u32)| format!("{}@{}/{kind}/{}", record.ontology, record.version, record.language);
    record.kinds.iter().map(name)
}

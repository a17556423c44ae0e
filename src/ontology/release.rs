//! One published version of an ontology in one language.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::space::{check_language, check_ontology, check_version};
use super::{Concept, DefectKind, Kind, ReadReport, Relation, RelationKind, SpaceName};
use crate::error::Result;

/// One published version of an ontology in one language: an ordered list of concepts and the relations between them.
///
/// The order of the concepts is the publisher's, and with it the order of each target space. Made by the readers
/// ([`esco`](crate::esco), [`onet`](crate::onet), [`table`](crate::table)), or by hand through [`ReleaseBuilder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    ontology: String,
    version: String,
    language: String,
    attribution: Option<String>,
    concepts: Vec<Concept>,
    relations: Vec<Relation>,
}

impl Release {
    /// The ontology's name, as in a space name.
    pub fn ontology(&self) -> &str {
        &self.ontology
    }

    /// The version, as in a space name.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The language, as in a space name.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// What output that shows these concepts must say, by the publisher's licence.
    pub fn attribution(&self) -> Option<&str> {
        self.attribution.as_deref()
    }

    /// All concepts, in the publisher's order.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// All relations, sorted, each once.
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// The kinds of its concepts, sorted.
    pub fn kinds(&self) -> BTreeSet<&Kind> {
        self.concepts.iter().map(|c| &c.kind).collect()
    }

    /// The pinned name of the space of one kind.
    pub fn space_name(&self, kind: &Kind) -> SpaceName {
        SpaceName::of_release(self, kind.clone())
    }
}

/// Makes a [`Release`]: resolves ids to positions, merges duplicates, leaves out dangling relations, and counts what it
/// met in a [`ReadReport`].
///
/// ```
/// use workindex::{Concept, Kind, ReleaseBuilder};
/// let mut builder = ReleaseBuilder::new("our-list", "2026-11", "en")?;
/// builder.add(Concept::new("7", Kind::SKILL, "arc welding"), "our.csv", 2);
/// let (release, report) = builder.finish();
/// assert_eq!(release.concepts().len(), 1);
/// assert!(report.defects.is_empty());
/// # Ok::<(), workindex::Error>(())
/// ```
#[derive(Debug)]
pub struct ReleaseBuilder {
    release: Release,
    /// Positions of the concepts of each kind, by id.
    positions: HashMap<Kind, HashMap<String, u32>>,
    seen: HashSet<Relation>,
    report: ReadReport,
}

impl ReleaseBuilder {
    /// An empty release.
    ///
    /// # Errors
    /// [`Error::InvalidName`](crate::Error::InvalidName) when a part is not fit for a space name.
    pub fn new(ontology: &str, version: &str, language: &str) -> Result<Self> {
        check_ontology(ontology)?;
        check_version(version)?;
        check_language(language)?;
        let release = Release {
            ontology: ontology.to_string(),
            version: version.to_string(),
            language: language.to_string(),
            attribution: None,
            concepts: Vec::new(),
            relations: Vec::new(),
        };
        let (positions, seen, report) = Default::default();
        Ok(Self { release, positions, seen, report })
    }

    /// What output that shows these concepts must say.
    pub fn attribution(&mut self, text: &str) -> &mut Self {
        self.release.attribution = Some(text.to_string());
        self
    }

    /// The report so far, for readers to add what they met.
    pub(crate) fn report(&mut self) -> &mut ReadReport {
        &mut self.report
    }

    /// Where a concept is, if it was added.
    pub fn position(&self, kind: &Kind, id: &str) -> Option<u32> {
        self.positions.get(kind)?.get(id).copied()
    }

    /// A concept that was added, to be completed from another file.
    pub(crate) fn concept_mut(&mut self, position: u32) -> Option<&mut Concept> {
        self.release.concepts.get_mut(position as usize)
    }

    /// The concepts of one kind added so far, with their positions.
    pub(crate) fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = (u32, &Concept)> {
        (0..).zip(&self.release.concepts).filter(move |(_, concept)| concept.kind == *kind)
    }

    /// Adds a concept that was read from a row of a file, and returns its position.
    ///
    /// Labels are stripped; empty and repeated ones are dropped. A concept without an id or a label is left out and
    /// counted (`None`). When the kind already has the id, the first row stays: it gains the other's labels, and its
    /// description and attributes where it has none.
    pub fn add(&mut self, mut concept: Concept, file: &str, row: u64) -> Option<u32> {
        concept.id = concept.id.trim().to_string();
        concept.label = concept.label.trim().to_string();
        if concept.id.is_empty() || concept.label.is_empty() {
            let what = format!("id `{}`, label `{}`", concept.id, concept.label);
            self.report.note(file, DefectKind::IncompleteRow, row, what);
            return None;
        }
        if let Some(position) = self.position(&concept.kind, &concept.id) {
            self.report.note(file, DefectKind::DuplicateConcept, row, &concept.id);
            if let Some(first) = self.concept_mut(position) {
                merge(first, concept);
            }
            return Some(position);
        }
        // Readers stop at 10 million rows a file, so a release that a machine can hold stays far below this.
        let position = u32::try_from(self.release.concepts.len()).ok()?;
        self.positions.entry(concept.kind.clone()).or_default().insert(concept.id.clone(), position);
        self.release.concepts.push(concept);
        Some(position)
    }

    /// Adds an edge between two concepts, given by kind and id; returns whether it is in the release.
    ///
    /// An edge with an unknown end, a repeated edge and an edge from a concept to itself are left out and counted.
    pub fn relate(&mut self, from: (&Kind, &str), kind: RelationKind, to: (&Kind, &str), file: &str, row: u64) -> bool {
        let (Some(from_at), Some(to_at)) = (self.position(from.0, from.1), self.position(to.0, to.1)) else {
            let what = format!("{} {kind} {}", from.1, to.1);
            self.report.note(file, DefectKind::DanglingRelation, row, what);
            return false;
        };
        let defect = if from_at == to_at {
            DefectKind::SelfRelation
        } else if self.relate_positions(from_at, kind, to_at) {
            return true;
        } else {
            DefectKind::DuplicateRelation
        };
        self.report.note(file, defect, row, format!("{} {kind} {}", from.1, to.1));
        false
    }

    /// Adds an edge between two concepts that were added, given by position, unless it is there.
    pub(crate) fn relate_positions(&mut self, from: u32, kind: RelationKind, to: u32) -> bool {
        let relation = Relation { from, to, kind };
        let new = self.seen.insert(relation);
        if new {
            self.release.relations.push(relation);
        }
        new
    }

    /// The release, and what was met in making it.
    pub fn finish(mut self) -> (Release, ReadReport) {
        for concept in &mut self.release.concepts {
            clean_labels(concept);
            concept.attributes.retain(|_, values| !values.is_empty());
        }
        self.release.relations.sort_unstable();
        (self.release, self.report)
    }
}

/// Completes a concept from a later row of the same id.
fn merge(first: &mut Concept, mut other: Concept) {
    first.alternative_labels.push(other.label);
    first.alternative_labels.append(&mut other.alternative_labels);
    if first.description.is_none() {
        first.description = other.description;
    }
    for (name, values) in other.attributes {
        first.attributes.entry(name).or_insert(values);
    }
}

/// Strips the alternative labels; drops empty ones, repeated ones and the preferred label.
fn clean_labels(concept: &mut Concept) {
    let mut seen: HashSet<String> = HashSet::from([concept.label.clone()]);
    let labels = std::mem::take(&mut concept.alternative_labels);
    concept.alternative_labels = labels
        .iter()
        .map(|label| label.trim())
        .filter(|label| !label.is_empty() && seen.insert(label.to_string()))
        .map(str::to_string)
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> ReleaseBuilder {
        ReleaseBuilder::new("our-list", "1", "en").unwrap()
    }

    #[test]
    fn labels_are_cleaned() {
        let mut builder = builder();
        let mut concept = Concept::new(" 1 ", Kind::SKILL, "  weld\n");
        concept.alternative_labels = ["", " weld ", "welding", "welding ", "arc welding"].map(String::from).to_vec();
        builder.add(concept, "a.csv", 2);
        let (release, report) = builder.finish();
        assert_eq!(release.concepts()[0].id, "1");
        assert_eq!(release.concepts()[0].surface_forms().collect::<Vec<_>>(), ["weld", "welding", "arc welding"]);
        assert_eq!(report, ReadReport::default());
    }

    #[test]
    fn the_first_of_two_rows_stays_and_is_completed() {
        let mut builder = builder();
        let mut second = Concept::new("1", Kind::SKILL, "welding");
        second.description = Some("to join metal".into());
        builder.add(Concept::new("1", Kind::SKILL, "weld"), "a.csv", 2);
        assert_eq!(builder.add(second, "a.csv", 3), Some(0));
        assert_eq!(builder.add(Concept::new("1", Kind::TOOL, "weld"), "a.csv", 4), Some(1));
        let (release, report) = builder.finish();
        assert_eq!(release.concepts()[0].label, "weld");
        assert_eq!(release.concepts()[0].alternative_labels, ["welding"]);
        assert_eq!(release.concepts()[0].description.as_deref(), Some("to join metal"));
        assert_eq!(report.count(DefectKind::DuplicateConcept), 1);
        assert_eq!(report.defects[0].examples, ["row 3: 1"]);
    }

    #[test]
    fn edges_that_cannot_be_are_left_out_and_counted() {
        let mut builder = builder();
        builder.add(Concept::new("1", Kind::SKILL, "a"), "c", 2);
        builder.add(Concept::new("2", Kind::SKILL, "b"), "c", 3);
        builder.add(Concept::new("", Kind::SKILL, "b"), "c", 4);
        let skill = |id| (&Kind::SKILL, id);
        assert!(builder.relate(skill("1"), RelationKind::Broader, skill("2"), "r", 2));
        assert!(!builder.relate(skill("1"), RelationKind::Broader, skill("2"), "r", 3));
        assert!(!builder.relate(skill("1"), RelationKind::Broader, skill("1"), "r", 4));
        assert!(!builder.relate(skill("1"), RelationKind::Broader, skill("3"), "r", 5));
        let (release, report) = builder.finish();
        assert_eq!(release.relations(), [Relation { from: 0, to: 1, kind: RelationKind::Broader }]);
        for kind in [DefectKind::DuplicateRelation, DefectKind::SelfRelation, DefectKind::DanglingRelation] {
            assert_eq!(report.count(kind), 1, "{kind:?}");
        }
        assert_eq!(report.count(DefectKind::IncompleteRow), 1);
    }

    #[test]
    fn attributes_without_a_value_are_dropped() {
        let mut builder = builder();
        let mut concept = Concept::new("1", Kind::SKILL, "weld");
        concept.attributes.insert("level".to_string(), Vec::new());
        concept.attributes.insert("department".to_string(), vec!["works".to_string()]);
        builder.add(concept, "a.csv", 2);
        let (release, _) = builder.finish();
        assert_eq!(release.concepts()[0].attributes.keys().collect::<Vec<_>>(), ["department"]);
    }

    #[test]
    fn names_are_checked_once_and_printed_pinned() {
        assert!(ReleaseBuilder::new("ESCO", "1", "en").is_err());
        assert!(ReleaseBuilder::new("esco", "1/2", "en").is_err());
        assert!(ReleaseBuilder::new("esco", "1", "EN").is_err());
        let (release, _) = builder().finish();
        assert_eq!(release.space_name(&Kind::SKILL).to_string(), "our-list@1/skill/en");
    }
}

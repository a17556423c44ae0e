//! What changed between two releases.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Concept, Kind, Relation, RelationKind, Release};

/// A concept that a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedConcept {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its preferred label in the newer release, or in the older one if it was removed.
    pub label: String,
}

/// A concept whose preferred label changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relabelled {
    /// The concept, by its new label.
    pub concept: ChangedConcept,
    /// The label before.
    pub old_label: String,
}

/// A concept whose set of alternative labels changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelsChanged {
    /// The concept.
    pub concept: ChangedConcept,
    /// The alternative labels that it gained, in the newer release's order.
    pub added: Vec<String>,
    /// The alternative labels that it lost, in the older release's order.
    pub removed: Vec<String>,
}

/// A concept of which attributes appeared, disappeared or have other values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributesChanged {
    /// The concept.
    pub concept: ChangedConcept,
    /// The names of these attributes, sorted.
    pub names: Vec<String>,
}

/// What changed in the relations of one kind between concepts of two kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationsChanged {
    /// The kind of the first ends.
    pub from: Kind,
    /// What the relations mean.
    pub relation: RelationKind,
    /// The kind of the second ends.
    pub to: Kind,
    /// The relations only in the newer release, by the ids of their ends, sorted.
    pub added: Vec<(String, String)>,
    /// The relations only in the older release, by the ids of their ends, sorted.
    pub removed: Vec<(String, String)>,
    /// How many relations are in both.
    pub in_common: usize,
}

/// What changed between two releases of an ontology.
///
/// Concepts are the same when kind and id are. The lists are in the order of the newer release (`removed` in that of the
/// older one). Alternative labels are compared as sets: a publisher's reordering, which ESCO does to hundreds of
/// concepts in a release, is counted apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseDiff {
    /// Concepts only in the newer release.
    pub added: Vec<ChangedConcept>,
    /// Concepts only in the older release.
    pub removed: Vec<ChangedConcept>,
    /// Concepts with another preferred label.
    pub relabelled: Vec<Relabelled>,
    /// Concepts with other alternative labels.
    pub alternative_labels: Vec<LabelsChanged>,
    /// Concepts with the same alternative labels in another order.
    pub reordered: Vec<ChangedConcept>,
    /// Concepts with another description.
    pub descriptions: Vec<ChangedConcept>,
    /// Concepts with other attributes.
    pub attributes: Vec<AttributesChanged>,
    /// Changes of relations, for each combination of kinds that has any relation.
    pub relations: Vec<RelationsChanged>,
    /// Concepts that are equal in both, relations aside.
    pub unchanged: usize,
}

impl ReleaseDiff {
    /// Compares all kinds of concepts and all relations.
    pub fn between(old: &Release, new: &Release) -> Self {
        Self::compare(old, new, |_| true)
    }

    /// Compares the concepts of one kind, and the relations that have one of them at either end.
    pub fn between_kind(old: &Release, new: &Release, kind: &Kind) -> Self {
        Self::compare(old, new, |other| other == kind)
    }

    /// Whether nothing changed, the order of alternative labels aside.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.relabelled.is_empty()
            && self.alternative_labels.is_empty()
            && self.descriptions.is_empty()
            && self.attributes.is_empty()
            && self.relations.iter().all(|change| change.added.is_empty() && change.removed.is_empty())
    }

    fn compare(old: &Release, new: &Release, wanted: impl Fn(&Kind) -> bool) -> Self {
        let mut diff = Self::default();
        let of_old = by_key(old, &wanted);
        let of_new = by_key(new, &wanted);
        for concept in new.concepts().iter().filter(|concept| wanted(&concept.kind)) {
            match of_old.get(&key(concept)) {
                Some(before) => diff.compare_concept(before, concept),
                None => diff.added.push(changed(concept)),
            }
        }
        let gone = old.concepts().iter().filter(|concept| wanted(&concept.kind) && !of_new.contains_key(&key(concept)));
        diff.removed = gone.map(changed).collect();
        diff.relations = compare_relations(old, new, &wanted);
        diff
    }

    fn compare_concept(&mut self, old: &Concept, new: &Concept) {
        let before = self.changes();
        if old.label != new.label {
            self.relabelled.push(Relabelled { concept: changed(new), old_label: old.label.clone() });
        }
        self.compare_alternative_labels(old, new);
        if old.description != new.description {
            self.descriptions.push(changed(new));
        }
        let names = changed_attributes(old, new);
        if !names.is_empty() {
            self.attributes.push(AttributesChanged { concept: changed(new), names });
        }
        self.unchanged += usize::from(self.changes() == before);
    }

    fn changes(&self) -> usize {
        let texts = self.relabelled.len() + self.alternative_labels.len() + self.reordered.len();
        texts + self.descriptions.len() + self.attributes.len()
    }

    fn compare_alternative_labels(&mut self, old: &Concept, new: &Concept) {
        let (old, new, concept) = (&old.alternative_labels, &new.alternative_labels, new);
        let (added, removed) = (only_in(new, old), only_in(old, new));
        if !added.is_empty() || !removed.is_empty() {
            self.alternative_labels.push(LabelsChanged { concept: changed(concept), added, removed });
        } else if old != new {
            self.reordered.push(changed(concept));
        }
    }
}

type Key<'a> = (&'a Kind, &'a str);

fn key(concept: &Concept) -> Key<'_> {
    (&concept.kind, &concept.id)
}

fn by_key<'a>(release: &'a Release, wanted: &impl Fn(&Kind) -> bool) -> HashMap<Key<'a>, &'a Concept> {
    release.concepts().iter().filter(|concept| wanted(&concept.kind)).map(|concept| (key(concept), concept)).collect()
}

fn changed(concept: &Concept) -> ChangedConcept {
    ChangedConcept { kind: concept.kind.clone(), id: concept.id.clone(), label: concept.label.clone() }
}

/// The labels of one list that the other does not have.
fn only_in(labels: &[String], others: &[String]) -> Vec<String> {
    let others: HashSet<&String> = others.iter().collect();
    labels.iter().filter(|label| !others.contains(label)).cloned().collect()
}

fn changed_attributes(old: &Concept, new: &Concept) -> Vec<String> {
    let names: BTreeSet<&String> = old.attributes.keys().chain(new.attributes.keys()).collect();
    // Values are a set too: the order of `hiddenLabels` means no more than that of other labels.
    let values = |concept: &'_ Concept, name: &String| -> Option<BTreeSet<String>> {
        concept.attributes.get(name).map(|values| values.iter().cloned().collect())
    };
    names.into_iter().filter(|name| values(old, name) != values(new, name)).cloned().collect()
}

type Group<'a> = (&'a Kind, RelationKind, &'a Kind);
type Ends<'a> = (&'a str, &'a str);

/// The relations between wanted concepts and any others, grouped by kinds.
fn grouped<'a>(release: &'a Release, wanted: &impl Fn(&Kind) -> bool) -> BTreeMap<Group<'a>, BTreeSet<Ends<'a>>> {
    let mut groups: BTreeMap<Group, BTreeSet<Ends>> = BTreeMap::new();
    for (from, kind, to) in release.relations().iter().filter_map(|relation| ends(release, relation)) {
        if wanted(&from.kind) || wanted(&to.kind) {
            groups.entry((&from.kind, kind, &to.kind)).or_default().insert((&from.id, &to.id));
        }
    }
    groups
}

fn ends<'a>(release: &'a Release, relation: &Relation) -> Option<(&'a Concept, RelationKind, &'a Concept)> {
    let concept = |at: u32| release.concepts().get(at as usize);
    Some((concept(relation.from)?, relation.kind, concept(relation.to)?))
}

fn compare_relations(old: &Release, new: &Release, wanted: &impl Fn(&Kind) -> bool) -> Vec<RelationsChanged> {
    let (old, new) = (grouped(old, wanted), grouped(new, wanted));
    let groups: BTreeSet<Group> = old.keys().chain(new.keys()).copied().collect();
    let none = BTreeSet::new();
    groups
        .into_iter()
        .map(|group| {
            let (old, new) = (old.get(&group).unwrap_or(&none), new.get(&group).unwrap_or(&none));
            let owned = |&(from, to): &Ends| (from.to_string(), to.to_string());
            RelationsChanged {
                from: group.0.clone(),
                relation: group.1,
                to: group.2.clone(),
                added: new.difference(old).map(owned).collect(),
                removed: old.difference(new).map(owned).collect(),
                in_common: new.intersection(old).count(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ontology::ReleaseBuilder;

    fn concept(id: &str, label: &str, alternative: &[&str]) -> Concept {
        let mut concept = Concept::new(id, Kind::SKILL, label);
        concept.alternative_labels = alternative.iter().map(|label| label.to_string()).collect();
        concept
    }

    fn release(concepts: Vec<Concept>, edges: &[(&str, &str)]) -> Release {
        let mut builder = ReleaseBuilder::new("esco", "1", "en").unwrap();
        concepts.into_iter().for_each(|concept| _ = builder.add(concept, "f", 1));
        for (from, to) in edges {
            builder.relate((&Kind::SKILL, from), RelationKind::Broader, (&Kind::SKILL, to), "f", 1);
        }
        builder.finish().0
    }

    fn ids<'a>(concepts: impl IntoIterator<Item = &'a ChangedConcept>) -> Vec<&'a str> {
        concepts.into_iter().map(|concept| concept.id.as_str()).collect()
    }

    #[test]
    fn every_change_is_in_its_list() {
        let mut described = concept("4", "d", &[]);
        described.description = Some("new".into());
        described.attributes.insert("code".into(), vec!["1".into()]);
        let one = |id| concept(id, "x", &["a", "b"]);
        let old = release(
            vec![one("1"), one("2"), one("3"), concept("4", "d", &[]), one("5"), one("6")],
            &[("1", "2"), ("1", "3")],
        );
        let new = release(
            vec![
                one("0"),
                concept("1", "y", &["a", "b"]),
                concept("2", "x", &["b", "a"]),
                concept("3", "x", &["b", "c"]),
                described,
                one("5"),
            ],
            &[("1", "2"), ("2", "3")],
        );
        let diff = ReleaseDiff::between(&old, &new);
        assert_eq!((ids(&diff.added), ids(&diff.removed)), (vec!["0"], vec!["6"]));
        assert_eq!((diff.relabelled[0].old_label.as_str(), diff.relabelled[0].concept.label.as_str()), ("x", "y"));
        assert_eq!(ids(&diff.reordered), ["2"]);
        assert_eq!(ids(diff.alternative_labels.iter().map(|change| &change.concept)), ["3"]);
        assert_eq!(
            (&diff.alternative_labels[0].added[0], &diff.alternative_labels[0].removed[0]),
            (&"c".into(), &"a".into())
        );
        assert_eq!(ids(&diff.descriptions), ["4"]);
        assert_eq!(diff.attributes[0].names, ["code"]);
        assert_eq!(diff.unchanged, 1);
        let relations = &diff.relations[0];
        assert_eq!((relations.added.len(), relations.removed.len(), relations.in_common), (1, 1, 1));
        assert_eq!(relations.added[0], ("2".to_string(), "3".to_string()));
        assert!(!diff.is_empty());
    }

    #[test]
    fn nothing_changes_between_equal_releases_and_directions_mirror() {
        let old = release(vec![concept("1", "a", &["b"])], &[]);
        let new = release(vec![concept("2", "a", &[])], &[]);
        assert!(ReleaseDiff::between(&old, &old).is_empty());
        let (there, back) = (ReleaseDiff::between(&old, &new), ReleaseDiff::between(&new, &old));
        assert_eq!((there.added, there.removed), (back.removed, back.added));
    }

    #[test]
    fn one_kind_is_compared_alone() {
        let mut tool = concept("1", "hammer", &[]);
        tool.kind = Kind::TOOL;
        let old = release(vec![concept("1", "a", &[])], &[]);
        let new = release(vec![concept("1", "a", &[]), tool], &[]);
        assert!(ReleaseDiff::between_kind(&old, &new, &Kind::SKILL).is_empty());
        assert_eq!(ids(&ReleaseDiff::between_kind(&old, &new, &Kind::TOOL).added), ["1"]);
    }
}

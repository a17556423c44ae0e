//! An index as a list in memory: what it should hold, and how big it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use workindex::{Concept, Forms, Kind, Release, ReleaseBuilder};

use crate::operations::Name;

/// A release in an index.
#[derive(Debug)]
pub struct Stored {
    /// Its concepts kind after kind, as an index gives it back.
    pub release: Release,
    pub forms: Forms,
}

impl Stored {
    pub fn new(release: &Release, forms: Forms) -> Self {
        Self { release: kind_after_kind(release), forms }
    }

    /// The concepts of a kind, in order.
    pub fn space(&self, kind: &Kind) -> Vec<&Concept> {
        self.release.concepts().iter().filter(|concept| concept.kind == *kind).collect()
    }

    /// The texts that are embedded.
    pub fn texts(&self) -> BTreeSet<String> {
        let concepts = self.release.concepts().iter();
        concepts.flat_map(|concept| self.texts_of(concept)).map(str::to_string).collect()
    }

    /// The texts of a concept that are embedded, the preferred label first.
    pub fn texts_of<'a>(&self, concept: &'a Concept) -> Vec<&'a str> {
        let n = if self.forms == Forms::All { usize::MAX } else { 1 };
        std::iter::once(&concept.label).chain(&concept.alternative_labels).map(String::as_str).take(n).collect()
    }

    fn line(&self) -> (&str, &str) {
        (self.release.ontology(), self.release.language())
    }

    /// The kinds that it has concepts of, in the order in which they come.
    pub fn kinds(&self) -> Vec<&Kind> {
        let mut kinds: Vec<&Kind> = self.release.concepts().iter().map(|concept| &concept.kind).collect();
        kinds.dedup();
        kinds
    }
}

fn kind_after_kind(release: &Release) -> Release {
    let mut builder = ReleaseBuilder::new(release.ontology(), release.version(), release.language()).unwrap();
    release.attribution().into_iter().for_each(|text| _ = builder.attribution(text));
    let mut kinds: Vec<&Kind> = Vec::new();
    for concept in release.concepts() {
        if !kinds.contains(&&concept.kind) {
            kinds.push(&concept.kind);
        }
    }
    for kind in kinds {
        let of_kind = release.concepts().iter().filter(|concept| concept.kind == *kind);
        of_kind.for_each(|concept| _ = builder.add(concept.clone(), "model", 1));
    }
    for relation in release.relations() {
        let [from, to] = [relation.from, relation.to].map(|at| &release.concepts()[at as usize]);
        assert!(builder.relate((&from.kind, &from.id), relation.kind, (&to.kind, &to.id), "model", 1));
    }
    builder.finish().0
}

/// A state of an index.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub generation: u64,
    /// In order of ingestion.
    pub releases: Vec<Rc<Stored>>,
    /// The texts in each segment. A text is in one at most.
    pub segments: Vec<BTreeSet<String>>,
    /// How often segments have been removed.
    pub removals: u64,
}

/// What an ingest reports.
#[derive(Debug, PartialEq, Eq)]
pub struct Ingested {
    pub unchanged: bool,
    pub previous: Option<String>,
    pub texts: usize,
    pub embedded: usize,
    /// For each kind of the release: concepts, added, removed, relabelled.
    pub kinds: BTreeMap<String, (usize, usize, usize, usize)>,
}

impl State {
    /// The release that a name means.
    pub fn find(&self, name: &Name) -> Option<&Rc<Stored>> {
        let version = name.version.map(|version| version.to_string());
        self.releases.iter().rev().find(|stored| {
            stored.line() == (name.ontology, name.language)
                && version.as_ref().is_none_or(|version| version == stored.release.version())
                && !stored.space(&name.kind).is_empty()
        })
    }

    /// The texts that releases name.
    pub fn live(&self) -> BTreeSet<String> {
        self.releases.iter().flat_map(|stored| stored.texts()).collect()
    }

    pub fn surface_forms(&self) -> usize {
        self.segments.iter().map(BTreeSet::len).sum()
    }

    pub fn texts(&self) -> impl Iterator<Item = &String> {
        self.segments.iter().flatten()
    }

    fn ingest(&mut self, new: Stored) -> Ingested {
        let same_line = |old: &Rc<Stored>| old.line() == new.line();
        let same = |old: &Rc<Stored>| same_line(old) && old.release.version() == new.release.version();
        let same = self.releases.iter().position(same);
        let texts = new.texts();
        if let Some(at) = same
            && (&self.releases[at].release, self.releases[at].forms) == (&new.release, new.forms)
        {
            return ingested(&new, Some(&self.releases[at]), true, texts.len(), 0);
        }
        let previous = self.releases.iter().rev().find(|old| same_line(old)).cloned();
        let known: BTreeSet<String> = self.texts().cloned().collect();
        let missing: BTreeSet<String> = texts.difference(&known).cloned().collect();
        let report = ingested(&new, previous.as_deref(), false, texts.len(), missing.len());
        if !missing.is_empty() {
            self.segments.push(missing);
        }
        same.into_iter().for_each(|at| _ = self.releases.remove(at));
        self.releases.push(Rc::new(new));
        report
    }

    /// Removes the segments that no release names; whether there were any.
    fn collect(&mut self) -> bool {
        let (live, before) = (self.live(), self.segments.len());
        self.segments.retain(|segment| !segment.is_disjoint(&live));
        self.removals += u64::from(self.segments.len() < before);
        self.segments.len() < before
    }

    /// Joins the live texts in one segment, because all segments are small; whether that changes anything.
    fn compact(&mut self) -> bool {
        let live = self.live();
        let done = self.segments.is_empty() || self.segments == [live.clone()];
        if !done {
            self.segments = if live.is_empty() { Vec::new() } else { vec![live] };
            self.removals += 1;
        }
        !done
    }
}

fn ingested(new: &Stored, previous: Option<&Stored>, unchanged: bool, texts: usize, embedded: usize) -> Ingested {
    let labels = |stored: &Stored, kind: &Kind| -> BTreeMap<String, String> {
        stored.space(kind).into_iter().map(|concept| (concept.id.clone(), concept.label.clone())).collect()
    };
    let mut kinds: BTreeSet<&Kind> = new.kinds().into_iter().collect();
    kinds.extend(previous.iter().flat_map(|stored| stored.kinds()));
    let compare = |kind: &Kind| {
        let now = labels(new, kind);
        let before = previous.map(|stored| labels(stored, kind)).unwrap_or_default();
        let added = now.keys().filter(|id| !before.contains_key(*id)).count();
        let removed = before.keys().filter(|id| !now.contains_key(*id)).count();
        let relabelled = now.iter().filter(|(id, label)| before.get(*id).is_some_and(|old| old != *label)).count();
        (now.len(), added, removed, relabelled)
    };
    Ingested {
        unchanged,
        previous: previous.map(|stored| stored.release.version().to_string()),
        texts,
        embedded,
        kinds: kinds.into_iter().map(|kind| (kind.to_string(), compare(kind))).collect(),
    }
}

/// An index with its writer and a reader.
#[derive(Debug, Default)]
pub struct Model {
    pub committed: Rc<State>,
    pub working: State,
    /// Whether the writer has anything to commit.
    changed: bool,
    /// What the reader sees.
    pub seen: Rc<State>,
}

impl Model {
    pub fn ingest(&mut self, new: Stored) -> Ingested {
        let report = self.working.ingest(new);
        self.changed |= !report.unchanged;
        report
    }

    pub fn drop_release(&mut self, at: usize) {
        self.working.releases.remove(at);
        self.changed = true;
    }

    /// Whether there was anything to commit.
    pub fn commit(&mut self) -> bool {
        let changed = std::mem::take(&mut self.changed);
        if changed {
            self.working.generation += 1;
            self.committed = Rc::new(self.working.clone());
        }
        changed
    }

    pub fn abort(&mut self) {
        self.working = State::clone(&self.committed);
        self.changed = false;
    }

    pub fn collect(&mut self) {
        self.changed |= self.working.collect();
        self.commit();
    }

    pub fn compact(&mut self) {
        self.commit();
        self.changed |= self.working.compact();
        self.commit();
    }

    /// Whether the reader moves on.
    pub fn refresh(&mut self) -> bool {
        let newer = self.seen.generation != self.committed.generation;
        self.seen = Rc::clone(&self.committed);
        newer
    }
}

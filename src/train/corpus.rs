//! What is learned from: skills, jobs and sentences, and which of them belong together.
//!
//! | source | skills | jobs | edges | aliases | sentences |
//! |---|---|---|---|---|---|
//! | ESCO | skills | occupations | essential and optional skills of occupations | alternative labels | descriptions of skills |
//! | O*NET | activities and technologies | occupations | activities of tasks that occupations perform; technologies that they use | alternate and reported titles | tasks, of their activities |
//! | annotated sentences | | | | | sentences, of the skills of ESCO that they ask for |
//!
//! # What is held out
//!
//! A held-out concept gives nothing: no label, no edge, no alias, no description. Nor does any other text that equals one of its labels
//! (but for case, white space and compatibility forms): an alias that it shares with a concept for training is dropped, and a
//! concept of the same preferred label too, also one of another ontology ([`Corpus::forbid`]). An annotated sentence that asks for a held-out skill is dropped whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::ontology::{Concept, Kind, RelationKind, Release, fold_label};

/// Decides which concepts are held out.
pub type HeldOut<'a> = dyn Fn(&Concept) -> bool + 'a;

/// The kinds of concepts that are learned from.
const LEARNED_KINDS: [Kind; 5] = [Kind::SKILL, Kind::OCCUPATION, Kind::ACTIVITY, Kind::TECHNOLOGY, Kind::TASK];

/// A skill for training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skill {
    /// Its preferred label.
    pub label: String,
    /// Its other labels.
    pub aliases: Vec<String>,
    /// What it means.
    pub description: Option<String>,
    /// Its jobs, rising.
    pub jobs: Vec<u32>,
    /// Sentences that ask for it, rising.
    pub sentences: Vec<u32>,
}

/// A job for training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Job {
    /// Its preferred label.
    pub label: String,
    /// Its other labels.
    pub aliases: Vec<String>,
    /// Its skills, rising.
    pub skills: Vec<u32>,
}

/// A sentence for training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence {
    /// The sentence.
    pub text: String,
    /// The skills that it asks for, rising.
    pub skills: Vec<u32>,
}

/// How much was left out because it is held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Held-out concepts, and others of the same label.
    pub concepts: usize,
    /// Edges to them.
    pub edges: usize,
    /// Aliases that are labels of a held-out concept.
    pub aliases: usize,
    /// Sentences that ask for one.
    pub sentences: usize,
}

/// Skills, jobs, sentences and their edges. Sources are added one after the other, and do not mix: what two of them call the same is
/// two concepts.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// The skills.
    pub skills: Vec<Skill>,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The sentences.
    pub sentences: Vec<Sentence>,
    /// What was left out.
    pub left_out: LeftOut,
    /// The labels of held-out concepts, folded.
    forbidden: HashSet<String>,
}

impl Corpus {
    /// Keeps the labels of a release's held-out concepts out of what is added from now on. Where several releases are learned from, forbid all
    /// of them before the first is added; a release's own are forbidden when it is added.
    pub fn forbid(&mut self, release: &Release, held_out: &HeldOut<'_>) {
        let held =
            release.concepts().iter().filter(|concept| LEARNED_KINDS.contains(&concept.kind) && held_out(concept));
        self.forbidden.extend(held.flat_map(Concept::surface_forms).map(fold_label));
    }

    /// Adds a release of ESCO.
    pub fn add_esco(&mut self, release: &Release, held_out: &HeldOut<'_>) {
        self.forbid(release, held_out);
        let skills = self.add_concepts(release, &Kind::SKILL, held_out);
        let jobs = self.add_concepts(release, &Kind::OCCUPATION, held_out);
        for relation in release.relations() {
            let needs = matches!(relation.kind, RelationKind::Essential | RelationKind::Optional);
            if needs && is_of(release, relation.from, &Kind::OCCUPATION) && is_of(release, relation.to, &Kind::SKILL) {
                self.connect(skills.get(&relation.to).copied(), jobs.get(&relation.from).copied());
            }
        }
        self.tidy();
    }

    /// Adds a release of O*NET.
    pub fn add_onet(&mut self, release: &Release, held_out: &HeldOut<'_>) {
        self.forbid(release, held_out);
        let activities = self.add_concepts(release, &Kind::ACTIVITY, held_out);
        let technologies = self.add_concepts(release, &Kind::TECHNOLOGY, held_out);
        let jobs = self.add_concepts(release, &Kind::OCCUPATION, held_out);
        let mut performers: HashMap<u32, Vec<u32>> = HashMap::new();
        for relation in release.relations().iter().filter(|relation| relation.kind == RelationKind::Performs) {
            performers.entry(relation.to).or_default().push(relation.from);
        }
        let mut of_tasks: HashMap<u32, u32> = HashMap::new();
        for relation in release.relations() {
            match relation.kind {
                RelationKind::Uses if is_of(release, relation.to, &Kind::TECHNOLOGY) => {
                    self.connect(technologies.get(&relation.to).copied(), jobs.get(&relation.from).copied());
                }
                RelationKind::PartOf => {
                    let (task, activity) = (relation.from, activities.get(&relation.to).copied());
                    for job in performers.get(&task).into_iter().flatten() {
                        self.connect(activity, jobs.get(job).copied());
                    }
                    self.add_task(release, task, activity, &mut of_tasks, held_out);
                }
                _ => {}
            }
        }
        self.tidy();
    }

    /// Adds sentences with the labels of the skills that each asks for, in the words of a release of ESCO that was added; labels that it
    /// lacks (markers of annotators) are passed over. Sentences without any skill are left out.
    pub fn add_sentences<'s>(
        &mut self,
        sentences: impl IntoIterator<Item = (&'s str, Vec<&'s str>)>,
        release: &Release,
        held_out: &HeldOut<'_>,
    ) {
        let is_held = |concept: &&Concept| concept.kind == Kind::SKILL && held_out(concept);
        let held: HashSet<&str> = release.concepts().iter().filter(is_held).map(|c| c.label.as_str()).collect();
        let places: HashMap<String, u32> =
            (0..).zip(&self.skills).map(|(at, skill)| (skill.label.clone(), at)).collect();
        for (text, labels) in sentences {
            if labels.iter().any(|label| held.contains(label)) {
                self.left_out.sentences += 1;
                continue;
            }
            let skills: BTreeSet<u32> = labels.iter().filter_map(|label| places.get(*label).copied()).collect();
            self.add_sentence(text, &skills.into_iter().collect::<Vec<_>>());
        }
        self.tidy();
    }

    /// Edges between skills and jobs.
    pub fn n_edges(&self) -> usize {
        self.skills.iter().map(|skill| skill.jobs.len()).sum()
    }

    /// All texts that can reach a batch as they are, with repetitions.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let skills = self.skills.iter().flat_map(|skill| {
            std::iter::once(&skill.label).chain(&skill.aliases).chain(&skill.description).map(String::as_str)
        });
        let jobs = self.jobs.iter().flat_map(|job| std::iter::once(&job.label).chain(&job.aliases).map(String::as_str));
        skills.chain(jobs).chain(self.sentences.iter().map(|sentence| sentence.text.as_str()))
    }

    /// Adds the concepts of a kind for training; returns where each is, by its place in the release.
    fn add_concepts(&mut self, release: &Release, kind: &Kind, held_out: &HeldOut<'_>) -> HashMap<u32, u32> {
        let mut places = HashMap::new();
        let of_kind = (0..).zip(release.concepts()).filter(|(_, concept)| concept.kind == *kind);
        for (at, concept) in of_kind {
            if held_out(concept) || self.forbidden.contains(&fold_label(&concept.label)) {
                self.left_out.concepts += 1;
                continue;
            }
            let (aliases, dropped): (Vec<String>, Vec<String>) = concept
                .alternative_labels
                .iter()
                .filter(|label| label.chars().nth(1).is_some())
                .cloned()
                .partition(|label| !self.forbidden.contains(&fold_label(label)));
            self.left_out.aliases += dropped.len();
            let label = concept.label.clone();
            if *kind == Kind::OCCUPATION {
                places.insert(at, self.jobs.len() as u32);
                self.jobs.push(Job { label, aliases, skills: Vec::new() });
            } else {
                places.insert(at, self.skills.len() as u32);
                let allowed = |text: &String| !self.forbidden.contains(&fold_label(text));
                let description = concept.description.clone().filter(allowed);
                self.skills.push(Skill { label, aliases, description, ..Skill::default() });
            }
        }
        places
    }

    fn connect(&mut self, skill: Option<u32>, job: Option<u32>) {
        match (skill, job) {
            (Some(skill), Some(job)) => {
                self.skills[skill as usize].jobs.push(job);
                self.jobs[job as usize].skills.push(skill);
            }
            _ => self.left_out.edges += 1,
        }
    }

    fn add_task(
        &mut self,
        release: &Release,
        task: u32,
        activity: Option<u32>,
        of_tasks: &mut HashMap<u32, u32>,
        held_out: &HeldOut<'_>,
    ) {
        let (Some(activity), Some(concept)) = (activity, release.concepts().get(task as usize)) else { return };
        if held_out(concept) || self.forbidden.contains(&fold_label(&concept.label)) {
            self.left_out.sentences += 1;
            return;
        }
        match of_tasks.get(&task) {
            Some(&sentence) => {
                self.sentences[sentence as usize].skills.push(activity);
                self.skills[activity as usize].sentences.push(sentence);
            }
            None => {
                of_tasks.insert(task, self.sentences.len() as u32);
                self.add_sentence(&concept.label, &[activity]);
            }
        }
    }

    fn add_sentence(&mut self, text: &str, skills: &[u32]) {
        let text = text.trim();
        if text.is_empty() || skills.is_empty() || self.forbidden.contains(&fold_label(text)) {
            return;
        }
        let at = self.sentences.len() as u32;
        skills.iter().for_each(|&skill| self.skills[skill as usize].sentences.push(at));
        self.sentences.push(Sentence { text: text.to_string(), skills: skills.to_vec() });
    }

    /// Every list rising, each once.
    fn tidy(&mut self) {
        let tidy = |list: &mut Vec<u32>| {
            list.sort_unstable();
            list.dedup();
        };
        for skill in &mut self.skills {
            tidy(&mut skill.jobs);
            tidy(&mut skill.sentences);
        }
        self.jobs.iter_mut().for_each(|job| tidy(&mut job.skills));
        self.sentences.iter_mut().for_each(|sentence| tidy(&mut sentence.skills));
    }
}

fn is_of(release: &Release, at: u32, kind: &Kind) -> bool {
    release.concepts().get(at as usize).is_some_and(|concept| concept.kind == *kind)
}

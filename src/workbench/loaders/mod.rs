//! The sets of each task, one loader per kind of source.
//!
//! | file | sets | files below the data folder |
//! |---|---|---|
//! | `esco_relations.rs` | `job2skill`, `skill2job` | `esco/<release>/` |
//! | `skill_normalisation.rs` | `skill-normalisation` | `esco/<release>/` |
//! | `job_normalisation.rs` | `job-normalisation` | `workbench/job_normalization/titles_{validation,test}.csv` |
//! | `skill_extraction.rs` | `skill-extraction/{house,tech,techwolf,skillskape}` | `workbench/skill_extraction/…` |
//! | `skill_similarity.rs` | `skill-similarity` | `workbench/skill_similarity/skillmatch.csv` |
//! | `trec.rs` | `title-similarity`, `melo/*` | `workbench/title_similarity/`, `workbench/melo_*/` |
//! | `onet.rs` | `onet-technology/*`, `onet-task/*`, `onet-title/*` | `onet/<release>/` |
//!
//! `edges.rs` makes queries of relations; `python_list.rs` and `numpy_split.rs` read and repeat what Python programs wrote and drew; `esco_labels.rs` maps labels between releases.

mod edges;
mod esco_labels;
mod esco_relations;
mod job_normalisation;
mod numpy_split;
mod onet;
mod python_list;
mod skill_extraction;
mod skill_normalisation;
mod skill_similarity;
mod trec;

use std::path::PathBuf;

use super::data::Data;
use super::dataset::{Dataset, DatasetBuilder};
use super::held_out::Holdout;
use super::task::{SetName, Split, Task};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::ontology::{Concept, Kind, Release};

#[cfg(feature = "train")]
pub use skill_extraction::read_sentences;

/// Which queries of a set are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The part of the set.
    pub split: Split,
    /// Of sets made from an ontology, only the queries whose concepts are all [held out](super::held_out) from training, in this way;
    /// [`None`](Holdout::None) for all queries, but where WorkBench has no validation part, which is then by [`Hash`](Holdout::Hash). Annotated
    /// sets are whole in any case.
    pub held_out: Holdout,
}

impl Default for Selection {
    fn default() -> Self {
        Self { split: Split::default(), held_out: Holdout::None }
    }
}

/// A set, or why there is none.
#[derive(Debug)]
pub enum Loaded {
    /// Ready to be judged on.
    Ready(Box<Dataset>),
    /// Its data is not in the folder: what was looked for.
    Missing(String),
}

impl Data {
    /// The sets of a task; of MELO one for each folder that is there.
    pub fn sets(&self, task: Task) -> Vec<SetName> {
        let parts = |parts: &[&str]| parts.iter().map(|part| SetName::part(task, *part)).collect();
        match task {
            Task::SkillExtraction => parts(&skill_extraction::PARTS.map(|part| part.name)),
            Task::Melo => trec::melo_sets(self),
            Task::OnetTechnology | Task::OnetTask | Task::OnetTitle => parts(&onet::PARTS),
            _ => vec![SetName::of(task)],
        }
    }

    /// Reads a set.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with file, row and column when a file is not what its name says;
    /// [`Error::Io`](crate::Error::Io); [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn load(&self, set: &SetName, selection: Selection, monitor: &Monitor) -> Result<Loaded> {
        let job = Job { data: self, set, selection, monitor };
        let loaded = match set.task() {
            Task::Job2Skill => esco_relations::job_to_skill(&job),
            Task::Skill2Job => esco_relations::skill_to_job(&job),
            Task::JobNormalisation => job_normalisation::load(&job),
            Task::SkillNormalisation => skill_normalisation::load(&job),
            Task::SkillExtraction => skill_extraction::load(&job),
            Task::SkillSimilarity => skill_similarity::load(&job),
            Task::TitleSimilarity => trec::title_similarity(&job),
            Task::Melo => trec::melo(&job),
            Task::OnetTechnology | Task::OnetTask | Task::OnetTitle => onet::load(&job),
        };
        match loaded? {
            // Nothing to judge: not a result of 0.
            Loaded::Ready(dataset) if dataset.queries().is_empty() || dataset.targets().is_empty() => {
                let files = dataset.origin().files.join(", ");
                Ok(Loaded::Missing(format!("query with a positive in {files}")))
            }
            loaded => Ok(loaded),
        }
    }
}

/// One set to be read.
struct Job<'a> {
    data: &'a Data,
    set: &'a SetName,
    selection: Selection,
    monitor: &'a Monitor,
}

impl Job<'_> {
    fn builder(&self, query_kind: &str, target_kind: Kind) -> DatasetBuilder {
        DatasetBuilder::new(self.set.clone(), self.selection.split, query_kind, target_kind)
    }

    /// What a set made from relations, which WorkBench judges whole, takes.
    fn held_out(&self) -> Holdout {
        match self.selection {
            Selection { split: Split::Validation, held_out: Holdout::None } => Holdout::Hash,
            Selection { held_out, .. } => held_out,
        }
    }

    /// A file below `workbench`, or what was looked for.
    fn annotations(&self, name: &str) -> std::result::Result<PathBuf, String> {
        self.data.annotations(name).ok_or_else(|| format!("workbench/{name}"))
    }
}

/// What was looked for when there is no release of ESCO.
fn no_esco() -> Loaded {
    Loaded::Missing("esco/<release>/, with the archives of a release of ESCO".to_string())
}

/// Says which release targets are of.
fn name_of(release: &Release) -> String {
    format!("{} {} {}", release.ontology(), release.version(), release.language())
}

/// Says that only what is held out was taken.
fn held_out_selection(what: &str, held_out: Holdout) -> String {
    format!("{what} that are held out: {}", held_out.rule())
}

fn of_kind<'r>(release: &'r Release, kind: &Kind) -> impl Iterator<Item = &'r Concept> {
    let kind = kind.clone();
    release.concepts().iter().filter(move |concept| concept.kind == kind)
}

/// Adds the concepts of a kind as targets, sorted by preferred label.
fn sorted_targets(builder: &mut DatasetBuilder, release: &Release, kind: &Kind) {
    let mut concepts: Vec<&Concept> = of_kind(release, kind).collect();
    concepts.sort_by(|a, b| a.label.cmp(&b.label));
    let n = concepts.len();
    for concept in concepts {
        builder.target(&concept.label, concept.alternative_labels.iter().map(String::as_str));
    }
    let merged = n - builder.n_targets();
    builder.leave_out("concepts of the same label, merged", merged);
}

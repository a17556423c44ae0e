//! Zero-shot O*NET: occupations and their technologies, tasks and alternate titles, each in both directions.

use super::edges::{self, Edge};
use super::{Job, Loaded, name_of, of_kind, sorted_targets};
use crate::error::Result;
use crate::ontology::{Concept, Kind, Relation, RelationKind, Release};
use crate::workbench::task::Task;

/// The set in which occupations are the queries.
const FROM_OCCUPATION: &str = "from-occupation";

/// The sets of each of the tasks: with occupations as queries, and as targets.
pub(super) const PARTS: [&str; 2] = [FROM_OCCUPATION, "to-occupation"];

/// An occupation and a text that belongs to it.
struct Pair<'r> {
    occupation: &'r Concept,
    text: &'r str,
    /// The concept whose text it is.
    concept: &'r Concept,
}

impl<'r> Pair<'r> {
    fn edge(&self, from_occupation: bool) -> Edge<'r> {
        match from_occupation {
            true => Edge { query: &self.occupation.label, concept: self.occupation, target: self.text },
            false => Edge { query: self.text, concept: self.concept, target: &self.occupation.label },
        }
    }
}

pub(super) fn load(job: &Job<'_>) -> Result<Loaded> {
    let Some(version) = job.data.onet_version() else {
        return Ok(Loaded::Missing("onet/<release>/, with the text database of a release of O*NET".to_string()));
    };
    let release = job.data.onet(&version, job.monitor)?;
    let (kind, pairs) = match job.set.task() {
        Task::OnetTechnology => (Kind::TECHNOLOGY, related(&release, &Kind::TECHNOLOGY)),
        Task::OnetTask => (Kind::TASK, related(&release, &Kind::TASK)),
        _ => (Kind::OCCUPATION, titles(&release)),
    };
    if pairs.is_empty() {
        return Ok(Loaded::Missing(format!("onet/{version}/, with the tables that {} is made of", job.set.task())));
    }
    let from_occupation = job.set.part_name() == FROM_OCCUPATION;
    let (query_kind, target_kind) = if from_occupation { (Kind::OCCUPATION, kind) } else { (kind, Kind::OCCUPATION) };
    let mut builder = job.builder(query_kind.as_str(), target_kind);
    if job.set.task() == Task::OnetTitle {
        builder.labels_are_queries();
    }
    if from_occupation {
        let mut texts: Vec<&str> = pairs.iter().map(|pair| pair.text).collect();
        texts.sort_unstable();
        texts.iter().for_each(|text| _ = builder.target(text, []));
    } else {
        sorted_targets(&mut builder, &release, &Kind::OCCUPATION);
    }
    let edges: Vec<Edge<'_>> = pairs.iter().map(|pair| pair.edge(from_occupation)).collect();
    edges::add(job, &mut builder, &edges);
    let origin = builder.origin();
    origin.files.push(format!("onet/{version}"));
    origin.release = Some(name_of(&release));
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

/// The technologies that occupations use, or the tasks that they perform.
fn related<'r>(release: &'r Release, kind: &Kind) -> Vec<Pair<'r>> {
    let concept = |at: u32| release.concepts().get(at as usize);
    let pair = |relation: &Relation| {
        let (occupation, other) = (concept(relation.from)?, concept(relation.to)?);
        let fits = matches!(relation.kind, RelationKind::Uses | RelationKind::Performs) && other.kind == *kind;
        fits.then_some(Pair { occupation, text: &other.label, concept: other })
    };
    release.relations().iter().filter_map(pair).collect()
}

/// The alternate titles of occupations, which are concepts by their occupation.
fn titles(release: &Release) -> Vec<Pair<'_>> {
    of_kind(release, &Kind::OCCUPATION)
        .flat_map(|occupation| {
            occupation.alternative_labels.iter().map(move |text| Pair { occupation, text, concept: occupation })
        })
        .collect()
}

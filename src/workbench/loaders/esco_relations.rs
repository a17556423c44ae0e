//! Job2Skill and Skill2Job: the relations between occupations and skills, essential and optional alike.
//!
//! Queries are the preferred labels of concepts with relations; the positives of concepts with the same label are one set.

use super::edges::{self, Edge};
use super::{Job, Loaded, name_of, no_esco, sorted_targets};
use crate::error::Result;
use crate::ontology::{Kind, Relation, RelationKind};

pub(super) fn job_to_skill(job: &Job<'_>) -> Result<Loaded> {
    load(job, &Kind::OCCUPATION, &Kind::SKILL)
}

pub(super) fn skill_to_job(job: &Job<'_>) -> Result<Loaded> {
    load(job, &Kind::SKILL, &Kind::OCCUPATION)
}

/// From the concepts of one kind to those of the other.
fn load(job: &Job<'_>, from: &Kind, to: &Kind) -> Result<Loaded> {
    let Some(version) = job.data.esco_version(None) else { return Ok(no_esco()) };
    let release = job.data.esco(&version, job.monitor)?;
    let mut builder = job.builder(from.as_str(), to.clone());
    sorted_targets(&mut builder, &release, to);
    let edge = |relation: &Relation| {
        let ends = [relation.from, relation.to].map(|at| release.concepts().get(at as usize));
        let [Some(one), Some(other)] = ends else { return None };
        let (query, target) = if one.kind == *from { (one, other) } else { (other, one) };
        let fits = matches!(relation.kind, RelationKind::Essential | RelationKind::Optional)
            && query.kind == *from
            && target.kind == *to;
        fits.then_some(Edge { query: &query.label, concept: query, target: &target.label })
    };
    let edges: Vec<Edge<'_>> = release.relations().iter().filter_map(edge).collect();
    edges::add(job, &mut builder, &edges);
    let origin = builder.origin();
    origin.files.push(format!("esco/{version}"));
    origin.release = Some(name_of(&release));
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

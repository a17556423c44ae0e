//! Skill normalisation: the alternative labels of ESCO's skills, and the skills that have them.
//!
//! As in WorkRB: labels of one character and those equal to the preferred label are dropped; a label that several skills share has
//! several positives; going through the labels in the order of the release, one goes to validation when any of its skills
//! has had none yet, and to test otherwise.

use std::collections::{HashMap, HashSet};

use super::{Job, Loaded, held_out_selection, name_of, no_esco, of_kind, sorted_targets};
use crate::error::Result;
use crate::ontology::{Concept, Kind, Release};
use crate::workbench::held_out::Holdout;
use crate::workbench::task::Split;

pub(super) fn load(job: &Job<'_>) -> Result<Loaded> {
    let Some(version) = job.data.esco_version(None) else { return Ok(no_esco()) };
    let release = job.data.esco(&version, job.monitor)?;
    let mut builder = job.builder(Kind::SKILL.as_str(), Kind::SKILL);
    builder.labels_are_queries();
    sorted_targets(&mut builder, &release, &Kind::SKILL);
    let held_out = job.selection.held_out;
    let takes_held_out = held_out != Holdout::None;
    let of_held_out = held_out_labels(&release, held_out);
    let (mut not_held_out, mut seen) = (0, HashSet::new());
    for (alternative, skills) in labels_and_skills(&release) {
        let first = skills.iter().any(|skill| !seen.contains(skill));
        seen.extend(skills.iter().copied());
        if (first && job.selection.split == Split::Test) || (!first && job.selection.split == Split::Validation) {
            continue;
        }
        if takes_held_out && !skills.iter().all(|skill| of_held_out.contains(skill)) {
            not_held_out += 1;
            continue;
        }
        let positives: Vec<u32> = skills.iter().filter_map(|skill| builder.position(skill)).collect();
        builder.query(alternative, positives);
    }
    builder.leave_out("labels of concepts for training", not_held_out);
    let selection = match job.selection.split {
        Split::Validation => "the first alternative label of each skill",
        Split::Test => "all alternative labels but the first of each skill",
    };
    let origin = builder.origin();
    origin.files.push(format!("esco/{version}"));
    origin.release = Some(name_of(&release));
    origin.selection = Some(match takes_held_out {
        true => format!("{selection}; {}", held_out_selection("of skills", held_out)),
        false => selection.to_string(),
    });
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

/// Every alternative label with the preferred labels of the skills that have it, in the order of the release.
fn labels_and_skills(release: &Release) -> Vec<(&str, Vec<&str>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut labels: Vec<(&str, Vec<&str>)> = Vec::new();
    for skill in of_kind(release, &Kind::SKILL) {
        for alternative in alternatives(skill) {
            let at = *places.entry(alternative).or_insert(labels.len());
            if at == labels.len() {
                labels.push((alternative, Vec::new()));
            }
            let skills = &mut labels[at].1;
            if !skills.contains(&skill.label.as_str()) {
                skills.push(&skill.label);
            }
        }
    }
    labels
}

/// The labels of more than one character. The reader has dropped repeated ones and the preferred label.
fn alternatives(skill: &Concept) -> impl Iterator<Item = &str> {
    skill.alternative_labels.iter().map(String::as_str).filter(|label| label.chars().nth(1).is_some())
}

/// The preferred labels of which every skill is held out.
fn held_out_labels(release: &Release, held_out: Holdout) -> HashSet<&str> {
    let skills = || of_kind(release, &Kind::SKILL);
    let trained: HashSet<&str> =
        skills().filter(|skill| !held_out.holds_out(skill)).map(|skill| skill.label.as_str()).collect();
    skills().map(|skill| skill.label.as_str()).filter(|label| !trained.contains(label)).collect()
}

//! Skill extraction: sentences of vacancies, each with the preferred labels of the skills that it asks for.
//!
//! A file has one label a row (`sentence`, `label`) or all of a sentence's in a row (`sentence`, `skills`, a list as Python writes it). What
//! annotators wrote instead of a label (`LABEL NOT PRESENT`, `UNDERSPECIFIED`, `UNK`) is no label of ESCO, and left out with it; so are
//! sentences left without any.

use std::path::Path;

use super::esco_labels::LabelMap;
use super::{Job, Loaded, name_of, no_esco, python_list, sorted_targets};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::ontology::Kind;
use crate::ontology::source::Dialect;
use crate::workbench::data::{Header, each_row, row_error};
use crate::workbench::task::Split;

/// The release that all of them were annotated with.
const ORIGINAL: &str = "1.1.0";

/// A set of the task.
pub(super) struct Part {
    pub(super) name: &'static str,
    validation: &'static str,
    test: &'static str,
    lists: bool,
}

pub(super) const PARTS: [Part; 4] = [
    Part {
        name: "house",
        validation: "house_validation_annotations.csv",
        test: "house_test_annotations.csv",
        lists: false,
    },
    Part {
        name: "tech",
        validation: "tech_validation_annotations.csv",
        test: "tech_test_annotations.csv",
        lists: false,
    },
    Part {
        name: "techwolf",
        validation: "techwolf_validation_annotations.csv",
        test: "techwolf_test_annotations.csv",
        lists: false,
    },
    Part { name: "skillskape", validation: "skillskape_dev.csv", test: "skillskape_test.csv", lists: true },
];

/// Instead of a label: that ESCO has none, that several would do, that nothing is asked for.
const MARKERS: [&str; 3] = ["LABEL NOT PRESENT", "UNDERSPECIFIED", "UNK"];

pub(super) fn load(job: &Job<'_>) -> Result<Loaded> {
    let Some(part) = PARTS.iter().find(|part| part.name == job.set.part_name()) else {
        return Ok(Loaded::Missing(format!("a set of the name {}", job.set)));
    };
    let file = if job.selection.split == Split::Test { part.test } else { part.validation };
    let path = match job.annotations(&format!("skill_extraction/{file}")) {
        Ok(path) => path,
        Err(looked_for) => return Ok(Loaded::Missing(looked_for)),
    };
    let Some(version) = job.data.esco_version(Some(ORIGINAL)) else { return Ok(no_esco()) };
    let release = job.data.esco(&version, job.monitor)?;
    let map = LabelMap::new(job, ORIGINAL, &release, &Kind::SKILL)?;
    let mut builder = job.builder("sentence", Kind::SKILL);
    sorted_targets(&mut builder, &release, &Kind::SKILL);
    let (mut markers, mut unknown) = (0, 0);
    each_sentence(&path, part.lists, job.monitor, |sentence, labels| {
        let mut positives = Vec::new();
        for label in labels {
            match map.get(label).and_then(|label| builder.position(label)) {
                Some(target) => positives.push(target),
                None if MARKERS.contains(label) => markers += 1,
                None => unknown += 1,
            }
        }
        builder.query(sentence, positives);
    })?;
    builder.leave_out("annotations without a label", markers);
    builder.leave_out("labels that the release lacks", unknown);
    let origin = builder.origin();
    origin.files = vec![job.data.relative(&path), format!("esco/{version}")];
    origin.release = Some(name_of(&release));
    origin.mapping = map.how;
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

/// Reads sentences with the labels that each has, all in one row, as a list that Python wrote: SkillSkape's training part.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) with the row for what is no such list; [`Error::Io`](crate::Error::Io).
#[cfg(feature = "train")]
pub fn read_sentences(path: &Path, monitor: &Monitor) -> Result<Vec<(String, Vec<String>)>> {
    let mut sentences = Vec::new();
    each_sentence(path, true, monitor, |sentence, labels| {
        sentences.push((sentence.to_string(), labels.iter().map(|label| label.to_string()).collect()));
    })?;
    Ok(sentences)
}

fn each_sentence(path: &Path, lists: bool, monitor: &Monitor, mut each: impl FnMut(&str, &[&str])) -> Result<()> {
    let column = if lists { "skills" } else { "label" };
    let other: &[&str] = if lists { &["skills", "labels"] } else { &["label", "skill"] };
    let header = Header::Named(&[&["sentence"], other]);
    each_row(path, Dialect::Comma, &header, monitor, |fields, line| {
        let &[sentence, labels] = fields else { return Ok(()) };
        if !lists {
            each(sentence, &[labels]);
            return Ok(());
        }
        let problem = || format!("a list such as ['C#', 'SQL'] is expected, not {}", start_of(labels));
        let labels = python_list::read(labels).ok_or_else(|| row_error(path, line, column, problem()))?;
        each(sentence, &labels.iter().map(|label| label.trim()).collect::<Vec<_>>());
        Ok(())
    })
}

fn start_of(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    format!("{start:?}")
}

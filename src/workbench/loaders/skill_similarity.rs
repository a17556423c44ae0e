//! Skill similarity: the related pairs of SkillMatch-1K. Targets are all skills of the file.

use super::numpy_split::rest_and_test;
use super::{Job, Loaded};
use crate::error::Result;
use crate::ontology::Kind;
use crate::ontology::source::Dialect;
use crate::workbench::data::{Header, each_row, row_error};
use crate::workbench::task::Split;

const COLUMNS: Header<'_> = Header::Named(&[&["skill_a"], &["skill_b"], &["related"]]);

/// WorkRB's seed of splits, and the tenths that are the test set.
const SEED: u32 = 42;
const TEST_TENTHS: usize = 9;

pub(super) fn load(job: &Job<'_>) -> Result<Loaded> {
    let path = match job.annotations("skill_similarity/skillmatch.csv") {
        Ok(path) => path,
        Err(looked_for) => return Ok(Loaded::Missing(looked_for)),
    };
    let (mut skills, mut related) = (Vec::new(), Vec::new());
    each_row(&path, Dialect::Comma, &COLUMNS, job.monitor, |fields, line| {
        let &[one, other, is_related] = fields else { return Ok(()) };
        match is_related {
            "1" | "1.0" | "True" | "true" => related.push((one.to_string(), other.to_string())),
            "0" | "0.0" | "False" | "false" => {}
            got => return Err(row_error(&path, line, "related", format!("0 or 1 is expected, not {got:?}"))),
        }
        skills.extend([one.to_string(), other.to_string()]);
        Ok(())
    })?;
    skills.sort_unstable();
    let mut builder = job.builder(Kind::SKILL.as_str(), Kind::SKILL);
    skills.iter().filter(|skill| !skill.is_empty()).for_each(|skill| _ = builder.target(skill, []));
    let (validation, test) = rest_and_test(SEED, related.len(), TEST_TENTHS);
    let rows = if job.selection.split == Split::Test { test } else { validation };
    for (one, other) in rows.iter().filter_map(|&row| related.get(row)) {
        let positives = builder.position(other);
        builder.query(one, positives);
    }
    let origin = builder.origin();
    origin.files.push(job.data.relative(&path));
    origin.selection =
        Some(format!("the {} part of a split by seed {SEED}, nine tenths for test", job.selection.split));
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

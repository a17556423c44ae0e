//! The tables that tie occupations to tasks, activities, technologies, tools and each other.

use super::tables::{CODE, add_value};
use crate::error::Result;
use crate::ontology::source::records::{Records, Row};
use crate::ontology::{Concept, Kind, RelationKind, ReleaseBuilder};

pub(super) fn tasks(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (code, id, task) = (records.column(CODE)?, records.column("Task ID")?, records.column("Task")?);
    let task_type = records.optional("Task Type");
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (code, id, task) = (row.get(code), row.get(id), row.get(task));
        add_task(id, task, row.optional(task_type), &file, &row, builder);
        builder.relate((&Kind::OCCUPATION, code), RelationKind::Performs, (&Kind::TASK, id), &file, row.line);
    }
    Ok(())
}

/// Adds a task; a number that stands again with the same statement is the same task of one more occupation.
fn add_task(id: &str, task: &str, task_type: &str, file: &str, row: &Row, builder: &mut ReleaseBuilder) {
    let known = builder.position(&Kind::TASK, id).and_then(|position| builder.concept_mut(position));
    if let Some(known) = known.filter(|known| known.label == task) {
        add_value(known, "taskType", task_type);
        return;
    }
    let mut concept = Concept::new(id, Kind::TASK, task);
    add_value(&mut concept, "taskType", task_type);
    builder.add(concept, file, row.line);
}

pub(super) fn tasks_to_activities(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (task, activity) = (records.column("Task ID")?, records.column("DWA ID")?);
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (task, activity) = ((&Kind::TASK, row.get(task)), (&Kind::ACTIVITY, row.get(activity)));
        builder.relate(task, RelationKind::PartOf, activity, &file, row.line);
    }
    Ok(())
}

pub(super) fn technologies(records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    used(records, &Kind::TECHNOLOGY, builder)
}

pub(super) fn tools(records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    used(records, &Kind::TOOL, builder)
}

fn used(mut records: Records, kind: &Kind, builder: &mut ReleaseBuilder) -> Result<()> {
    const ATTRIBUTES: [(&str, &str); 3] = [
        ("Commodity Code", "commodityCode"),
        ("Commodity Title", "commodityTitle"),
        ("Hot Technology", "hotTechnology"),
    ];
    let (code, example) = (records.column(CODE)?, records.column("Example")?);
    let attributes = ATTRIBUTES.map(|(column, attribute)| (records.optional(column), attribute));
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (code, name) = (row.get(code), row.get(example));
        let position = builder
            .position(kind, name)
            .or_else(|| builder.add(Concept::new(name, kind.clone(), name), &file, row.line));
        let Some(concept) = position.and_then(|position| builder.concept_mut(position)) else { continue };
        attributes.iter().for_each(|&(column, attribute)| add_value(concept, attribute, row.optional(column)));
        builder.relate((&Kind::OCCUPATION, code), RelationKind::Uses, (kind, name), &file, row.line);
    }
    Ok(())
}

pub(super) fn related_occupations(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (from, to) = (records.column(CODE)?, records.column("Related O*NET-SOC Code")?);
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let ends = [from, to].map(|column| (&Kind::OCCUPATION, row.get(column)));
        builder.relate(ends[0], RelationKind::Related, ends[1], &file, row.line);
    }
    Ok(())
}

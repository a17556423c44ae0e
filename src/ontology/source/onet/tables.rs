//! The tables that describe occupations and activities.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::ontology::source::records::Records;
use crate::ontology::{Concept, DefectKind, Kind, ReleaseBuilder};

pub(super) const CODE: &str = "O*NET-SOC Code";

/// How the tables write that there is nothing.
pub(super) const NOTHING: &str = "n/a";

/// Adds a value to an attribute, once.
pub(super) fn add_value(concept: &mut Concept, attribute: &str, value: &str) {
    if value.is_empty() || value == NOTHING {
        return;
    }
    let values = concept.attributes.entry(attribute.to_string()).or_default();
    if !values.iter().any(|other| other == value) {
        values.push(value.to_string());
    }
}

pub(super) fn occupations(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (code, title) = (records.column(CODE)?, records.column("Title")?);
    let description = records.optional("Description");
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let mut concept = Concept::new(row.get(code), Kind::OCCUPATION, row.get(title));
        concept.description = Some(row.optional(description).to_string()).filter(|text| !text.is_empty());
        add_value(&mut concept, "code", row.get(code));
        builder.add(concept, &file, row.line);
    }
    Ok(())
}

pub(super) fn alternate_titles(records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    titles(records, "Alternate Title", builder)
}

pub(super) fn reported_titles(records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    titles(records, "Reported Job Title", builder)
}

fn titles(mut records: Records, column: &str, builder: &mut ReleaseBuilder) -> Result<()> {
    let (code, title) = (records.column(CODE)?, records.column(column)?);
    let short = records.optional("Short Title");
    let file = records.name();
    let mut seen = HashSet::new();
    while let Some(row) = records.next(builder.report())? {
        let (code, title) = (row.get(code), row.get(title));
        let position = builder.position(&Kind::OCCUPATION, code);
        let Some(occupation) = position.and_then(|position| builder.concept_mut(position)) else {
            builder.report().note(&file, DefectKind::UnknownConcept, row.line, code);
            continue;
        };
        let titles = [title, row.optional(short)].into_iter().filter(|title| *title != NOTHING);
        occupation.alternative_labels.extend(titles.map(str::to_string));
        if !seen.insert((position, title.to_string())) {
            builder.report().note(&file, DefectKind::RepeatedRow, row.line, format!("{code} {title}"));
        }
    }
    Ok(())
}

pub(super) fn job_zones(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (code, zone) = (records.column(CODE)?, records.column("Job Zone")?);
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let position = builder.position(&Kind::OCCUPATION, row.get(code));
        match position.and_then(|position| builder.concept_mut(position)) {
            Some(occupation) => add_value(occupation, "jobZone", row.get(zone)),
            None => builder.report().note(&file, DefectKind::UnknownConcept, row.line, row.get(code)),
        }
    }
    Ok(())
}

pub(super) fn activities(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (id, title) = (records.column("DWA ID")?, records.column("DWA Title")?);
    let (iwa, element) = (records.optional("IWA ID"), records.optional("Element ID"));
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let mut concept = Concept::new(row.get(id), Kind::ACTIVITY, row.get(title));
        add_value(&mut concept, "iwaId", row.optional(iwa));
        add_value(&mut concept, "elementId", row.optional(element));
        builder.add(concept, &file, row.line);
    }
    Ok(())
}

/// Adds the titles of the intermediate activities to the detailed ones, which come first. They are no concepts: one that no
/// detailed activity names adds nothing.
pub(super) fn intermediate_activities(mut records: Records, builder: &mut ReleaseBuilder) -> Result<()> {
    let (id, title) = (records.column("IWA ID")?, records.column("IWA Title")?);
    let mut titles = HashMap::new();
    while let Some(row) = records.next(builder.report())? {
        titles.insert(row.get(id).to_string(), row.get(title).to_string());
    }
    let activities: Vec<u32> = builder.of_kind(&Kind::ACTIVITY).map(|(position, _)| position).collect();
    for position in activities {
        let Some(activity) = builder.concept_mut(position) else { continue };
        if let Some(title) = activity.attributes.get("iwaId").and_then(|ids| titles.get(ids.first()?)) {
            add_value(activity, "iwaTitle", title);
        }
    }
    Ok(())
}

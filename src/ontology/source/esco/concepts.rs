//! The concepts of ESCO, their attributes and the thematic collections that they are in.

use super::layout::{Layout, Role};
use crate::error::Result;
use crate::ontology::source::files::InputFiles;
use crate::ontology::source::records::{Dialect, Records, Row};
use crate::ontology::{Concept, DefectKind, Kind, ReleaseBuilder};

const FILES: [(Role, Kind); 4] = [
    (Role::Skills, Kind::SKILL),
    (Role::Occupations, Kind::OCCUPATION),
    (Role::IscoGroups, Kind::ISCO_GROUP),
    (Role::SkillGroups, Kind::SKILL_GROUP),
];

/// Columns that become attributes.
const ATTRIBUTES: [&str; 8] =
    ["skillType", "reuseLevel", "iscoGroup", "code", "status", "definition", "scopeNote", "regulatedProfessionNote"];

/// Columns that every skill of an official release should fill.
const SHOULD_BE_FILLED: [&str; 2] = ["skillType", "reuseLevel"];

/// Reads all concept files and collections.
pub(super) fn read(files: &mut InputFiles, layout: &Layout, builder: &mut ReleaseBuilder) -> Result<()> {
    for (role, kind) in FILES {
        if let Some(at) = layout.get(&role) {
            read_concepts(files.records(at, Dialect::Comma)?, &kind, builder)?;
        }
    }
    layout.collections().try_for_each(|(name, at)| read_collection(files.records(at, Dialect::Comma)?, name, builder))
}

/// Where the columns of a concept file are.
struct Columns {
    id: usize,
    label: usize,
    alternative_labels: Option<usize>,
    hidden_labels: Option<usize>,
    description: Option<usize>,
    attributes: Vec<(&'static str, usize)>,
}

impl Columns {
    fn of(records: &Records) -> Result<Self> {
        Ok(Self {
            id: records.column("conceptUri")?,
            label: records.column("preferredLabel")?,
            alternative_labels: records.optional("altLabels"),
            hidden_labels: records.optional("hiddenLabels"),
            description: records.optional("description"),
            attributes: ATTRIBUTES.iter().filter_map(|&name| Some((name, records.optional(name)?))).collect(),
        })
    }

    fn concept(&self, row: &Row, kind: &Kind) -> Concept {
        let mut concept = Concept::new(row.get(self.id), kind.clone(), row.get(self.label));
        concept.alternative_labels = labels(row.optional(self.alternative_labels));
        for &(name, column) in &self.attributes {
            let value = row.get(column);
            if !value.is_empty() {
                concept.attributes.insert(name.to_string(), vec![value.to_string()]);
            }
        }
        let hidden = labels(row.optional(self.hidden_labels));
        if !hidden.is_empty() {
            concept.attributes.insert("hiddenLabels".to_string(), hidden);
        }
        let definition = concept.attributes.get("definition").and_then(|values| values.first());
        concept.description = match row.optional(self.description) {
            "" => definition.cloned(),
            description => Some(description.to_string()),
        };
        concept
    }
}

fn read_concepts(mut records: Records, kind: &Kind, builder: &mut ReleaseBuilder) -> Result<()> {
    let columns = Columns::of(&records)?;
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        note_defects(&columns, &row, &file, builder);
        builder.add(columns.concept(&row, kind), &file, row.line);
    }
    Ok(())
}

fn note_defects(columns: &Columns, row: &Row, file: &str, builder: &mut ReleaseBuilder) {
    for &(name, column) in &columns.attributes {
        let (value, id) = (row.get(column), row.get(columns.id));
        if SHOULD_BE_FILLED.contains(&name) && value.is_empty() {
            builder.report().note(file, DefectKind::UnknownValue, row.line, format!("{id} has no {name}"));
        }
        if name == "status" && !value.is_empty() && value != "released" {
            builder.report().note(file, DefectKind::NotReleased, row.line, format!("{id} is {value}"));
        }
    }
}

/// Labels that stand one a line or, as in the collections, between ` | `.
fn labels(field: &str) -> Vec<String> {
    let separator = if field.contains('\n') { "\n" } else { " | " };
    field.split(separator).map(str::trim).filter(|label| !label.is_empty()).map(str::to_string).collect()
}

fn read_collection(mut records: Records, stem: &str, builder: &mut ReleaseBuilder) -> Result<()> {
    let name = stem.strip_suffix("Skills").or(stem.strip_suffix("Occupations")).unwrap_or(stem);
    let id_column = records.column("conceptUri")?;
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let id = row.get(id_column);
        let position = FILES.iter().find_map(|(_, kind)| builder.position(kind, id));
        let Some(concept) = position.and_then(|position| builder.concept_mut(position)) else {
            builder.report().note(&file, DefectKind::UnknownConcept, row.line, id);
            continue;
        };
        let collections = concept.attributes.entry("collection".to_string()).or_default();
        if !collections.iter().any(|collection| collection == name) {
            collections.push(name.to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn labels_stand_one_a_line_or_between_bars() {
        assert_eq!(labels("a b\n c | d \n\n"), ["a b", "c | d"]);
        assert_eq!(labels("a | b|c"), ["a", "b|c"]);
        assert!(labels(" ").is_empty());
    }
}

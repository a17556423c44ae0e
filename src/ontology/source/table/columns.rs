//! What the columns of a table mean, and tables whose columns have headers.

use crate::error::Result;
use crate::ontology::source::records::{Records, Row};
use crate::ontology::{Concept, Kind, ReleaseBuilder, SpaceName};

pub(super) const ID: [&str; 3] = ["id", "uri", "concepturi"];
pub(super) const LABEL: [&str; 4] = ["label", "preferredlabel", "name", "title"];
pub(super) const ALTERNATIVE_LABELS: [&str; 3] = ["alternativelabels", "altlabels", "aliases"];
pub(super) const DESCRIPTION: [&str; 1] = ["description"];
pub(super) const KIND: [&str; 1] = ["kind"];

/// A header as it is compared: `Alt Labels` as `altlabels`.
pub(super) fn fold_header(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// The labels in one field.
pub(super) fn split_labels(field: &str) -> Vec<String> {
    field.split(['\n', '|']).map(str::trim).filter(|label| !label.is_empty()).map(str::to_string).collect()
}

/// Where the columns are.
struct Columns {
    id: Option<usize>,
    label: usize,
    alternative_labels: Option<usize>,
    description: Option<usize>,
    kind: Option<usize>,
    attributes: Vec<(String, usize)>,
}

impl Columns {
    fn of(records: &Records) -> Result<Self> {
        let folded: Vec<String> = records.header().iter().map(|name| fold_header(name)).collect();
        let find = |names: &[&str]| names.iter().find_map(|name| folded.iter().position(|header| header == name));
        let (id, alternative_labels) = (find(&ID), find(&ALTERNATIVE_LABELS));
        let (description, kind) = (find(&DESCRIPTION), find(&KIND));
        let label = find(&LABEL).map_or_else(|| records.column("label"), Ok)?;
        let used = [id, Some(label), alternative_labels, description, kind];
        let others =
            records.header().iter().enumerate().filter(|(at, name)| !used.contains(&Some(*at)) && !name.is_empty());
        let attributes = others.map(|(at, name)| (name.clone(), at)).collect();
        Ok(Self { id, label, alternative_labels, description, kind, attributes })
    }

    fn concept(&self, row: &Row, kind: Kind) -> Concept {
        let label = row.get(self.label);
        let mut concept = Concept::new(self.id.map_or(label, |id| row.get(id)), kind, label);
        concept.alternative_labels = split_labels(row.optional(self.alternative_labels));
        concept.description = Some(row.optional(self.description).to_string()).filter(|text| !text.is_empty());
        for (name, column) in &self.attributes {
            let value = row.get(*column);
            if !value.is_empty() {
                concept.attributes.insert(name.clone(), vec![value.to_string()]);
            }
        }
        concept
    }
}

/// Reads a table with a header.
pub(super) fn read(mut records: Records, space: &SpaceName, builder: &mut ReleaseBuilder) -> Result<()> {
    let columns = Columns::of(&records)?;
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (line, given) = (row.line, row.optional(columns.kind));
        let kind = if given.is_empty() { Ok(space.kind().clone()) } else { Kind::new(given) };
        match kind {
            Ok(kind) => _ = builder.add(columns.concept(&row, kind), &file, line),
            Err(error) => return Err(records.error_at(line, columns.kind, error.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_labels_are_read_loosely() {
        assert_eq!(fold_header("Alt Labels"), "altlabels");
        assert_eq!(fold_header("preferred_label"), fold_header("preferredLabel"));
        assert_eq!(split_labels(" a |b\n\n| c"), ["a", "b", "c"]);
    }
}

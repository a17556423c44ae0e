//! Texts out of releases and table columns.

use std::collections::HashSet;

use workindex::{Kind, Release};

use super::sources::Column;

/// The texts of a column, cells of several lines cut into lines; nothing when the table is not there.
pub fn column(column: &Column) -> Vec<String> {
    if !column.path.is_file() {
        eprintln!("no list at {}", column.path.display());
        return Vec::new();
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(column.delimiter)
        .quoting(column.delimiter == b',')
        .has_headers(column.header)
        .flexible(true)
        .from_path(&column.path)
        .expect("a readable table");
    let cells = reader.records().map(|record| record.expect("a readable row"));
    let texts =
        cells.flat_map(|row| row.get(column.index).unwrap_or_default().lines().map(str::to_string).collect::<Vec<_>>());
    texts.collect()
}

/// The preferred labels of the concepts of one kind.
pub fn labels(release: &Release, kind: &Kind) -> Vec<String> {
    release.concepts().iter().filter(|concept| &concept.kind == kind).map(|concept| concept.label.clone()).collect()
}

/// The alternative labels of all concepts.
pub fn alternative_labels(release: &Release) -> Vec<String> {
    release.concepts().iter().flat_map(|concept| concept.alternative_labels.clone()).collect()
}

/// The descriptions of all concepts.
pub fn descriptions(release: &Release) -> Vec<String> {
    release.concepts().iter().filter_map(|concept| concept.description.clone()).collect()
}

/// Texts in the order in which they were first added, each once, stripped, none empty.
#[derive(Default)]
pub struct DistinctTexts {
    texts: Vec<String>,
    seen: HashSet<String>,
}

impl DistinctTexts {
    /// Texts that are never to be added.
    pub fn without<'a>(texts: impl IntoIterator<Item = &'a String>) -> Self {
        Self { texts: Vec::new(), seen: texts.into_iter().cloned().collect() }
    }

    pub fn add(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            let text = text.trim();
            if !text.is_empty() && self.seen.insert(text.to_string()) {
                self.texts.push(text.to_string());
            }
        }
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn finish(self) -> Vec<String> {
        self.texts
    }
}

//! What a reader met in the files: how many rows of what, and every defect, counted and with its first places.

use std::fmt;

/// What is wrong with a row that was read around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DefectKind {
    /// A relation names a concept that the release does not have; the relation is left out.
    DanglingRelation,
    /// The same relation again; kept once.
    DuplicateRelation,
    /// The same concept again; the first row stays, alternative labels of the others are added to it.
    DuplicateConcept,
    /// A row with more or fewer fields than the header; missing fields are empty, further ones are dropped.
    RaggedRow,
    /// A row without an id or a label; left out.
    IncompleteRow,
    /// A field whose value is none of the known ones; the row is kept if it makes sense without the field.
    UnknownValue,
    /// A concept that the publisher marks as not released (obsolete, proposed); kept, with its `status` attribute.
    NotReleased,
    /// A relation of a concept with itself; left out.
    SelfRelation,
    /// A relation whose type is empty or none of the known ones; left out.
    UnknownRelation,
    /// A row about a concept that the release does not have; left out.
    UnknownConcept,
    /// A row that says again what an earlier row of the file says; dropped.
    RepeatedRow,
}

impl DefectKind {
    /// What happened, in the words of a report.
    pub fn as_str(self) -> &'static str {
        match self {
            DefectKind::DanglingRelation => "relations with an unknown end, left out",
            DefectKind::DuplicateRelation => "repeated relations, kept once",
            DefectKind::DuplicateConcept => "repeated concepts, merged into the first",
            DefectKind::RaggedRow => "rows with too many or too few fields",
            DefectKind::IncompleteRow => "rows without id or label, left out",
            DefectKind::UnknownValue => "rows with an unknown or empty value, kept",
            DefectKind::NotReleased => "concepts not in status released, kept",
            DefectKind::SelfRelation => "relations of a concept with itself, left out",
            DefectKind::UnknownRelation => "relations of an unknown or empty type, left out",
            DefectKind::UnknownConcept => "rows about a concept that is not in the release, left out",
            DefectKind::RepeatedRow => "rows that repeat an earlier one, dropped",
        }
    }
}

/// One kind of defect in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The file, by its name inside the folder or archive.
    pub file: String,
    /// What is wrong.
    pub kind: DefectKind,
    /// How many rows.
    pub count: u64,
    /// The first of them, as "row 12: …"; at most [`ReadReport::EXAMPLES`].
    pub examples: Vec<String>,
}

/// What reading a release found. Nothing is lost in silence: a row is in the release, or counted here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// The files that were read, with their number of data rows.
    pub files: Vec<(String, u64)>,
    /// The files that were there and that this version does not use.
    pub unused_files: Vec<String>,
    /// All defects, by file and kind.
    pub defects: Vec<Defect>,
}

impl ReadReport {
    /// How many examples of a defect are kept.
    pub const EXAMPLES: usize = 3;

    /// Number of rows with the given defect, over all files.
    pub fn count(&self, kind: DefectKind) -> u64 {
        self.defects.iter().filter(|d| d.kind == kind).map(|d| d.count).sum()
    }

    /// Counts a defect.
    pub(crate) fn note(&mut self, file: &str, kind: DefectKind, row: u64, what: impl fmt::Display) {
        let at = self.defects.iter().position(|d| d.kind == kind && d.file == file).unwrap_or_else(|| {
            self.defects.push(Defect { file: file.to_string(), kind, count: 0, examples: Vec::new() });
            self.defects.len() - 1
        });
        let defect = &mut self.defects[at];
        defect.count += 1;
        if defect.examples.len() < Self::EXAMPLES {
            defect.examples.push(format!("row {row}: {what}"));
        }
    }
}

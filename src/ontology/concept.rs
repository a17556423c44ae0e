//! The entries of an ontology and the typed edges between them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};

/// The kind of a concept: the middle part of a space name.
///
/// Lower-case ASCII letters, digits and hyphens, 1 to 64 of them, beginning with a letter. The constants are the kinds
/// that the readers of ESCO and O*NET make; a table may use any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A skill, competence or piece of knowledge (ESCO).
    pub const SKILL: Kind = Kind(Cow::Borrowed("skill"));
    /// An occupation (ESCO, O*NET-SOC).
    pub const OCCUPATION: Kind = Kind(Cow::Borrowed("occupation"));
    /// A group of the ISCO-08 classification (ESCO).
    pub const ISCO_GROUP: Kind = Kind(Cow::Borrowed("isco-group"));
    /// A group of the skills hierarchy (ESCO).
    pub const SKILL_GROUP: Kind = Kind(Cow::Borrowed("skill-group"));
    /// A task statement (O*NET).
    pub const TASK: Kind = Kind(Cow::Borrowed("task"));
    /// A technology skill: a software product or a kind of software (O*NET).
    pub const TECHNOLOGY: Kind = Kind(Cow::Borrowed("technology"));
    /// A tool or machine (O*NET).
    pub const TOOL: Kind = Kind(Cow::Borrowed("tool"));
    /// A detailed work activity (O*NET).
    pub const ACTIVITY: Kind = Kind(Cow::Borrowed("activity"));

    /// A kind of any other name.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when the name is not well-formed.
    pub fn new(name: &str) -> Result<Self> {
        let valid = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !valid {
            return Err(Error::InvalidName {
                what: "kind",
                name: name.to_string(),
                problem: "use 1 to 64 lower-case letters, digits and hyphens, beginning with a letter, as in `skill`"
                    .to_string(),
            });
        }
        Ok(Self(Cow::Owned(name.to_string())))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of an ontology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concept {
    /// The publisher's identifier (a URI in ESCO, a code in O*NET); unique among the concepts of its kind in a release.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// The preferred label, never empty, without white space at its ends.
    pub label: String,
    /// The other labels in the publisher's order, without duplicates and without the preferred label.
    pub alternative_labels: Vec<String>,
    /// What the publisher says it means.
    pub description: Option<String>,
    /// Everything else, by the publisher's own column names (`skillType`, `reuseLevel`, `iscoGroup`, `code`, …).
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Concept {
    /// A concept with nothing but an id, a kind and a label.
    pub fn new(id: impl Into<String>, kind: Kind, label: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            label: label.into(),
            alternative_labels: Vec::new(),
            description: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The texts that stand for the concept: the preferred label first, then the alternative labels.
    pub fn surface_forms(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.label).chain(&self.alternative_labels).map(String::as_str)
    }
}

/// What an edge between two concepts means, read from its first to its second end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RelationKind {
    /// The occupation (or skill) needs the skill (ESCO).
    Essential,
    /// The skill is useful to the occupation (or skill) (ESCO).
    Optional,
    /// The second concept is the broader one (ESCO's hierarchies).
    Broader,
    /// The two are related (O*NET's related occupations).
    Related,
    /// The occupation performs the task (O*NET).
    Performs,
    /// The occupation uses the technology or tool (O*NET).
    Uses,
    /// The task is part of the activity (O*NET's detailed work activities).
    PartOf,
}

impl RelationKind {
    /// All kinds, in the order of their codes on disk.
    pub const ALL: [RelationKind; 7] = [
        RelationKind::Essential,
        RelationKind::Optional,
        RelationKind::Broader,
        RelationKind::Related,
        RelationKind::Performs,
        RelationKind::Uses,
        RelationKind::PartOf,
    ];

    /// The code on disk: the place in [`ALL`](Self::ALL).
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The kind with a code; `None` for a code of no kind.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            RelationKind::Essential => "essential",
            RelationKind::Optional => "optional",
            RelationKind::Broader => "broader",
            RelationKind::Related => "related",
            RelationKind::Performs => "performs",
            RelationKind::Uses => "uses",
            RelationKind::PartOf => "part-of",
        }
    }
}

impl fmt::Display for RelationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A typed edge between two concepts of one release, given by their positions in [`Release::concepts`](crate::Release).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relation {
    /// Position of the first end.
    pub from: u32,
    /// Position of the second end.
    pub to: u32,
    /// What the edge means.
    pub kind: RelationKind,
}

//! What gets ranked: concepts, their relations, releases of an ontology, and the readers that make them from files.
//!
//! | file | what |
//! |---|---|
//! | `concept.rs` | [`Concept`], its [`Kind`], [`Relation`] and [`RelationKind`] |
//! | `release.rs` | [`Release`]: one published version, in one language; its builder, which resolves ids and counts defects |
//! | `report.rs` | [`ReadReport`]: what a reader met in the files |
//! | `diff.rs` | [`ReleaseDiff`]: what changed between two releases |
//! | `space.rs` | [`SpaceName`]: `esco@1.1.0/skill/en` |
//! | `forms.rs` | [`Forms`]: which texts of a concept are embedded |
//! | `fold.rs` | when two labels are the same label |
//! | `source/` | one reader per input format |

mod concept;
mod diff;
mod fold;
mod forms;
mod release;
mod report;
pub mod source;
mod space;

pub use concept::{Concept, Kind, Relation, RelationKind};

pub use diff::{AttributesChanged, ChangedConcept, LabelsChanged, Relabelled, RelationsChanged, ReleaseDiff};
pub(crate) use fold::fold_label;
pub use forms::Forms;
pub use release::{Release, ReleaseBuilder};
pub use report::{Defect, DefectKind, ReadReport};
pub use space::SpaceName;

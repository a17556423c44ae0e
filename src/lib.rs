//! workindex: an embedded search-index database for labour-market text.

mod encoder;
mod error;
mod late_interaction;
mod monitor;
mod ontology;
mod rank;
mod storage;
mod token_matrix;

pub use error::{Error, Result};
pub use late_interaction::{Direction, Interaction, Rule, Weights};
pub use monitor::{CancelToken, Monitor, Progress, Stage};
pub use ontology::source::{esco, onet, table};
pub use ontology::{
    AttributesChanged, ChangedConcept, Concept, Defect, DefectKind, Kind, LabelsChanged, ReadReport, Relabelled,
    Relation, RelationKind, RelationsChanged, Release, ReleaseBuilder, ReleaseDiff, SpaceName,
};
pub use token_matrix::TokenMatrix;

//! workindex: an embedded search-index database for labour-market text.

mod encoder;
mod error;
mod index;
mod late_interaction;
mod monitor;
mod ontology;
mod rank;
mod storage;
mod token_matrix;

pub use encoder::{
    Checkpoint, DeclaredEncoder, Encoded, Encoder, EncoderSettings, Fingerprint, Pooling, Token, read_matrices,
};
pub use error::{Error, Result};
pub use index::{
    EncoderInfo, IndexInfo, IndexWriter, IngestOptions, IngestReport, KindReport, ReleaseInfo, Space, SpaceInfo,
    WorkIndex,
};
pub use late_interaction::{Direction, Interaction, Rule, Weights, reference};
pub use monitor::{CancelToken, Monitor, Progress, Stage};
pub use ontology::source::{esco, onet, table};
pub use ontology::{
    Concept, Defect, DefectKind, Forms, Kind, ReadReport, Relation, RelationKind, Release, ReleaseBuilder, ReleaseDiff,
    SpaceName,
};
pub use rank::{ExactMatch, Filter, Hit, RankOptions, Ranking};
pub use storage::{Problem, Reclaimed, VerifyReport};
pub use token_matrix::TokenMatrix;

//! workindex: an embedded search-index database for labour-market text.
//!
//! Given a job title, a skill or a sentence of a vacancy, it ranks a whole target space (the skills or occupations of ESCO,
//! the tasks of O*NET, a company's own list) by soft late interaction over token embeddings, as "Unified Work Embeddings"
//! ([arXiv 2511.07969](https://arxiv.org/abs/2511.07969)) does: offline, in the application's own process, exactly. The target
//! side is computed once, when a release is ingested, and memory-mapped ever after.
//!
//! ```
//! use workindex::{Encoder, IngestOptions, Monitor, RankOptions, WorkIndex, esco};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("work.index");
//! // Once: an index made with an encoder, and a release ingested into it.
//! // (`Encoder::built_in()` is one that needs no files.)
//! let encoder = Encoder::open("fixtures/encoder/tiny-bert".as_ref())?;
//! let mut writer = WorkIndex::create(&path, &encoder)?;
//! let options = esco::Options { version: Some("1.1.0".to_string()), ..Default::default() };
//! let (release, report) = esco::read(&["fixtures/mini-esco/1.1.0"], &options, &Monitor::silent())?;
//! writer.ingest(&release, &IngestOptions::default(), &Monitor::silent())?;
//! writer.commit()?;
//!
//! // Ever after, from any number of threads and processes:
//! let index = WorkIndex::open(&path)?;
//! let skills = index.space("esco/skill/en")?;
//! let ranking = skills.rank("Senior data engineer", &RankOptions::top(10))?;
//! assert_eq!(ranking.len(), 10);
//! println!("{} {:.4} {}", ranking[0].rank, ranking[0].score, ranking[0].label);
//! # let _ = report;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Words
//!
//! An *ontology* is published in *releases*, one per version and language; a release is a list of *concepts* and the
//! *relations* between them. The concepts of one kind are a *target space*, named `esco/skill/en` or, pinned to a
//! release, `esco@1.1.0/skill/en`. The texts of a concept that are embedded are its *surface forms*. An *encoder* turns a
//! text into a *token matrix*; *segments* hold the token matrices of surface forms, the *catalog* says which segments and
//! concepts there are, and a *snapshot* is what one reader sees of both. A *ranking* is a list of *hits*.
//!
//! # The house
//!
//! Rooms, from the ground up. A room imports from lower floors only.
//!
//! | floor | room | what it knows |
//! |---|---|---|
//! | 8 | command line (`src/bin`) | everything public; the only one that prints or goes online |
//! | 7 | `train` | training encoders, judged by `workbench` on the way |
//! | 6 | `workbench` | judging encoders and rules on ranking tasks |
//! | 5 | `index` | the front door: wires encoder, storage and rank |
//! | 4 | `rank` | query execution over a snapshot: filters, scans, certificates, explanations |
//! | 3 | `storage` | bytes on disk: segments, catalog, commits; knows no model |
//! | 2 | `ontology`, `encoder`, `late_interaction` | side by side, knowing nothing of each other; `late_interaction` knows no files |
//! | 1 | `error`, `monitor`, `token_matrix`, `mapped_file` | what all share |
//!
//! The encoder's modules over candle are differentiable: they are the reference of training's own backward pass.
//!
//! # Promises
//!
//! * **Exact**: a ranking is that of all targets scored at the format's full precision (16-bit fixed point: a
//!   cosine of 384 values is typically off by less than 5e-5), with ties in the order of the space, at every thread count.
//!   Most targets are not scored so, though: a scan of 8-bit copies gives each an upper bound, and those that the bounds do not
//!   settle are rescored. The [`Certificate`] of a ranking says how many; `late_interaction/bound.rs` has the proof.
//!   [`reference`](mod@reference) says the same in f64 and obvious loops.
//! * **Durable**: [`IndexWriter::commit`] returns when the change survives a crash; before, nobody sees any of it. The format
//!   and the proof are in `index-format.md`.
//! * **Quiet**: the library never prints, never goes online, and never reads environment variables, but for where temporary files go. Long work reports to a
//!   [`Monitor`] and stops when its [`CancelToken`] is raised. Parallel work runs on the rayon pool that it is called from, or on
//!   the one that [`WorkIndex::with_pool`] or [`WorkIndex::with_threads`] gives.
//! * **No panic** on any input: bad files, texts and options are typed [`Error`]s that say where, what was expected and what
//!   to do.
//!
//! # Features
//!
//! `cli` (default) builds the command line, `workbench` (default) the evaluation, `train` (default) training and `built-in` (default) an encoder of
//! 9 MB into the library; an application that only ranks turns all of them off with `default-features = false`.
//! `cuda` and `metal` let candle run encoders on a GPU ([`Backend`]); they need the maker's toolkit to build.
#![warn(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]

mod encoder;
mod error;
mod index;
mod late_interaction;
mod mapped_file;
mod monitor;
mod ontology;
mod rank;
mod simd;
mod storage;
mod token_matrix;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "workbench")]
pub mod workbench;

pub use encoder::{
    Backend, Checkpoint, DeclaredEncoder, Encoded, Encoder, EncoderSettings, Fingerprint, Pooling, Precision, Side,
    Token, read_matrices,
};
pub use error::{Error, Result};
pub use index::{
    EncoderInfo, IndexInfo, IndexWriter, IngestOptions, IngestReport, KindReport, ReindexOptions, ReindexReport,
    ReleaseInfo, Space, SpaceInfo, WorkIndex,
};
pub use late_interaction::{Direction, Interaction, Rule, Weights, reference};
pub use monitor::{CancelToken, Monitor, Progress, Stage};
pub use ontology::source::{esco, onet, table};
pub use ontology::{
    AttributesChanged, ChangedConcept, Concept, Defect, DefectKind, Forms, Kind, LabelsChanged, ReadReport, Relabelled,
    Relation, RelationKind, RelationsChanged, Release, ReleaseBuilder, ReleaseDiff, SpaceName,
};
pub use rank::{
    Certificate, Comparison, ExactMatch, ExplainedForm, ExplainedToken, Explanation, Filter, FormScore, Hit,
    RankOptions, RankedTargets, Ranking,
};
pub use storage::{BackupReport, Problem, Reclaimed, UpgradeReport, VerifyReport};
pub use token_matrix::TokenMatrix;

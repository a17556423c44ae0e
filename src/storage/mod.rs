//! Bytes on disk: immutable segments of token matrices, and the catalog that names them.
//!
//! | file | what |
//! |---|---|
//! | `segment/` | a file of token matrices: layout, writer, reader |
//! | `catalog/` | the redb database of encoders, segments, releases, concepts |
//! | `commit.rs` | the one writer: stage, synchronise, rename, commit |
//! | `snapshot.rs` | what a reader sees for as long as it holds it |
//! | `live.rs` | what releases name, and what nothing names |
//! | `collect.rs` | dropping, garbage collection, compaction |
//! | `reclaimable.rs` | how much a compaction would give back |
//! | `verify.rs` | reads and checks everything |
//! | `upgrade.rs` | from an older version to this one |
//! | `backup.rs` | a copy of one state, made while a writer works |
//! | `model_files.rs` | the encoder's files inside the index |
//! | `paths.rs`, `files/` | names; the one way to files, which tests can replace |
//! | `simulated/` | for tests: operations on files recorded, refused, killed |
//!
//! Storage knows no model: it stores token matrices and an encoder fingerprint.

mod backup;
pub(crate) mod catalog;
mod collect;
mod commit;
mod files;
mod live;
mod model_files;
mod paths;
mod reclaimable;
pub(crate) mod segment;
#[cfg(test)]
pub(crate) mod simulated;
mod snapshot;
mod upgrade;
mod verify;

pub use backup::BackupReport;
pub(crate) use backup::backup;
pub use collect::Reclaimed;
pub(crate) use collect::SEGMENT_BYTES;
pub(crate) use commit::{WRITER_CACHE, WriteStore};
#[cfg(test)]
pub(crate) use files::Files;
#[cfg(test)]
pub(crate) use paths::STAGED;
pub(crate) use paths::{Paths, hex};
pub(crate) use reclaimable::reclaimable_bytes;
pub(crate) use snapshot::{ReadStore, Snapshot, SpaceData};
pub use upgrade::UpgradeReport;
pub(crate) use upgrade::upgrade;
pub(crate) use verify::{Models, verify};
pub use verify::{Problem, VerifyReport};

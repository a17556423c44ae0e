//! The redb database that says which encoders, segments and releases an index has: `catalog.redb`.
//!
//! | file | what |
//! |---|---|
//! | `tables.rs` | the tables, and reading them from a snapshot and from a write transaction alike |
//! | `records.rs` | rows about encoders, segments, releases |
//! | `targets.rs`, `texts.rs` | what a ranking needs of a space: ids, labels, where its token matrices are |
//! | `details.rs`, `attributes.rs`, `relations.rs`, `aliases.rs` | the rest of a release |
//! | `read.rs` | typed reading: records, spaces, a whole release |
//! | `write.rs` | typed writing: a release in, a release out |
//! | `copy.rs` | all of a snapshot into another catalog |
//! | `limits.rs` | what a release must fit into |
//! | `old.rs` | records of older versions, for upgrades |
//! | `codec.rs` | values as bytes |
//! | `overlay.rs` | comparing the checksums of all pages without writing |

mod aliases;
mod attributes;
#[cfg(test)]
mod catalog_tests;
mod codec;
mod copy;
mod details;
mod limits;
mod old;
mod overlay;
mod read;
mod records;
mod relations;
pub(crate) mod tables;
mod targets;
mod texts;
mod write;

pub(crate) use aliases::AliasList;
pub(crate) use attributes::AttributeColumn;
pub(crate) use copy::copy;
pub(crate) use limits::check_fits;
pub(crate) use old::{old_encoders, upgrade_encoders};
pub(crate) use overlay::{Overlay, check_pages, read_header};
pub(crate) use read::{CatalogRead, Numbered, space_names};
pub(crate) use records::{EncoderRecord, PrecisionRecord, ReleaseRecord, SegmentRecord, SettingsRecord};
pub(crate) use targets::{FormRef, TargetTable};
pub(crate) use write::{CatalogWrite, content_hash};

/// The version of the catalog that this build writes.
pub(crate) const VERSION: u32 = 2;
/// The oldest version that this build reads.
pub(crate) const OLDEST_VERSION: u32 = 2;
/// The oldest version that this build upgrades.
pub(crate) const OLDEST_UPGRADABLE: u32 = 1;

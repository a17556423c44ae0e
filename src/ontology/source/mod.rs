//! One reader per input format, and what they stand on.
//!
//! | file | what |
//! |---|---|
//! | `esco/` | the official CSV distribution of ESCO |
//! | `onet.rs`, `onet/` | the O*NET text database |
//! | `table.rs`, `table/` | a user's own list: CSV, TSV, JSONL, one label a line |
//! | `files.rs` | the files that several folders, archives and single files offer together |
//! | `archive.rs` | a zip archive, read in place and under limits |
//! | `records.rs` | rows of delimited text with their places, under limits |
//! | `meter.rs` | progress and cancellation while bytes go by |
//! | `lines.rs` | the lines beneath: line ends, byte order mark, bounded records |
//! | `version.rs` | release versions found in names |

mod archive;
pub mod esco;
mod files;
mod lines;
mod meter;
pub mod onet;
mod records;
pub mod table;
mod version;

// What reads the evaluation sets of `workbench`, too.
#[cfg(feature = "workbench")]
pub(crate) use meter::Meter;
#[cfg(feature = "workbench")]
pub(crate) use records::{Dialect, Records, Row};

//! An immutable file of token matrices: `segments/<content hash>.seg`.
//!
//! A segment holds the token matrices of many surface forms, quantised to two byte planes, by one encoder. It says of
//! each form the hash of its text and nothing else: which concepts a form belongs to is the catalog's business. Bytes
//! are described in `index-format.md`.

mod layout;
mod order;
mod planes;
mod reader;
mod rows;
#[cfg(test)]
mod segment_tests;
mod writer;

pub(crate) use planes::Planes;
pub(crate) use reader::Segment;
pub(crate) use writer::SegmentBuilder;

/// blake3 hash of a surface form's text (UTF-8, as embedded).
pub(crate) type TextHash = [u8; 32];

/// The hash of a text.
pub(crate) fn text_hash(text: &str) -> TextHash {
    *blake3::hash(text.as_bytes()).as_bytes()
}

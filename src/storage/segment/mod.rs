//! An immutable file of token matrices: `segments/<content hash>.seg`.
//!
//! A segment holds the token matrices of many surface forms, quantised to two byte planes, by one encoder. It says of
//! each form the hash of its text and nothing else: which concepts a form belongs to is the catalog's business. Bytes
//! are described in `index-format.md`.

mod layout;
mod order;
mod planes;
mod planned;
mod reader;
mod rows;
#[cfg(test)]
mod segment_tests;
mod writer;

pub(crate) use planes::Planes;
pub(crate) use planned::PlannedSegment;
pub(crate) use reader::Segment;
pub(crate) use writer::SegmentBuilder;

/// blake3 hash of a surface form's text (UTF-8, as the release has it); keyed where the encoder has several sides.
pub(crate) type TextHash = [u8; 32];

/// What tells the embeddings of a text on one side of an encoder from those on another; none where it has one side.
pub(crate) type SideKey = Option<[u8; 32]>;

/// The hash of a text on a side.
pub(crate) fn text_hash(text: &str, side: &SideKey) -> TextHash {
    let hash = match side {
        None => blake3::hash(text.as_bytes()),
        Some(key) => blake3::keyed_hash(key, text.as_bytes()),
    };
    *hash.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_text_without_sides_is_that_of_its_bytes() {
        let plain = text_hash("welder", &None);
        assert_eq!(plain, *blake3::hash(b"welder").as_bytes());
        let on = [[1; 32], [2; 32]].map(|key| text_hash("welder", &Some(key)));
        assert!(on[0] != on[1] && !on.contains(&plain));
    }
}

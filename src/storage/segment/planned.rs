//! How large a segment would be, from the lengths of its surface forms alone.

use super::layout::{self, SegmentHeader};
use super::order::{Extent, Order};
use crate::error::Result;

/// A segment that is not made.
#[derive(Debug)]
pub(crate) struct PlannedSegment {
    dim: u32,
    forms: Vec<Extent>,
    rows: u32,
}

impl PlannedSegment {
    /// One of rows of `dim` values, without forms.
    pub(crate) fn new(dim: u32) -> Self {
        Self { dim, forms: Vec::new(), rows: 0 }
    }

    /// Appends a form of `length` rows.
    pub(crate) fn push(&mut self, run: u32, length: u32) {
        self.forms.push(Extent { run, first: self.rows, length });
        self.rows = self.rows.saturating_add(length);
    }

    /// What [`SegmentBuilder::payload_bytes`](super::SegmentBuilder::payload_bytes) says of the same forms.
    pub(crate) fn payload_bytes(&self) -> usize {
        2 * self.dim as usize * (self.rows as usize + self.forms.len())
    }

    /// The length of the file; 0 without forms, of which no file is made.
    pub(crate) fn file_bytes(&self) -> Result<u64> {
        if self.forms.is_empty() {
            return Ok(0);
        }
        let n_blocks = Order::of(&self.forms).n_blocks();
        let header = SegmentHeader::new([0; 32], self.dim, self.rows, n_blocks, self.forms.len() as u32)?;
        Ok(layout::file_len(&header.sections))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Files;
    use crate::storage::segment::SegmentBuilder;
    use crate::token_matrix::TokenMatrix;

    #[test]
    fn a_planned_segment_is_as_large_as_one_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let (mut planned, mut built) = (PlannedSegment::new(5), SegmentBuilder::new([1; 32], 5).unwrap());
        assert_eq!(planned.file_bytes().unwrap(), 0);
        for n in 0..200u32 {
            let (run, length) = (n % 3, 1 + n * 7 % 11);
            let values = (0..length * 5).map(|v| (v % 13) as f32 - 6.5).collect();
            built.push(run, *blake3::hash(&n.to_le_bytes()).as_bytes(), &TokenMatrix::new(5, values).unwrap()).unwrap();
            planned.push(run, length);
        }
        assert_eq!(planned.payload_bytes(), built.payload_bytes());
        let file = built.finish(&Files::default(), &folder.path().join("segment")).unwrap();
        assert_eq!(planned.file_bytes().unwrap(), file.bytes);
    }
}

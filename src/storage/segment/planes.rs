//! A view of quantised rows in a mapped segment.

use std::ops::Range;

use crate::late_interaction::layout::{BLOCK_ROWS, gather_row, plane_len};
use crate::late_interaction::quantize::{RowScale, restore_row};

/// The two byte planes of a set of rows, and the numbers beside them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planes<'a> {
    /// Values per row.
    pub(crate) dim: usize,
    /// Interleaved, biased by 128 (`late_interaction::layout`).
    pub(crate) hi: &'a [u8],
    /// Row-major.
    pub(crate) lo: &'a [i8],
    /// Norm of each raw row.
    pub(crate) norms: &'a [f32],
    /// Scale of each row.
    pub(crate) scales: &'a [f32],
    /// Residual norm of each row's hi plane.
    pub(crate) residuals: &'a [f32],
}

impl<'a> Planes<'a> {
    /// A view of five sections of a segment: hi, lo, norms, scales, residuals. Sections begin at multiples of 64 in a
    /// page-aligned map, so that their numbers are aligned.
    pub(super) fn of(dim: usize, [hi, lo, norms, scales, residuals]: [&'a [u8]; 5]) -> Self {
        let numbers = |section| bytemuck::cast_slice(section);
        let (lo, norms) = (bytemuck::cast_slice(lo), numbers(norms));
        Self { dim, hi, lo, norms, scales: numbers(scales), residuals: numbers(residuals) }
    }

    /// Copies out a row as it is stored.
    pub(crate) fn read_quantized(&self, row: usize, hi: &mut [i8], lo: &mut [i8]) -> RowScale {
        self.gather_hi(row, hi);
        lo.copy_from_slice(&self.lo[row * self.dim..(row + 1) * self.dim]);
        RowScale { norm: self.norms[row], scale: self.scales[row], residual: self.residuals[row] }
    }

    /// Appends master rows, unit length and rotated, to `out`.
    pub(crate) fn restore(&self, rows: impl Iterator<Item = usize>, hi: &mut Vec<i8>, out: &mut Vec<f32>) {
        hi.resize(self.dim, 0);
        for row in rows {
            self.gather_hi(row, hi);
            let start = out.len();
            out.resize(start + self.dim, 0.0);
            let lo = &self.lo[row * self.dim..(row + 1) * self.dim];
            restore_row(hi, lo, self.scales[row], &mut out[start..]);
        }
    }

    /// The hi plane of a range of blocks of sixteen rows; empty for one that the plane does not hold.
    pub(crate) fn blocks(&self, blocks: Range<usize>) -> &'a [u8] {
        let length = self.block_len();
        self.hi.get(blocks.start * length..blocks.end * length).unwrap_or_default()
    }

    /// The hi plane from a block of sixteen rows on.
    pub(crate) fn blocks_from(&self, block: usize) -> &'a [u8] {
        self.hi.get(block * self.block_len()..).unwrap_or_default()
    }

    /// Bytes of a block of the hi plane.
    pub(crate) fn block_len(&self) -> usize {
        plane_len(BLOCK_ROWS, self.dim)
    }

    fn gather_hi(&self, row: usize, hi: &mut [i8]) {
        // Rows come from the forms' lengths, which opening the segment compared with the planes' length.
        let in_plane = gather_row(self.hi, self.dim, row, hi);
        debug_assert!(in_plane.is_some(), "row {row} lies outside the plane");
    }

    /// What a writer never makes: norms, scales or residuals that are negative or not finite. Expected and found.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        for (what, values) in [("norms", self.norms), ("scales", self.scales), ("residuals", self.residuals)] {
            if let Some(at) = values.iter().position(|v| !v.is_finite() || *v < 0.0) {
                return Err((format!("finite {what} of at least 0"), format!("{} in row {at}", values[at])));
            }
        }
        Ok(())
    }
}

//! Quantised rows in memory, on their way into a segment.

use crate::error::Result;
use crate::late_interaction::quantize::{QuantizeScratch, RowScale, quantize_row};
use crate::late_interaction::rotation::Rotation;

/// Rows in fixed point, row-major, with the numbers beside them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) hi: Vec<i8>,
    pub(super) lo: Vec<i8>,
    pub(super) norms: Vec<f32>,
    pub(super) scales: Vec<f32>,
    pub(super) residuals: Vec<f32>,
    scratch: QuantizeScratch,
}

impl Rows {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.norms.len()
    }

    /// Rotates, quantises and appends a raw row. Nothing is appended on error.
    pub(super) fn push(&mut self, rotation: &Rotation, raw: &[f32]) -> Result<()> {
        let start = self.hi.len();
        self.hi.resize(start + raw.len(), 0);
        self.lo.resize(start + raw.len(), 0);
        match quantize_row(rotation, raw, &mut self.hi[start..], &mut self.lo[start..], &mut self.scratch) {
            Ok(scale) => self.push_scale(&scale),
            Err(error) => {
                self.hi.truncate(start);
                self.lo.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Appends a row that is already quantised.
    pub(super) fn push_quantized(&mut self, hi: &[i8], lo: &[i8], scale: &RowScale) {
        self.hi.extend_from_slice(hi);
        self.lo.extend_from_slice(lo);
        self.push_scale(scale);
    }

    /// Takes back all rows from the `len`-th on.
    pub(super) fn truncate(&mut self, len: usize, dim: usize) {
        self.hi.truncate(len * dim);
        self.lo.truncate(len * dim);
        self.norms.truncate(len);
        self.scales.truncate(len);
        self.residuals.truncate(len);
    }

    fn push_scale(&mut self, scale: &RowScale) {
        self.norms.push(scale.norm);
        self.scales.push(scale.scale);
        self.residuals.push(scale.residual);
    }
}

//! The token rows of many texts behind each other, and what the objective reads and writes of them.

use std::ops::Range;

/// Token rows of texts, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRows {
    dim: usize,
    values: Vec<f32>,
    /// Where each text's rows begin, and the end of the last.
    starts: Vec<usize>,
}

impl TokenRows {
    /// No texts yet, of rows of `dim` values, at least 1.
    pub fn new(dim: usize) -> Self {
        Self { dim: dim.max(1), values: Vec::new(), starts: vec![0] }
    }

    /// Rows of zeros of the same texts.
    pub(super) fn zeros_like(other: &Self) -> Self {
        Self { dim: other.dim, values: vec![0.0; other.values.len()], starts: other.starts.clone() }
    }

    /// Other rows of the same texts, as many of each, of `dim` values.
    pub(super) fn with_values(&self, dim: usize, values: Vec<f32>) -> Self {
        Self { dim: dim.max(1), values, starts: self.starts.clone() }
    }

    /// Adds a text by its rows, of which a surplus that is no whole row is left out.
    pub fn push(&mut self, rows: &[f32]) {
        let whole = rows.len() / self.dim * self.dim;
        self.values.extend_from_slice(&rows[..whole]);
        self.starts.push(self.values.len() / self.dim);
    }

    /// Values per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Which rows are a text's; none of a text that is not there.
    pub fn rows_of(&self, text: usize) -> Range<usize> {
        match self.starts.get(text..) {
            Some([start, end, ..]) => *start..*end,
            _ => 0..0,
        }
    }

    /// The values of a text's rows.
    pub fn text(&self, text: usize) -> &[f32] {
        let rows = self.rows_of(text);
        &self.values[rows.start * self.dim..rows.end * self.dim]
    }
}

//! The query side of a scan: prepared once, then scored against every target.

use crate::error::{Error, Result};
use crate::token_matrix::TokenMatrix;

use super::rotation::Rotation;
use super::unit::unit_rotated;

/// A query's rotated unit rows and pooled vector, with the norms of the raw ones. Unlike targets it stays in f32.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PreparedQuery {
    dim: usize,
    rows: Vec<f32>,
    norms: Vec<f32>,
    pooled: Vec<f32>,
    pooled_norm: f32,
}

impl PreparedQuery {
    /// Rotates and normalises `matrix` as the format does with stored rows.
    ///
    /// # Errors
    /// [`Error::Matrix`] when the matrix has another dimension than the rotation, or the norm of a row exceeds f32.
    pub(crate) fn new(matrix: &TokenMatrix, rotation: &Rotation) -> Result<Self> {
        let dim = rotation.dim();
        if matrix.dim() != dim {
            return Err(Error::Matrix {
                expected: format!("rows of {dim} values, as the target space has them"),
                got: format!("rows of {}", matrix.dim()),
            });
        }
        let mut scratch = Vec::new();
        let (mut rows, mut pooled) = (vec![0.0; matrix.values().len()], vec![0.0; dim]);
        let pairs = matrix.rows().zip(rows.chunks_exact_mut(dim));
        let norms = pairs.map(|(raw, out)| unit_rotated(rotation, raw, out, &mut scratch)).collect::<Result<_>>()?;
        let pooled_norm = unit_rotated(rotation, matrix.pooled(), &mut pooled, &mut scratch)?;
        Ok(Self { dim, rows, norms, pooled, pooled_norm })
    }

    /// Values per row, at least 1.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// The rotated unit rows, row-major; zero rows stay zero.
    pub(crate) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The norms of the raw rows, one per token.
    pub(crate) fn norms(&self) -> &[f32] {
        &self.norms
    }

    /// The rotated unit pooled vector.
    pub(crate) fn pooled(&self) -> &[f32] {
        &self.pooled
    }

    /// The norm of the raw pooled vector.
    pub(crate) fn pooled_norm(&self) -> &f32 {
        &self.pooled_norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_of_the_raw_vectors() {
        let matrix = TokenMatrix::new(2, vec![3.0, 4.0, 0.0, 0.0, 6.0, 8.0]).unwrap();
        let query = PreparedQuery::new(&matrix, &Rotation::new(2)).unwrap();
        assert_eq!(query.norms(), [5.0, 0.0, 10.0]);
        assert_eq!(*query.pooled_norm(), 5.0);
        assert_eq!(query.rows()[2..4], [0.0, 0.0]);
        assert_eq!(query.rows()[..2], query.rows()[4..]);
        assert_eq!(query.pooled(), &query.rows()[..2]);
    }

    #[test]
    fn another_dimension_is_refused() {
        let matrix = TokenMatrix::new(3, vec![1.0; 6]).unwrap();
        let error = PreparedQuery::new(&matrix, &Rotation::new(2)).unwrap_err();
        assert!(error.to_string().contains("rows of 3"), "{error}");
        let huge = TokenMatrix::new(2, vec![f32::MAX; 2]).unwrap();
        assert!(PreparedQuery::new(&huge, &Rotation::new(2)).is_err());
    }
}

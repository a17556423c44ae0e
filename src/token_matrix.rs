//! The token matrix: what an encoder makes of a text and what the engine ranks by.

use crate::error::{Error, Result};

/// The token embeddings of one text: `n_tokens × dim` raw (not normalised) rows, and the text's pooled vector.
///
/// A matrix has at least one row, all its values are finite, and it never changes. The pooled vector is what mean
/// pooling and ConTeXT-Match score with; an encoder may pool over more tokens than it keeps as rows (`[CLS]` and
/// `[SEP]` take part in the mean of a sentence-transformers model while they are left out of the rows by default).
#[derive(Debug, Clone, PartialEq)]
pub struct TokenMatrix {
    dim: usize,
    values: Vec<f32>,
    pooled: Vec<f32>,
}

impl TokenMatrix {
    /// A matrix from row-major `values`, pooled by the mean of its rows.
    ///
    /// # Errors
    /// [`Error::Matrix`] when `dim` is 0, `values` is empty or no multiple of `dim`, or a value is not finite.
    ///
    /// ```
    /// let matrix = workindex::TokenMatrix::new(2, vec![1.0, 0.0, 0.0, 3.0])?;
    /// assert_eq!(matrix.n_tokens(), 2);
    /// assert_eq!(matrix.pooled(), [0.5, 1.5]);
    /// # Ok::<(), workindex::Error>(())
    /// ```
    pub fn new(dim: usize, values: Vec<f32>) -> Result<Self> {
        check_rows(dim, &values)?;
        let n = (values.len() / dim) as f64;
        let mut sums = vec![0.0f64; dim];
        for row in values.chunks_exact(dim) {
            sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        let pooled = sums.iter().map(|sum| (sum / n) as f32).collect();
        Ok(Self { dim, values, pooled })
    }

    /// A matrix whose pooled vector was computed elsewhere.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when `pooled` is not `dim` finite values.
    pub fn with_pooled(dim: usize, values: Vec<f32>, pooled: Vec<f32>) -> Result<Self> {
        check_rows(dim, &values)?;
        if pooled.len() != dim {
            return Err(malformed(format!("a pooled vector of {dim} values"), pooled.len().to_string()));
        }
        check_finite(dim, &pooled)?;
        Ok(Self { dim, values, pooled })
    }

    /// Values per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows, at least 1.
    pub fn n_tokens(&self) -> usize {
        self.values.len() / self.dim
    }

    /// All rows, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The rows, one slice of `dim` values each.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// The pooled raw vector, `dim` values.
    pub fn pooled(&self) -> &[f32] {
        &self.pooled
    }
}

fn check_rows(dim: usize, values: &[f32]) -> Result<()> {
    if dim == 0 || values.is_empty() || !values.len().is_multiple_of(dim) {
        let expected = "at least one row of dim ≥ 1 values".to_string();
        return Err(malformed(expected, format!("{} values at dim {dim}", values.len())));
    }
    check_finite(dim, values)
}

fn check_finite(dim: usize, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(malformed(
            "finite values".to_string(),
            format!("{} in row {}, column {}", values[at], at / dim, at % dim),
        )),
    }
}

fn malformed(expected: String, got: String) -> Error {
    Error::Matrix { expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled_is_the_mean_of_the_rows() {
        let matrix = TokenMatrix::new(2, vec![1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!(matrix.pooled(), [2.0, 4.0]);
        assert_eq!(matrix.rows().collect::<Vec<_>>(), [&[1.0, 2.0][..], &[3.0, 6.0]]);
    }

    #[test]
    fn malformed_matrices_are_refused_with_the_place() {
        for (dim, values) in [(0, vec![1.0]), (2, vec![]), (2, vec![1.0, 2.0, 3.0])] {
            assert!(matches!(TokenMatrix::new(dim, values), Err(Error::Matrix { .. })));
        }
        let error = TokenMatrix::new(2, vec![0.0, 0.0, 1.0, f32::NAN]).unwrap_err();
        assert!(error.to_string().contains("row 1, column 1"), "{error}");
        assert!(TokenMatrix::with_pooled(2, vec![0.0; 4], vec![f32::INFINITY, 0.0]).is_err());
        assert!(TokenMatrix::with_pooled(2, vec![0.0; 4], vec![0.0]).is_err());
    }
}

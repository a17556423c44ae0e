//! Random and hostile token matrices for the tests of this room.

use crate::token_matrix::TokenMatrix;

use super::quantize::{QuantizeScratch, quantize_row, restore_row};
use super::rotation::Rotation;
use super::scorer::TargetRows;
use super::unit::unit_rotated;

/// `n` values within −1…1 from a 64-bit linear congruential generator.
pub(crate) fn random_values(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed ^ 0x5DEE_CE66_D1CE_4E5B;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 - 8_388_608.0) / 8_388_608.0
    };
    next();
    (0..n).map(|_| next()).collect()
}

/// A matrix of rows around a common direction (as token embeddings are), some of them zero or equal to the first.
pub(crate) fn random_matrix(seed: u64, tokens: usize, dim: usize, size: f32) -> TokenMatrix {
    let shared = random_values(7, dim);
    let pull = (seed % 4) as f32 / 2.0;
    let mut values = random_values(seed, tokens * dim);
    for row in values.chunks_exact_mut(dim) {
        row.iter_mut().zip(&shared).for_each(|(v, s)| *v = (*v + pull * s) / 4.0 * size);
    }
    for t in 1..tokens {
        match (seed >> (8 + t % 40)) % 8 {
            0 => values[t * dim..][..dim].fill(0.0),
            1 => values.copy_within(..dim, t * dim),
            _ => {}
        }
    }
    TokenMatrix::new(dim, values).unwrap()
}

/// A target as the engine holds it.
pub(crate) struct Target {
    rows: Vec<f32>,
    norms: Vec<f32>,
    pooled: Vec<f32>,
    pooled_norm: f32,
    /// How far a master row is from its unit row, at most.
    pub(crate) precision: f64,
}

impl Target {
    /// Through the stored format: quantised and restored.
    pub(crate) fn stored(matrix: &TokenMatrix, rotation: &Rotation) -> Self {
        let dim = matrix.dim();
        let mut precision = 0.0f64;
        let mut store = |raw: &[f32], out: &mut [f32]| {
            let (mut hi, mut lo) = (vec![0; dim], vec![0; dim]);
            let row = quantize_row(rotation, raw, &mut hi, &mut lo, &mut QuantizeScratch::default()).unwrap();
            restore_row(&hi, &lo, row.scale, out);
            precision = precision.max(f64::from(row.scale) * (dim as f64).sqrt() / 2.0);
            row.norm
        };
        let mut target = Self::of(matrix, &mut store);
        target.precision = precision;
        target
    }

    /// Rotated and normalised in f32 only.
    pub(crate) fn unquantised(matrix: &TokenMatrix, rotation: &Rotation) -> Self {
        Self::of(matrix, &mut |raw, out| unit_rotated(rotation, raw, out, &mut Vec::new()).unwrap())
    }

    fn of(matrix: &TokenMatrix, row: &mut dyn FnMut(&[f32], &mut [f32]) -> f32) -> Self {
        let dim = matrix.dim();
        let (mut rows, mut pooled) = (vec![0.0; matrix.values().len()], vec![0.0; dim]);
        let norms = matrix.rows().zip(rows.chunks_exact_mut(dim)).map(|(raw, out)| row(raw, out)).collect();
        let pooled_norm = row(matrix.pooled(), &mut pooled);
        Self { rows, norms, pooled, pooled_norm, precision: 0.0 }
    }

    pub(crate) fn rows(&self) -> TargetRows<'_> {
        TargetRows { rows: &self.rows, norms: &self.norms, pooled: &self.pooled, pooled_norm: self.pooled_norm }
    }
}

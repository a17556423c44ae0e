//! The scan side of a query: an i8 copy of its rows, in the order in which the scan kernels read them.
//!
//! A rotated unit row e becomes ê = s · q with one scale s and q ∈ −127…127; [`residual`](PackedTokens::residual) bounds
//! ‖e − ê‖. A kernel multiplies four dimensions of a token with the same four of 16 rows, so the four bytes of a token lie
//! together (a *group*), and those of the up to eight tokens that it keeps in registers (a *panel*) follow each other:
//!
//! > panel p, group k, token t: dword (start of p) + k · (tokens of p) + t.

use std::ops::Range;

/// The most tokens of a panel: eight accumulators for each of two blocks of rows fill the registers of AVX-512.
pub(crate) const PANEL: usize = 8;
/// Dimensions of a group.
const GROUP: usize = 4;

/// Rows of one or more queries, packed for a scan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PackedTokens {
    groups: usize,
    panels: Vec<Range<usize>>,
    dwords: Vec<i32>,
    bytes: Vec<i8>,
    biases: Vec<i32>,
    scales: Vec<f32>,
    residuals: Vec<f32>,
}

/// The tokens of one panel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel<'a> {
    /// Number of the first token.
    pub(crate) first: usize,
    /// groups × tokens dwords.
    pub(crate) dwords: &'a [i32],
    /// −128 · Σ q of each token: what takes the bias of stored bytes out of a sum of products.
    pub(crate) biases: &'a [i32],
    /// What a token's products are multiplied by, next to the scale of the row: 256 s.
    pub(crate) scales: &'a [f32],
}

impl PackedTokens {
    /// Packs rotated unit rows of `dim` values, row-major; any number of them.
    pub(crate) fn new(dim: usize, rows: &[f32]) -> Self {
        let dim = dim.max(1);
        let (groups, m) = (dim.div_ceil(GROUP), rows.len() / dim);
        let width = groups * GROUP;
        let mut packed = Self {
            groups,
            panels: panels(m),
            dwords: Vec::with_capacity(m * groups),
            bytes: vec![0; m * width],
            biases: Vec::with_capacity(m),
            scales: Vec::with_capacity(m),
            residuals: Vec::with_capacity(m),
        };
        for (row, bytes) in rows.chunks_exact(dim).zip(packed.bytes.chunks_exact_mut(width)) {
            let (scale, residual) = quantize(row, &mut bytes[..dim]);
            packed.biases.push(-128 * bytes.iter().map(|&q| i32::from(q)).sum::<i32>());
            // A power of two: exact, and within f32 because s ≤ 1/127 or so.
            packed.scales.push(256.0 * scale);
            packed.residuals.push(residual);
        }
        for panel in &packed.panels {
            for k in 0..groups {
                let tokens = packed.bytes[panel.start * width..panel.end * width].chunks_exact(width);
                packed.dwords.extend(tokens.map(|bytes| {
                    let group = &bytes[k * GROUP..(k + 1) * GROUP];
                    i32::from_le_bytes([group[0] as u8, group[1] as u8, group[2] as u8, group[3] as u8])
                }));
            }
        }
        packed
    }

    /// How many tokens.
    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Groups of four dimensions in a row.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// The panels, in the order of their tokens.
    pub(crate) fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        self.panels.iter().map(|tokens| Panel {
            first: tokens.start,
            dwords: &self.dwords[tokens.start * self.groups..tokens.end * self.groups],
            biases: &self.biases[tokens.clone()],
            scales: &self.scales[tokens.clone()],
        })
    }

    /// The i8 rows, `4 · groups` bytes each, filled up with zeros.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[i8]> {
        self.bytes.chunks_exact(self.groups * GROUP)
    }

    /// What the products of each token are multiplied by.
    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Upper bound of ‖e − ê‖ of each token, as real vectors.
    pub(crate) fn residuals(&self) -> &[f32] {
        &self.residuals
    }
}

/// As few panels as there can be, of sizes that differ by one at most.
fn panels(tokens: usize) -> Vec<Range<usize>> {
    let n = tokens.div_ceil(PANEL);
    (0..n).map(|p| tokens * p / n..tokens * (p + 1) / n).collect()
}

/// Adding and subtracting 1.5 · 2²³ rounds to the nearest integer, without a call where the machine has no instruction for it.
const ROUNDER: f32 = 12_582_912.0;

/// Fills q and returns s and the bound of ‖e − s q‖.
fn quantize(row: &[f32], q: &mut [i8]) -> (f32, f32) {
    let largest = row.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
    let scale = largest / 127.0;
    // Also where the largest value is so small that the scale, or what divides by it, leaves f32: no token of unit length is.
    if scale < f32::MIN_POSITIVE || !scale.is_finite() {
        q.fill(0);
        return (0.0, round_up(norm(row.iter().map(|&v| f64::from(v)))));
    }
    let inverse = 1.0 / scale;
    for (q, &x) in q.iter_mut().zip(row) {
        // Which of two neighbours a value goes to does not matter: the residual is that of what was chosen.
        *q = ((x * inverse).clamp(-127.0, 127.0) + ROUNDER - ROUNDER) as i8;
    }
    let step = f64::from(scale);
    (scale, round_up(norm(row.iter().zip(q.iter()).map(|(&x, &q)| f64::from(x) - step * f64::from(q)))))
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// The f32 above, also where the f64 sum was rounded down.
fn round_up(value: f64) -> f32 {
    ((value * (1.0 + 1e-9)) as f32).next_up()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_interaction::test_matrices::random_values;
    use proptest::prelude::*;

    #[test]
    fn panels_are_few_and_even() {
        assert!(panels(0).is_empty());
        for tokens in 1..600usize {
            let panels = panels(tokens);
            assert_eq!(panels.len(), tokens.div_ceil(PANEL));
            assert!(panels.iter().all(|p| (1..=PANEL).contains(&p.len())));
            assert_eq!(panels.iter().map(ExactSizeIterator::len).sum::<usize>(), tokens);
            assert!(panels.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn a_zero_row_is_zero_without_residual() {
        let packed = PackedTokens::new(5, &[0.0; 5]);
        assert_eq!((packed.scales(), packed.biases[0]), (&[0.0f32][..], 0));
        assert!(packed.residuals()[0] <= f32::MIN_POSITIVE && packed.rows().all(|row| row == [0; 8]));
    }

    proptest! {
        #[test]
        fn the_copy_is_within_its_residual(
            dim in prop::sample::select(vec![1usize, 3, 4, 33, 384]), m in 1usize..20, seed: u64,
        ) {
            let rows = random_values(seed, dim * m);
            let packed = PackedTokens::new(dim, &rows);
            for (t, (row, q)) in rows.chunks_exact(dim).zip(packed.rows()).enumerate() {
                let step = f64::from(packed.scales()[t]) / 256.0;
                let distance = norm(row.iter().zip(q).map(|(&x, &q)| f64::from(x) - step * f64::from(q)));
                let residual = f64::from(packed.residuals()[t]);
                prop_assert!(distance <= residual && residual <= distance * 1.001 + 1e-30);
                prop_assert!(q.iter().all(|q| (-127..=127).contains(q)) && q[dim..].iter().all(|q| *q == 0));
                prop_assert_eq!(packed.biases[t], -128 * q.iter().map(|&q| i32::from(q)).sum::<i32>());
            }
        }

        #[test]
        fn dwords_are_the_bytes_in_the_kernels_order(dim in 1usize..40, m in 1usize..20, seed: u64) {
            let packed = PackedTokens::new(dim, &random_values(seed, dim * m));
            let rows: Vec<&[i8]> = packed.rows().collect();
            for panel in packed.panels() {
                let tokens = panel.scales.len();
                for k in 0..packed.groups() {
                    for t in 0..tokens {
                        let bytes = panel.dwords[k * tokens + t].to_le_bytes().map(|b| b as i8);
                        prop_assert_eq!(&bytes[..], &rows[panel.first + t][4 * k..4 * k + 4]);
                    }
                }
            }
        }
    }
}

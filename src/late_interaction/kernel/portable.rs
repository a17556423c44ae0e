//! The kernel for every machine: one pair of rows at a time by simsimd, which has its own run-time dispatch.
//!
//! All of simsimd's f32 backends (AVX-512, AVX2, NEON, SVE, plain C) accumulate in f32, in 1 to 16 lanes, with masked
//! or scalar remainders; none goes through a narrower type. The plain one, a single running sum, is the worst case
//! behind the trait's error of dim · 2⁻²⁴; with lanes it is a tenth of that. Which lanes there are depends on the
//! machine, so the last bit of a score may differ from machine to machine, and never between runs or threads on one. Its
//! products of i8 are exact.

use simsimd::SpatialSimilarity;

use super::{Kernel, dots_fit, scan_fits};
use crate::late_interaction::fold::{FoldInput, FoldScratch, FoldSpec, fold};
use crate::late_interaction::lanes::Lanes;
use crate::late_interaction::layout::{BLOCK_ROWS, LINE, gather_row};
use crate::late_interaction::packed::PackedTokens;
use crate::simd::machine::Plain;

pub(super) struct Portable;

impl Kernel for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn scan(&self, blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
        let Some(n) = scan_fits(blocks, tokens, out, stride) else { return };
        let width = tokens.groups() * (LINE / BLOCK_ROWS);
        let mut row = vec![0i8; width];
        for r in 0..n * BLOCK_ROWS {
            let scale = scales.get(r).copied().unwrap_or(0.0);
            let inside = gather_row(blocks, width, r, &mut row);
            debug_assert!(inside.is_some());
            for (t, (q, token_scale)) in tokens.rows().zip(tokens.scales()).enumerate() {
                out[t * stride + r] = dot_i8(q, &row) as f32 * scale * token_scale;
            }
        }
    }

    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
        let Some((_, n)) = dots_fit(query_rows, target_rows, dim, out, stride) else { return };
        for (e, out) in query_rows.chunks_exact(dim).zip(out.chunks_mut(stride.max(1))) {
            let rows = target_rows.chunks_exact(dim);
            out[..n].iter_mut().zip(rows).for_each(|(out, f)| *out = dot(e, f));
        }
    }

    fn fold(&self, spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
        fold::<Plain>(spec, input, scratch, out);
    }
}

/// A product by simsimd, unless Miri interprets this: it calls no C.
fn simsimd(product: impl FnOnce() -> Option<f64>) -> Option<f64> {
    if cfg!(miri) { None } else { product() }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    simsimd(|| f32::dot(a, b)).unwrap_or_else(|| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum())
        as f32
}

/// Exact: |Σ| ≤ 128 · 127 · 65,536 is within i32, and simsimd's f64 holds every i32.
fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let product = simsimd(|| i8::dot(a, b)).map(|product| product as i32);
    product.unwrap_or_else(|| a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simsimd_s_products_are_the_plain_ones() {
        let (a, b) = ([1.0f32, -2.0, 0.5], [4.0f32, 0.25, 8.0]);
        assert_eq!((dot(&a, &b), f32::dot(&a, &b)), (7.5, Some(7.5)));
        let (a, b): (Vec<i8>, Vec<i8>) = (0..65_536).map(|k| ([127, -127][k % 2], [-128, 127][k % 2])).unzip();
        assert_eq!(dot_i8(&a, &b), -(127 * 128 + 127 * 127) * 32_768);
    }

    #[test]
    fn out_is_query_major() {
        let mut out = [9.0; 7];
        Portable.dots(&[1.0, 0.0, 0.0, 1.0], &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 2, &mut out, 3);
        assert_eq!(out, [2.0, 4.0, 6.0, 3.0, 5.0, 7.0, 9.0]);
    }
}

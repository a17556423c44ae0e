//! The kernel for every machine: one pair of rows at a time by simsimd, which has its own run-time dispatch.
//!
//! All of simsimd's f32 backends (AVX-512, AVX2, NEON, SVE, plain C) accumulate in f32, in 1 to 16 lanes, with masked
//! or scalar remainders; none goes through a narrower type. The plain one, a single running sum, is the worst case
//! behind the trait's error of dim · 2⁻²⁴; with lanes it is a tenth of that. Which lanes there are depends on the
//! machine, so the last bit of a score may differ from machine to machine, and never between runs or threads on one.

use simsimd::SpatialSimilarity;

use super::Kernel;

pub(super) struct Portable;

impl Kernel for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32]) {
        debug_assert!(dim > 0 && out.len() * dim * dim == query_rows.len() * target_rows.len());
        let dim = dim.max(1);
        let pairs = query_rows.chunks_exact(dim).flat_map(|e| target_rows.chunks_exact(dim).map(move |f| (e, f)));
        out.iter_mut().zip(pairs).for_each(|(out, (e, f))| *out = dot(e, f));
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    f32::dot(a, b).unwrap_or_else(|| plain_dot(a, b)) as f32
}

/// For where simsimd has no answer.
fn plain_dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_product_is_simsimd_s() {
        let (a, b) = ([1.0f32, -2.0, 0.5], [4.0f32, 0.25, 8.0]);
        assert_eq!(plain_dot(&a, &b), 7.5);
        assert_eq!(f32::dot(&a, &b), Some(7.5));
    }

    #[test]
    fn out_is_query_major() {
        let mut out = [0.0; 6];
        Portable.dots(&[1.0, 0.0, 0.0, 1.0], &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 2, &mut out);
        assert_eq!(out, [2.0, 4.0, 6.0, 3.0, 5.0, 7.0]);
    }
}

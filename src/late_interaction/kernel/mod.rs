//! Similarities and scores, as fast as the machine can: one small trait, a file per instruction set, chosen at run time.
//!
//! | kernel | scan (8-bit integers) | full precision (f32) |
//! |---|---|---|
//! | `avx512` | `vpdpbusd` on 64 bytes, 8 tokens × 2 blocks in registers | 4 × 4 rows of 16 values |
//! | `avx2` | sign-corrected `vpmaddubsw`, or `vpdpbusd` where the machine has it (AVX-VNNI) | 2 × 2 rows |
//! | `neon` | `sdot` on 16 bytes, 4 tokens × 4 registers | 2 × 2 rows |
//! | `portable` | pairs of rows by simsimd, which dispatches by itself | pairs of rows by simsimd |
//!
//! Products of a scan are integers, so every kernel gives the same bits, and what is made of them ([`fold`](super::fold)) is the
//! same code compiled for another width. Full-precision products are f32 sums in the same order in all kernels with fused
//! multiply-add; those of the portable one may differ in the last bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(test)]
mod golden_tests;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::fold::{FoldInput, FoldScratch, FoldSpec};
use super::lanes::Lanes;
use super::packed::PackedTokens;

/// What the executor asks of an instruction set.
pub(crate) trait Kernel: Send + Sync {
    /// What the kernel runs on, for reports.
    fn name(&self) -> &'static str;

    /// Approximate cosines of packed tokens with whole blocks of stored rows.
    ///
    /// `blocks` are whole blocks of a hi plane ([`layout`](super::layout)) of the tokens' dimension; `scales` are those of its
    /// rows from the first block's first row on, and may end before the last block does. Token t's cosine with row r of the
    /// blocks is written to `out[t · stride + r]`: (Σ q · hi) in i32, converted, times the row's scale, times the token's; for
    /// rows without a scale, 0. Nothing is written where `out` is too short for all tokens or `stride` for all rows.
    fn scan(&self, blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize);

    /// Dot products of f32 rows: query row i · target row j goes to `out[i · stride + j]`.
    ///
    /// Every product is within dim · 2⁻²⁴ · ‖row i‖ ‖row j‖ of the exact one, and its bits depend on the two rows alone:
    /// not on those beside them, nor on where they lie in memory. Nothing is written where `out` or `stride` is too short.
    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize);

    /// [`fold`](super::fold::fold), compiled for this instruction set.
    fn fold(&self, spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes);
}

/// The fastest kernel of this machine.
pub(crate) fn detect() -> &'static dyn Kernel {
    all().next().unwrap_or(&portable::Portable)
}

/// The kernels that run on this machine, fastest first.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn Kernel> {
    #[cfg(target_arch = "x86_64")]
    let special = [avx512::detect(), avx2::detect_vnni(), avx2::detect()];
    #[cfg(target_arch = "aarch64")]
    let special = [neon::detect()];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let special: [Option<&'static dyn Kernel>; 0] = [];
    special.into_iter().flatten().chain(std::iter::once(&portable::Portable as &'static dyn Kernel))
}

/// Whether a call of [`Kernel::scan`] is well-formed; every kernel asks before it trusts a length.
fn scan_fits(blocks: &[u8], tokens: &PackedTokens, out: &[f32], stride: usize) -> Option<usize> {
    use super::layout::{BLOCK_ROWS, LINE};
    let block = tokens.groups() * LINE;
    let n = blocks.len() / block.max(1);
    let last = tokens.len().saturating_sub(1) * stride + n * BLOCK_ROWS;
    let fits = block > 0 && n * block == blocks.len() && n * BLOCK_ROWS <= stride && last <= out.len();
    debug_assert!(fits, "{n} blocks, stride {stride}, {} values", out.len());
    fits.then_some(n)
}

/// Whether a call of [`Kernel::dots`] is well-formed: the numbers of rows.
fn dots_fit(query: &[f32], target: &[f32], dim: usize, out: &[f32], stride: usize) -> Option<(usize, usize)> {
    let (m, n) = (query.len() / dim.max(1), target.len() / dim.max(1));
    let last = m.saturating_sub(1) * stride + n;
    let fits = dim > 0 && m * dim == query.len() && n * dim == target.len() && n <= stride && last <= out.len();
    debug_assert!(fits, "{m} × {n} rows of {dim}, stride {stride}, {} values", out.len());
    fits.then_some((m, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_interaction::layout::{interleave, plane_len};
    use crate::late_interaction::test_matrices::random_values;
    use proptest::prelude::*;

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    }

    fn dims() -> impl Strategy<Value = usize> {
        prop::sample::select(vec![1usize, 3, 4, 7, 8, 15, 16, 17, 33, 128, 256, 384, 768, 1024])
    }

    #[test]
    fn a_kernel_is_found() {
        assert_eq!(all().last().map(|kernel| kernel.name()), Some("portable"));
        assert_eq!(all().next().map(|kernel| kernel.name()), Some(detect().name()));
    }

    proptest! {
        #[test]
        fn products_keep_the_contract(dim in dims(), m in 1usize..10, n in 1usize..10, extra in 0usize..3, seed: u64) {
            let (query, target) = (random_values(seed, m * dim), random_values(!seed, n * dim));
            let stride = n + extra;
            let mut first: Option<Vec<f32>> = None;
            for kernel in all() {
                let mut out = vec![f32::NAN; (m - 1) * stride + n];
                kernel.dots(&query, &target, dim, &mut out, stride);
                for (i, e) in query.chunks_exact(dim).enumerate() {
                    for (j, f) in target.chunks_exact(dim).enumerate() {
                        let limit = dim as f64 * 2f64.powi(-24) * (exact(e, e) * exact(f, f)).sqrt();
                        let got = out[i * stride + j];
                        prop_assert!((f64::from(got) - exact(e, f)).abs() <= limit, "{}", kernel.name());
                        // Alone, and one value further in memory: the same bits.
                        let mut alone = [0.0];
                        let moved: Vec<f32> = std::iter::once(0.0).chain(f.iter().copied()).collect();
                        kernel.dots(e, &moved[1..], dim, &mut alone, 1);
                        prop_assert_eq!(alone[0].to_bits(), got.to_bits());
                        // What lies between the lines stays.
                        prop_assert!((i + 1 == m) || out[i * stride + n..(i + 1) * stride].iter().all(|v| v.is_nan()));
                    }
                }
                let same = first.as_ref().is_none_or(|first| {
                    first.iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
                });
                prop_assert!(same || kernel.name() == "portable");
                first.get_or_insert(out);
            }
        }

        #[test]
        fn scans_are_exact_in_integers(
            dim in dims(), m in 1usize..20, blocks in 1usize..6, missing in 0usize..16, extreme: bool, seed: u64,
        ) {
            let n = blocks * 16;
            let rows: Vec<i8> = match extreme {
                true => random_values(!seed, n * dim).iter().map(|v| if *v < 0.0 { -128 } else { 127 }).collect(),
                false => random_values(!seed, n * dim).iter().map(|v| (v * 127.0) as i8).collect(),
            };
            let mut plane = Vec::new();
            interleave(&rows, n, dim, &mut plane);
            let query: Vec<f32> = match extreme {
                true => random_values(seed, m * dim).iter().map(|v| v.signum()).collect(),
                false => random_values(seed, m * dim),
            };
            let packed = PackedTokens::new(dim, &query);
            let scales = random_values(seed ^ 1, n - missing);
            let stride = n + 16;
            for kernel in all() {
                let mut out = vec![9.0; (m - 1) * stride + n];
                kernel.scan(&plane, &scales, &packed, &mut out, stride);
                for (t, q) in packed.rows().enumerate() {
                    for (r, row) in rows.chunks_exact(dim).enumerate() {
                        let product: i32 = q.iter().zip(row).map(|(&q, &hi)| i32::from(q) * i32::from(hi)).sum();
                        let scale = scales.get(r).copied().unwrap_or(0.0);
                        let expected = product as f32 * scale * packed.scales()[t];
                        prop_assert_eq!(out[t * stride + r], expected, "{}", kernel.name());
                    }
                    prop_assert!(t + 1 == m || out[t * stride + n..(t + 1) * stride].iter().all(|v| *v == 9.0));
                }
            }
        }
    }

    /// The largest sums that rows can have: |Σ| ≤ 128 · 127 · 65,536 fits i32, and what is added up on the way may wrap.
    #[test]
    fn the_longest_rows_do_not_overflow() {
        let dim = 1 << 16;
        for (hi, sign) in [(-128i8, 1.0f32), (127, 1.0), (-128, -1.0), (127, -1.0)] {
            let mut plane = Vec::new();
            interleave(&vec![hi; dim], 1, dim, &mut plane);
            assert_eq!(plane.len(), plane_len(1, dim));
            let packed = PackedTokens::new(dim, &vec![sign; dim]);
            for kernel in all() {
                let mut out = [0.0; 16];
                kernel.scan(&plane, &[1.0], &packed, &mut out, 16);
                let expected = (127 * i32::from(hi) * 65_536) as f32 * sign * packed.scales()[0];
                assert_eq!(out[0], expected, "{}", kernel.name());
            }
        }
    }
}

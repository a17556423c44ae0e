//! AVX-512 with VNNI: Intel since Ice Lake, AMD since Zen 4.
//!
//! *Scan*: a line of the hi plane (four dimensions of sixteen rows) times four dimensions of a query token, broadcast, is one
//! `vpdpbusd`. Eight tokens × two blocks are sixteen accumulators; each line is loaded once for all tokens, each broadcast once
//! for both blocks, and the plane is read as two sequential streams with a prefetch some blocks ahead.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{Kernel, dots_fit, scan_fits};
use crate::late_interaction::fold::{FoldInput, FoldScratch, FoldSpec, fold};
use crate::late_interaction::lanes::{LANES, Lanes, load};
use crate::late_interaction::layout::{BLOCK_ROWS, LINE};
use crate::late_interaction::packed::{PackedTokens, Panel};
use crate::simd::fused::Fused;

/// Lines that a scan prefetches ahead of the one it multiplies.
const AHEAD: usize = 192;

/// Constructed by [`detect`] only, on machines that have the instructions.
struct Avx512(());

static KERNEL: Avx512 = Avx512(());

/// The kernel, on a machine that has the instructions.
pub(super) fn detect() -> Option<&'static dyn Kernel> {
    let has = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma");
    has.then_some(&KERNEL)
}

impl Kernel for Avx512 {
    fn name(&self) -> &'static str {
        "AVX-512 VNNI"
    }

    fn scan(&self, blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
        if scan_fits(blocks, tokens, out, stride).is_some() {
            // SAFETY: a kernel exists only where `detect` found the instructions.
            unsafe { scan(blocks, scales, tokens, out, stride) }
        }
    }

    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
        if dots_fit(query_rows, target_rows, dim, out, stride).is_some() {
            // SAFETY: a kernel exists only where `detect` found the instructions.
            unsafe { dots(query_rows, target_rows, dim, out, stride) }
        }
    }

    fn fold(&self, spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
        // SAFETY: a kernel exists only where `detect` found the instructions.
        unsafe { fold_lanes(spec, input, scratch, out) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn fold_lanes(spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
    fold::<Fused>(spec, input, scratch, out);
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn scan(blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
    let (groups, block_len) = (tokens.groups(), tokens.groups() * LINE);
    let mut done = 0;
    for pair in blocks.chunks(2 * block_len) {
        for panel in tokens.panels() {
            let out = &mut out[panel.first * stride + done..];
            let scales = scales.get(done..).unwrap_or_default();
            match pair.len() / block_len {
                2 => scan_panel::<2>(pair, scales, &panel, groups, out, stride),
                _ => scan_panel::<1>(pair, scales, &panel, groups, out, stride),
            }
        }
        done += pair.len() / block_len * BLOCK_ROWS;
    }
}

/// One panel against B blocks: picks the code for its number of tokens.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn scan_panel<const B: usize>(
    blocks: &[u8],
    scales: &[f32],
    panel: &Panel<'_>,
    groups: usize,
    out: &mut [f32],
    stride: usize,
) {
    match panel.scales.len() {
        1 => scan_tokens::<1, B>(blocks, scales, panel, groups, out, stride),
        2 => scan_tokens::<2, B>(blocks, scales, panel, groups, out, stride),
        3 => scan_tokens::<3, B>(blocks, scales, panel, groups, out, stride),
        4 => scan_tokens::<4, B>(blocks, scales, panel, groups, out, stride),
        5 => scan_tokens::<5, B>(blocks, scales, panel, groups, out, stride),
        6 => scan_tokens::<6, B>(blocks, scales, panel, groups, out, stride),
        7 => scan_tokens::<7, B>(blocks, scales, panel, groups, out, stride),
        _ => scan_tokens::<8, B>(blocks, scales, panel, groups, out, stride),
    }
}

/// T tokens against B blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn scan_tokens<const T: usize, const B: usize>(
    blocks: &[u8],
    scales: &[f32],
    panel: &Panel<'_>,
    groups: usize,
    out: &mut [f32],
    stride: usize,
) {
    assert!(blocks.len() == B * groups * LINE && panel.dwords.len() == groups * T && panel.scales.len() == T);
    let mut sums = [[_mm512_setzero_si512(); B]; T];
    for t in 0..T {
        sums[t] = [_mm512_set1_epi32(panel.biases[t]); B];
    }
    let (plane, query) = (blocks.as_ptr(), panel.dwords.as_ptr());
    for k in 0..groups {
        let mut lines = [_mm512_setzero_si512(); B];
        for b in 0..B {
            // SAFETY: line k of block b ends at (b · groups + k + 1) · LINE ≤ blocks.len(), asserted above. The prefetch may
            // point beyond the plane: it is a hint, and reads nothing that the program sees.
            unsafe {
                let line = plane.add((b * groups + k) * LINE);
                _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD * LINE).cast());
                lines[b] = _mm512_loadu_si512(line.cast());
            }
        }
        for t in 0..T {
            // SAFETY: k · T + t < groups · T = dwords.len(), asserted above.
            let q = _mm512_set1_epi32(unsafe { *query.add(k * T + t) });
            for b in 0..B {
                sums[t][b] = _mm512_dpbusd_epi32(sums[t][b], lines[b], q);
            }
        }
    }
    for b in 0..B {
        let scales = load(scales.get(b * LANES..).unwrap_or_default());
        // SAFETY: `scales` holds sixteen values.
        let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        for t in 0..T {
            let cos = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[t][b]), scales);
            let cos = _mm512_mul_ps(cos, _mm512_set1_ps(panel.scales[t]));
            let out = &mut out[t * stride + b * LANES..][..LANES];
            // SAFETY: `out` holds sixteen values.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), cos) };
        }
    }
}

/// Four query rows times four target rows at a time, sixteen dimensions in lanes.
#[target_feature(enable = "avx512f,avx512dq,fma")]
fn dots(query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    for (j, targets) in target_rows.chunks(4 * dim).enumerate() {
        for (i, queries) in query_rows.chunks(4 * dim).enumerate() {
            let out = &mut out[4 * i * stride + 4 * j..];
            match (queries.len() / dim, targets.len() / dim) {
                (4, 4) => tile::<4, 4>(queries, targets, dim, out, stride),
                (m, n) => {
                    for a in 0..m {
                        for b in 0..n {
                            let (q, t) = (&queries[a * dim..][..dim], &targets[b * dim..][..dim]);
                            tile::<1, 1>(q, t, dim, &mut out[a * stride + b..], stride);
                        }
                    }
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,fma")]
fn tile<const M: usize, const N: usize>(queries: &[f32], targets: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    assert!(queries.len() == M * dim && targets.len() == N * dim);
    let mut sums = [[_mm512_setzero_ps(); N]; M];
    let mut k = 0;
    while k < dim {
        let mask: __mmask16 = if dim - k >= LANES { 0xFFFF } else { (1 << (dim - k)) - 1 };
        let mut f = [_mm512_setzero_ps(); N];
        for (b, f) in f.iter_mut().enumerate() {
            // SAFETY: lanes beyond dim are masked out, so the load ends within row b < N.
            *f = unsafe { _mm512_maskz_loadu_ps(mask, targets.as_ptr().add(b * dim + k)) };
        }
        for a in 0..M {
            // SAFETY: as above, within row a < M.
            let e = unsafe { _mm512_maskz_loadu_ps(mask, queries.as_ptr().add(a * dim + k)) };
            for b in 0..N {
                sums[a][b] = _mm512_fmadd_ps(e, f[b], sums[a][b]);
            }
        }
        k += LANES;
    }
    for a in 0..M {
        for b in 0..N {
            out[a * stride + b] = sum(sums[a][b]);
        }
    }
}

/// Halves added to each other until one value is left: the order that all kernels with fused multiply-add have.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn sum(v: __m512) -> f32 {
    let v = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

//! AVX2 with FMA: x86-64 machines since 2013, with or without the 256-bit `vpdpbusd` of AVX-VNNI.
//!
//! *Scan*: without `vpdpbusd`, |x| · sign(q, x) is multiplied by `vpmaddubsw`: a sum of two such products is within
//! 2 · 128 · 127 = 32,512, so that its 16 bits never saturate, which they would with biased bytes.

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
/// Values of a register.
const HALF: usize = LANES / 2;

/// Constructed by [`detect`] and [`detect_vnni`] only, on machines that have the instructions.
struct Avx2<const VNNI: bool>(());

static PLAIN: Avx2<false> = Avx2(());
static VNNI: Avx2<true> = Avx2(());

/// The kernel, on a machine that has the instructions.
pub(super) fn detect() -> Option<&'static dyn Kernel> {
    (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&PLAIN)
}

/// The kernel with `vpdpbusd`, on a machine that has the instructions.
pub(super) fn detect_vnni() -> Option<&'static dyn Kernel> {
    detect().is_some_and(|_| is_x86_feature_detected!("avxvnni")).then_some(&VNNI)
}

impl<const VNNI: bool> Kernel for Avx2<VNNI> {
    fn name(&self) -> &'static str {
        if VNNI { "AVX2 with AVX-VNNI" } else { "AVX2" }
    }

    fn scan(&self, blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
        if scan_fits(blocks, tokens, out, stride).is_some() {
            // SAFETY: a kernel exists only where `detect` or `detect_vnni` found its instructions.
            unsafe {
                if VNNI {
                    scan_vnni(blocks, scales, tokens, out, stride)
                } else {
                    scan_plain(blocks, scales, tokens, out, stride)
                }
            }
        }
    }

    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
        if dots_fit(query_rows, target_rows, dim, out, stride).is_some() {
            // SAFETY: as above.
            unsafe { dots(query_rows, target_rows, dim, out, stride) }
        }
    }

    fn fold(&self, spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
        // SAFETY: as above.
        unsafe { fold_lanes(spec, input, scratch, out) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn fold_lanes(spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
    fold::<Fused>(spec, input, scratch, out);
}

#[target_feature(enable = "avx2,fma")]
fn scan_plain(blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
    // SAFETY: this function has AVX2, which is all that `Signed` asks for.
    unsafe { scan::<Signed>(blocks, scales, tokens, out, stride) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn scan_vnni(blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
    // SAFETY: this function has AVX2 and AVX-VNNI, which is all that `Biased` asks for.
    unsafe { scan::<Biased>(blocks, scales, tokens, out, stride) }
}

/// How four-byte products are added up. The functions are unsafe because they need the instructions of their implementor.
trait Multiply {
    /// A loaded half line, as `add` wants it.
    type Line: Copy;
    /// Where a sum begins.
    unsafe fn begin(bias: i32) -> __m256i;
    unsafe fn line(stored: __m256i) -> Self::Line;
    unsafe fn add(sum: __m256i, line: Self::Line, q: __m256i) -> __m256i;
}

/// Without `vpdpbusd`: absolute values and signed bytes.
struct Signed;

impl Multiply for Signed {
    type Line = (__m256i, __m256i);

    #[inline(always)]
    unsafe fn begin(_: i32) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn line(stored: __m256i) -> Self::Line {
        // SAFETY: the caller has AVX2.
        unsafe {
            let x = _mm256_xor_si256(stored, _mm256_set1_epi8(i8::MIN));
            (x, _mm256_abs_epi8(x))
        }
    }

    #[inline(always)]
    unsafe fn add(sum: __m256i, (x, magnitude): Self::Line, q: __m256i) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe {
            let pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(q, x));
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

/// With `vpdpbusd`: bytes as they are stored, and the bias taken out of the sum.
struct Biased;

impl Multiply for Biased {
    type Line = __m256i;

    #[inline(always)]
    unsafe fn begin(bias: i32) -> __m256i {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_set1_epi32(bias) }
    }

    #[inline(always)]
    unsafe fn line(stored: __m256i) -> Self::Line {
        stored
    }

    #[inline(always)]
    unsafe fn add(sum: __m256i, line: Self::Line, q: __m256i) -> __m256i {
        // SAFETY: the caller has AVX-VNNI.
        unsafe { _mm256_dpbusd_avx_epi32(sum, line, q) }
    }
}

/// # Safety
/// The caller has the instructions of `X`.
#[inline(always)]
unsafe fn scan<X: Multiply>(blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
    let (groups, block_len) = (tokens.groups(), tokens.groups() * LINE);
    for (b, block) in blocks.chunks_exact(block_len).enumerate() {
        let scales = load(scales.get(b * BLOCK_ROWS..).unwrap_or_default());
        for panel in tokens.panels() {
            let mut t = 0;
            let n = panel.scales.len();
            while t < n {
                let out = &mut out[(panel.first + t) * stride + b * BLOCK_ROWS..];
                // SAFETY: passed on to the caller. There are at least T tokens from t on.
                unsafe {
                    match n - t {
                        1 => scan_tokens::<X, 1>(block, &scales, &panel, t, groups, out, stride),
                        2 => scan_tokens::<X, 2>(block, &scales, &panel, t, groups, out, stride),
                        3 => scan_tokens::<X, 3>(block, &scales, &panel, t, groups, out, stride),
                        _ => scan_tokens::<X, 4>(block, &scales, &panel, t, groups, out, stride),
                    }
                }
                t += 4.min(n - t);
            }
        }
    }
}

/// T tokens of a panel from `first` on against a block: 2 T accumulators.
///
/// # Safety
/// The caller has the instructions of `X`.
#[inline(always)]
unsafe fn scan_tokens<X: Multiply, const T: usize>(
    block: &[u8],
    scales: &Lanes,
    panel: &Panel<'_>,
    first: usize,
    groups: usize,
    out: &mut [f32],
    stride: usize,
) {
    let width = panel.scales.len();
    assert!(block.len() == groups * LINE && panel.dwords.len() == groups * width && first + T <= width);
    // SAFETY: the caller has the instructions. Lines are within `block` and dwords within `panel.dwords`, as asserted above; a
    // prefetch reads nothing that the program sees, wherever it points.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); 2]; T];
        for t in 0..T {
            sums[t] = [X::begin(panel.biases[first + t]); 2];
        }
        let (plane, query) = (block.as_ptr(), panel.dwords.as_ptr());
        for k in 0..groups {
            let line = plane.add(k * LINE);
            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD * LINE).cast());
            let halves = [X::line(_mm256_loadu_si256(line.cast())), X::line(_mm256_loadu_si256(line.add(32).cast()))];
            for t in 0..T {
                let q = _mm256_set1_epi32(*query.add(k * width + first + t));
                for half in 0..2 {
                    sums[t][half] = X::add(sums[t][half], halves[half], q);
                }
            }
        }
        for t in 0..T {
            for half in 0..2 {
                let scale = _mm256_loadu_ps(scales[half * HALF..][..HALF].as_ptr());
                let cos = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[t][half]), scale);
                let cos = _mm256_mul_ps(cos, _mm256_set1_ps(panel.scales[first + t]));
                _mm256_storeu_ps(out[t * stride + half * HALF..][..HALF].as_mut_ptr(), cos);
            }
        }
    }
}

/// Two query rows times two target rows at a time; each product in two registers, for the sixteen lanes that the sum has in
/// every kernel.
#[target_feature(enable = "avx2,fma")]
fn dots(query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    for (j, targets) in target_rows.chunks(2 * dim).enumerate() {
        for (i, queries) in query_rows.chunks(2 * dim).enumerate() {
            let out = &mut out[2 * i * stride + 2 * j..];
            match (queries.len() / dim, targets.len() / dim) {
                (2, 2) => tile::<2, 2>(queries, targets, dim, out, stride),
                (1, 2) => tile::<1, 2>(queries, targets, dim, out, stride),
                (2, 1) => tile::<2, 1>(queries, targets, dim, out, stride),
                _ => tile::<1, 1>(queries, targets, dim, out, stride),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile<const M: usize, const N: usize>(queries: &[f32], targets: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    let mut sums = [[[_mm256_setzero_ps(); 2]; N]; M];
    let mut k = 0;
    while k < dim {
        let mut f = [[_mm256_setzero_ps(); 2]; N];
        for (b, f) in f.iter_mut().enumerate() {
            *f = halves(&targets[b * dim + k..(b + 1) * dim]);
        }
        for a in 0..M {
            let e = halves(&queries[a * dim + k..(a + 1) * dim]);
            for b in 0..N {
                for half in 0..2 {
                    sums[a][b][half] = _mm256_fmadd_ps(e[half], f[b][half], sums[a][b][half]);
                }
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

/// The first sixteen values of a row's rest, filled up with zeros.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn halves(rest: &[f32]) -> [__m256; 2] {
    let values = load(rest);
    // SAFETY: `values` holds sixteen values.
    unsafe { [_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values.as_ptr().add(HALF))] }
}

/// Halves added to each other until one value is left: the order that all kernels with fused multiply-add have.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum([low, high]: [__m256; 2]) -> f32 {
    let v = _mm256_add_ps(low, high);
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

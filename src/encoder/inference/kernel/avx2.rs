//! AVX2 with FMA: x86-64 machines since 2013. Six rows × two registers of columns are twelve accumulators.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::tile::{Multiply, Register, blocks, multiply, tile};
use super::{Kernel, Product};
use crate::encoder::config::Activation;
use crate::encoder::inference::elementwise::{self, Norm, Weighting};
use crate::simd::fused::Fused;

/// Constructed by [`detect`] only, on machines that have the instructions.
struct Avx2(());

static KERNEL: Avx2 = Avx2(());

/// The kernel, on a machine that has the instructions.
pub(super) fn detect() -> Option<&'static dyn Kernel> {
    (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&KERNEL)
}

impl Kernel for Avx2 {
    fn name(&self) -> &'static str {
        "AVX2"
    }

    fn product(&self, product: &Product<'_, f32, f32>, out: &mut [f32], out_stride: usize) {
        if product.fits(F32::STEP, out, out_stride) {
            // SAFETY: a kernel exists only where `detect` found the instructions, and the lengths fit.
            unsafe { self::product(product, out, out_stride) }
        }
    }

    fn product_of_rounded(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize) {
        if product.fits(Widened::STEP, out, out_stride) {
            // SAFETY: as above.
            unsafe { product_widened(product, out, out_stride) }
        }
    }

    fn product_of_numbers(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize) {
        if product.fits(Numbers::STEP, out, out_stride) {
            // SAFETY: as above.
            unsafe { product_numbers(product, out, out_stride) }
        }
    }

    fn quantize(&self, values: &[f32], words: &mut [u32]) -> f32 {
        // SAFETY: a kernel exists only where `detect` found the instructions.
        unsafe { quantize(values, words) }
    }

    fn rescale(&self, row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
        // SAFETY: as above.
        unsafe { rescale(row, columns, bias, out) }
    }

    fn words_per_pair(&self) -> usize {
        Widened::STEP
    }

    fn round(&self, values: &[f32], words: &mut [u32]) {
        // SAFETY: a kernel exists only where `detect` found the instructions.
        unsafe { round(values, words) }
    }

    fn activate(&self, activation: Activation, values: &mut [f32]) {
        // SAFETY: as above.
        unsafe { activate(activation, values) }
    }

    fn weigh(&self, weighting: &Weighting<'_>, scores: &mut [f32]) {
        // SAFETY: as above.
        unsafe { weigh(weighting, scores) }
    }

    fn normalize(&self, norm: &Norm<'_>, row: &mut [f32]) {
        // SAFETY: as above.
        unsafe { normalize(norm, row) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn round(values: &[f32], words: &mut [u32]) {
    elementwise::round_to_words(values, words);
}

#[target_feature(enable = "avx2,fma")]
fn activate(activation: Activation, values: &mut [f32]) {
    elementwise::activate::<Fused>(activation, values);
}

#[target_feature(enable = "avx2,fma")]
fn weigh(weighting: &Weighting<'_>, scores: &mut [f32]) {
    elementwise::weigh::<Fused>(weighting, scores);
}

#[target_feature(enable = "avx2,fma")]
fn normalize(norm: &Norm<'_>, row: &mut [f32]) {
    elementwise::normalize::<Fused>(norm, row);
}

#[target_feature(enable = "avx2,fma")]
fn quantize(values: &[f32], words: &mut [u32]) -> f32 {
    elementwise::quantize(values, words)
}

#[target_feature(enable = "avx2,fma")]
fn rescale(row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
    elementwise::rescale::<Fused>(row, columns, bias, out);
}

impl Register for __m256 {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    fn prefetch(line: *const u8) {
        // SAFETY: the instruction reads nothing that the program sees.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
}

struct F32;

impl Multiply for F32 {
    type Register = __m256;
    type Row = f32;
    type Line = f32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: __m256, line: *const f32, value: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_fmadd_ps(_mm256_loadu_ps(line), _mm256_set1_ps(*value), sums) }
    }
}

/// Pairs of bf16: each half is an f32 with 16 bits of zeros.
struct Widened;

impl Multiply for Widened {
    type Register = __m256;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 2;

    #[inline(always)]
    unsafe fn add(sums: __m256, line: *const u32, value: *const u32) -> __m256 {
        // SAFETY: the caller's; f32 and u32 have the same size and alignment, and every bit pattern is both.
        unsafe {
            let line = _mm256_loadu_si256(line.cast());
            let low = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(line));
            let high = _mm256_castsi256_ps(_mm256_and_si256(line, _mm256_set1_epi32(!0xffff)));
            let value: *const f32 = value.cast();
            let sums = _mm256_fmadd_ps(low, _mm256_set1_ps(*value), sums);
            _mm256_fmadd_ps(high, _mm256_set1_ps(*value.add(1)), sums)
        }
    }
}

/// Sums of whole numbers: what they begin with are the bits of a bias, the end is the nearest f32.
#[derive(Clone, Copy)]
struct Sums(__m256i);

impl Register for Sums {
    const WIDTH: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(to, _mm256_cvtepi32_ps(self.0)) }
    }

    #[inline(always)]
    fn prefetch(line: *const u8) {
        __m256::prefetch(line);
    }
}

/// Four i8 times four u8, in two halves of 16 bits.
struct Numbers;

impl Multiply for Numbers {
    type Register = Sums;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: Sums, line: *const u32, value: *const u32) -> Sums {
        // SAFETY: the caller's.
        unsafe {
            let line = _mm256_loadu_si256(line.cast());
            let (even, odd) = (_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(line)), _mm256_srai_epi16::<8>(line));
            let value = _mm256_set1_epi32((*value).cast_signed());
            let bytes = _mm256_set1_epi32(0x00ff_00ff);
            let (first, second) =
                (_mm256_and_si256(value, bytes), _mm256_and_si256(_mm256_srli_epi32::<8>(value), bytes));
            let both = _mm256_add_epi32(_mm256_madd_epi16(even, first), _mm256_madd_epi16(odd, second));
            Sums(_mm256_add_epi32(sums.0, both))
        }
    }
}

multiply!(product_numbers, Numbers, "avx2,fma", 2, 4: 1 2 3 4);
multiply!(product, F32, "avx2,fma", 2, 6: 1 2 3 4 5 6);
multiply!(product_widened, Widened, "avx2,fma", 2, 4: 1 2 3 4);

//! AVX-512: Intel since Skylake-X, AMD since Zen 4; with BF16 since Cooper Lake and Zen 4.
//!
//! Twelve rows × two registers of columns are 24 accumulators; each line of the panel is loaded once for all rows, each value of a
//! row is broadcast once for both registers. The panel is one sequential stream with a prefetch ahead: for a single short text the
//! weights come from memory, and reading them is what the time goes into.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::tile::{Multiply, Register, blocks, multiply, tile};
use super::{Kernel, Product};
use crate::encoder::config::Activation;
use crate::encoder::inference::elementwise::{self, Norm, Weighting};
use crate::simd::fused::Fused;

/// Constructed below only, on machines that have the instructions.
struct Avx512 {
    bf16: bool,
    vnni: bool,
}

/// The kernels, with and without each extension.
static KERNELS: [Avx512; 4] = [
    Avx512 { bf16: false, vnni: false },
    Avx512 { bf16: false, vnni: true },
    Avx512 { bf16: true, vnni: false },
    Avx512 { bf16: true, vnni: true },
];

fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
}

/// The kernels of this machine, the faster one first.
///
/// AMD multiplies twice as many pairs by `vdpbf16ps` in the same time as single values; Intel (Sapphire Rapids) only half as many, so
/// that widening them is faster. Measured; asking the vendor keeps the choice, and so the bits, the same from run to run.
pub(super) fn detect() -> [Option<&'static dyn Kernel>; 2] {
    // The vendor is asked last: an interpreter or emulator without the instructions may have no way to tell.
    if !has_avx512() {
        return [None, None];
    }
    let vnni = is_x86_feature_detected!("avx512vnni");
    let kernel = |bf16: bool| {
        KERNELS.iter().find(|kernel| (kernel.bf16, kernel.vnni) == (bf16, vnni)).map(|kernel| kernel as &dyn Kernel)
    };
    let (plain, with_bf16) = (kernel(false), is_x86_feature_detected!("avx512bf16").then(|| kernel(true)).flatten());
    if is_intel() { [plain, with_bf16] } else { [with_bf16, plain] }
}

fn is_intel() -> bool {
    let vendor = __cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
}

impl Kernel for Avx512 {
    fn name(&self) -> &'static str {
        if self.bf16 { "AVX-512 BF16" } else { "AVX-512" }
    }

    fn product(&self, product: &Product<'_, f32, f32>, out: &mut [f32], out_stride: usize) {
        if product.fits(F32::STEP, out, out_stride) {
            // SAFETY: a kernel exists only where `detect` found the instructions, and the lengths fit.
            unsafe { self::product(product, out, out_stride) }
        }
    }

    fn product_of_rounded(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize) {
        if !product.fits(self.words_per_pair(), out, out_stride) {
            return;
        }
        // SAFETY: a kernel exists only where `detect` found the instructions, one with `bf16` where it found those too; the
        // lengths fit.
        match self.bf16 {
            true => unsafe { product_bf16(product, out, out_stride) },
            false => unsafe { product_widened(product, out, out_stride) },
        }
    }

    fn product_of_numbers(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize) {
        if !product.fits(Numbers::STEP, out, out_stride) {
            return;
        }
        // SAFETY: a kernel exists only where `detect` found the instructions, one with `vnni` where it found those too; the
        // lengths fit.
        match self.vnni {
            true => unsafe { product_vnni(product, out, out_stride) },
            false => unsafe { product_numbers(product, out, out_stride) },
        }
    }

    fn quantize(&self, values: &[f32], words: &mut [u32]) -> f32 {
        // SAFETY: as above.
        unsafe { quantize(values, words) }
    }

    fn rescale(&self, row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
        // SAFETY: as above.
        unsafe { rescale(row, columns, bias, out) }
    }

    fn words_per_pair(&self) -> usize {
        if self.bf16 { Bf16::STEP } else { Widened::STEP }
    }

    fn round(&self, values: &[f32], words: &mut [u32]) {
        // SAFETY: a kernel exists only where `detect` found the instructions.
        match self.bf16 {
            true => unsafe { round_to_pairs(values, words) },
            false => unsafe { round_to_words(values, words) },
        }
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn round_to_pairs(values: &[f32], pairs: &mut [u32]) {
    elementwise::round_to_pairs(values, pairs);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn round_to_words(values: &[f32], words: &mut [u32]) {
    elementwise::round_to_words(values, words);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn activate(activation: Activation, values: &mut [f32]) {
    elementwise::activate::<Fused>(activation, values);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn weigh(weighting: &Weighting<'_>, scores: &mut [f32]) {
    elementwise::weigh::<Fused>(weighting, scores);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn normalize(norm: &Norm<'_>, row: &mut [f32]) {
    elementwise::normalize::<Fused>(norm, row);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn quantize(values: &[f32], words: &mut [u32]) -> f32 {
    elementwise::quantize(values, words)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn rescale(row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
    elementwise::rescale::<Fused>(row, columns, bias, out);
}

impl Register for __m512 {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    fn prefetch(line: *const u8) {
        // SAFETY: the instruction reads nothing that the program sees.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
}

struct F32;

impl Multiply for F32 {
    type Register = __m512;
    type Row = f32;
    type Line = f32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: __m512, line: *const f32, value: *const f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_fmadd_ps(_mm512_loadu_ps(line), _mm512_set1_ps(*value), sums) }
    }
}

/// Pairs of bf16 without the instruction for them: each half is an f32 with 16 bits of zeros.
struct Widened;

impl Multiply for Widened {
    type Register = __m512;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 2;

    #[inline(always)]
    unsafe fn add(sums: __m512, line: *const u32, value: *const u32) -> __m512 {
        // SAFETY: the caller's; f32 and u32 have the same size and alignment, and every bit pattern is both.
        unsafe {
            let line = _mm512_loadu_si512(line.cast());
            let low = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(line));
            let high = _mm512_castsi512_ps(_mm512_and_si512(line, _mm512_set1_epi32(!0xffff)));
            let value: *const f32 = value.cast();
            let sums = _mm512_fmadd_ps(low, _mm512_set1_ps(*value), sums);
            _mm512_fmadd_ps(high, _mm512_set1_ps(*value.add(1)), sums)
        }
    }
}

/// Pairs of bf16 by `vdpbf16ps`; the machine must have AVX512-BF16.
struct Bf16;

impl Multiply for Bf16 {
    type Register = __m512;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: __m512, line: *const u32, value: *const u32) -> __m512 {
        // SAFETY: the caller's; all three types are 512 bits.
        unsafe {
            let line = std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(line.cast()));
            let value = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32((*value).cast_signed()));
            _mm512_dpbf16_ps(sums, line, value)
        }
    }
}

/// Sums of whole numbers: what they begin with are the bits of a bias, the end is the nearest f32.
#[derive(Clone, Copy)]
struct Sums(__m512i);

impl Register for Sums {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(to, _mm512_cvtepi32_ps(self.0)) }
    }

    #[inline(always)]
    fn prefetch(line: *const u8) {
        __m512::prefetch(line);
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
            let line = _mm512_loadu_si512(line.cast());
            let (even, odd) = (_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(line)), _mm512_srai_epi16::<8>(line));
            let value = _mm512_set1_epi32((*value).cast_signed());
            let bytes = _mm512_set1_epi32(0x00ff_00ff);
            let (first, second) =
                (_mm512_and_si512(value, bytes), _mm512_and_si512(_mm512_srli_epi32::<8>(value), bytes));
            let both = _mm512_add_epi32(_mm512_madd_epi16(even, first), _mm512_madd_epi16(odd, second));
            Sums(_mm512_add_epi32(sums.0, both))
        }
    }
}

/// The same by `vpdpbusd`; the machine must have AVX512-VNNI.
struct Vnni;

impl Multiply for Vnni {
    type Register = Sums;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: Sums, line: *const u32, value: *const u32) -> Sums {
        // SAFETY: the caller's.
        unsafe {
            let line = _mm512_loadu_si512(line.cast());
            Sums(_mm512_dpbusd_epi32(sums.0, _mm512_set1_epi32((*value).cast_signed()), line))
        }
    }
}

multiply!(product_numbers, Numbers, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", 2, 12: 1 2 3 4 5 6 7 8 9 10 11 12);
multiply!(product_vnni, Vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512vnni", 2, 12: 1 2 3 4 5 6 7 8 9 10 11 12);
multiply!(product, F32, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", 2, 12: 1 2 3 4 5 6 7 8 9 10 11 12);
multiply!(product_widened, Widened, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", 2, 12: 1 2 3 4 5 6 7 8 9 10 11 12);
multiply!(product_bf16, Bf16, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16", 2, 12: 1 2 3 4 5 6 7 8 9 10 11 12);

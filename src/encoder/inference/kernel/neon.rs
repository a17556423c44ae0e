//! NEON: every aarch64 machine. Four rows × four registers of columns are sixteen accumulators.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::tile::{Multiply, Register, blocks, multiply, tile};
use super::{Kernel, Product};
use crate::encoder::config::Activation;
use crate::encoder::inference::elementwise::{self, Norm, Weighting};
use crate::simd::fused::Fused;

/// Every aarch64 machine has the instructions.
struct Neon;

/// The kernel. The layout of a pair of bf16 values in a word is meant for little-endian machines.
pub(super) fn detect() -> Option<&'static dyn Kernel> {
    cfg!(target_endian = "little").then_some(&Neon)
}

impl Kernel for Neon {
    fn name(&self) -> &'static str {
        "NEON"
    }

    fn product(&self, product: &Product<'_, f32, f32>, out: &mut [f32], out_stride: usize) {
        if product.fits(F32::STEP, out, out_stride) {
            // SAFETY: every aarch64 machine has NEON, and the lengths fit.
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
        elementwise::quantize(values, words)
    }

    fn rescale(&self, row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]) {
        elementwise::rescale::<Fused>(row, columns, bias, out);
    }

    fn words_per_pair(&self) -> usize {
        Widened::STEP
    }

    fn round(&self, values: &[f32], words: &mut [u32]) {
        elementwise::round_to_words(values, words);
    }

    fn activate(&self, activation: Activation, values: &mut [f32]) {
        elementwise::activate::<Fused>(activation, values);
    }

    fn weigh(&self, weighting: &Weighting<'_>, scores: &mut [f32]) {
        elementwise::weigh::<Fused>(weighting, scores);
    }

    fn normalize(&self, norm: &Norm<'_>, row: &mut [f32]) {
        elementwise::normalize::<Fused>(norm, row);
    }
}

impl Register for float32x4_t {
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(to, self) }
    }

    #[inline(always)]
    fn prefetch(_: *const u8) {}
}

struct F32;

impl Multiply for F32 {
    type Register = float32x4_t;
    type Row = f32;
    type Line = f32;
    const STEP: usize = 1;

    #[inline(always)]
    unsafe fn add(sums: float32x4_t, line: *const f32, value: *const f32) -> float32x4_t {
        // SAFETY: the caller's.
        unsafe { vfmaq_n_f32(sums, vld1q_f32(line), *value) }
    }
}

/// Pairs of bf16: each half is an f32 with 16 bits of zeros.
struct Widened;

impl Multiply for Widened {
    type Register = float32x4_t;
    type Row = u32;
    type Line = u32;
    const STEP: usize = 2;

    #[inline(always)]
    unsafe fn add(sums: float32x4_t, line: *const u32, value: *const u32) -> float32x4_t {
        // SAFETY: the caller's; f32 and u32 have the same size and alignment, and every bit pattern is both.
        unsafe {
            let line = vld1q_u32(line);
            let low = vreinterpretq_f32_u32(vshlq_n_u32::<16>(line));
            let high = vreinterpretq_f32_u32(vandq_u32(line, vdupq_n_u32(!0xffff)));
            let value: *const f32 = value.cast();
            let sums = vfmaq_n_f32(sums, low, *value);
            vfmaq_n_f32(sums, high, *value.add(1))
        }
    }
}

/// Sums of whole numbers: what they begin with are the bits of a bias, the end is the nearest f32.
#[derive(Clone, Copy)]
struct Sums(int32x4_t);

impl Register for Sums {
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { vld1q_s32(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(to, vcvtq_f32_s32(self.0)) }
    }

    #[inline(always)]
    fn prefetch(_: *const u8) {}
}

/// Four i8 times four u8, widened to 16 bits.
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
            let line = vld1q_s8(line.cast());
            let (low, high) = (vmovl_s8(vget_low_s8(line)), vmovl_s8(vget_high_s8(line)));
            let value = vget_low_s16(vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(*value)))));
            // The products of one column's four bytes each.
            let (a, b) = (vmull_s16(vget_low_s16(low), value), vmull_s16(vget_high_s16(low), value));
            let (c, d) = (vmull_s16(vget_low_s16(high), value), vmull_s16(vget_high_s16(high), value));
            Sums(vaddq_s32(sums.0, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))))
        }
    }
}

multiply!(product_numbers, Numbers, "neon", 4, 4: 1 2 3 4);
multiply!(product, F32, "neon", 4, 4: 1 2 3 4);
multiply!(product_widened, Widened, "neon", 4, 4: 1 2 3 4);

//! NEON: every aarch64 machine. Four rows × four registers of columns are sixteen accumulators.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::tile::{Register, blocks, multiply, tile};
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

#[derive(Clone, Copy)]
struct F32(float32x4_t);

impl Register for F32 {
    type Row = f32;
    type Line = f32;
    const STEP: usize = 1;
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, line: *const f32, value: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { vfmaq_n_f32(self.0, vld1q_f32(line), *value) })
    }

    #[inline(always)]
    fn prefetch(_: *const f32) {}
}

/// Pairs of bf16: each half is an f32 with 16 bits of zeros.
#[derive(Clone, Copy)]
struct Widened(F32);

impl Register for Widened {
    type Row = u32;
    type Line = u32;
    const STEP: usize = 2;
    const WIDTH: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { F32::load(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { self.0.store(to) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, line: *const u32, value: *const u32) -> Self {
        // SAFETY: the caller's; f32 and u32 have the same size and alignment, and every bit pattern is both.
        unsafe {
            let line = vld1q_u32(line);
            let low = vreinterpretq_f32_u32(vshlq_n_u32::<16>(line));
            let high = vreinterpretq_f32_u32(vandq_u32(line, vdupq_n_u32(!0xffff)));
            let value: *const f32 = value.cast();
            let sums = vfmaq_n_f32(self.0.0, low, *value);
            Self(F32(vfmaq_n_f32(sums, high, *value.add(1))))
        }
    }

    #[inline(always)]
    fn prefetch(_: *const u32) {}
}

multiply!(product, F32, "neon", 4, 4: 1 2 3 4);
multiply!(product_widened, Widened, "neon", 4, 4: 1 2 3 4);

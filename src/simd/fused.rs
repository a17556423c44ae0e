//! What machines with fused multiply-add bring to [`Machine`].

#![allow(unsafe_code)]

use super::machine::Machine;

/// Multiplication and addition in one rounding.
pub(crate) struct Fused;

impl Machine for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 machine has the instruction, and it reads nothing that the program sees.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = bytes;
    }
}

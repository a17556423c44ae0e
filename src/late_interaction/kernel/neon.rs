//! NEON with the dot-product extension of Armv8.2: Apple M, Graviton since 2, Snapdragon since 845.
//!
//! *Scan*: a line of the hi plane is four registers; flipping the highest bit of a stored byte takes its bias out, and `sdot`
//! multiplies sixteen signed bytes with four of a query token. Four tokens × four registers are sixteen accumulators, and one
//! load brings those four tokens, because `sdot` picks the four bytes it wants of a register by itself.
//!
//! Standard Rust has no function for `sdot` yet, so it is inline assembly. Plain NEON is part of every aarch64 target that has a
//! standard library, so that full precision and folds need no other code than what the compiler makes anyway.

#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::{Kernel, dots_fit, scan_fits};
use crate::late_interaction::fold::{FoldInput, FoldScratch, FoldSpec, fold};
use crate::late_interaction::lanes::{LANES, Lanes, load};
use crate::late_interaction::layout::{BLOCK_ROWS, LINE};
use crate::late_interaction::packed::{PackedTokens, Panel};
use crate::simd::fused::Fused;

/// Values of a register, and registers of a line or of sixteen values.
const QUARTER: usize = LANES / 4;

/// Constructed by [`detect`] only, on machines that have the instructions.
struct Neon(());

static KERNEL: Neon = Neon(());

/// The kernel, on a machine that has the instructions.
pub(super) fn detect() -> Option<&'static dyn Kernel> {
    // A register's bytes lie in memory in the order of the format on little-endian machines only.
    (cfg!(target_endian = "little") && is_aarch64_feature_detected!("dotprod")).then_some(&KERNEL)
}

impl Kernel for Neon {
    fn name(&self) -> &'static str {
        "NEON"
    }

    fn scan(&self, blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
        if scan_fits(blocks, tokens, out, stride).is_some() {
            // SAFETY: a kernel exists only where `detect` found the instructions.
            unsafe { scan(blocks, scales, tokens, out, stride) }
        }
    }

    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
        if dots_fit(query_rows, target_rows, dim, out, stride).is_some() {
            dots(query_rows, target_rows, dim, out, stride);
        }
    }

    fn fold(&self, spec: &FoldSpec, input: &FoldInput<'_>, scratch: &mut FoldScratch, out: &mut Lanes) {
        fold::<Fused>(spec, input, scratch, out);
    }
}

#[target_feature(enable = "neon,dotprod")]
fn scan(blocks: &[u8], scales: &[f32], tokens: &PackedTokens, out: &mut [f32], stride: usize) {
    let (groups, block_len) = (tokens.groups(), tokens.groups() * LINE);
    for (b, block) in blocks.chunks_exact(block_len).enumerate() {
        let scales = load(scales.get(b * BLOCK_ROWS..).unwrap_or_default());
        for panel in tokens.panels() {
            let mut t = 0;
            let n = panel.scales.len();
            while t < n {
                let out = &mut out[(panel.first + t) * stride + b * BLOCK_ROWS..];
                match n - t {
                    1 => scan_tokens::<1>(block, &scales, &panel, t, groups, out, stride),
                    2 => scan_tokens::<2>(block, &scales, &panel, t, groups, out, stride),
                    3 => scan_tokens::<3>(block, &scales, &panel, t, groups, out, stride),
                    _ => scan_tokens::<4>(block, &scales, &panel, t, groups, out, stride),
                }
                t += 4.min(n - t);
            }
        }
    }
}

/// T ≤ 4 tokens of a panel from `first` on against a block: 4 T accumulators.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn scan_tokens<const T: usize>(
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
    // Those of tokens from T on are never touched. Each token is written out, so that all sums stay in registers.
    let mut sums = [[vdupq_n_s32(0); 4]; 4];
    let query = panel.dwords.as_ptr();
    for (k, line) in block.chunks_exact(LINE).enumerate() {
        let line = signed(line);
        // SAFETY: k < groups, so that dword k · width + first + T − 1 is within `dwords`, as asserted above.
        let four = unsafe { group::<T>(query.add(k * width + first)) };
        add_products::<0>(&mut sums[0], &line, four);
        if T > 1 {
            add_products::<1>(&mut sums[1], &line, four);
        }
        if T > 2 {
            add_products::<2>(&mut sums[2], &line, four);
        }
        if T > 3 {
            add_products::<3>(&mut sums[3], &line, four);
        }
    }
    let scales = quarters(scales);
    for t in 0..T {
        for (quarter, out) in out[t * stride..][..LANES].chunks_exact_mut(QUARTER).enumerate() {
            let cos = vmulq_f32(vcvtq_f32_s32(sums[t][quarter]), scales[quarter]);
            let cos = vmulq_n_f32(cos, panel.scales[first + t]);
            // SAFETY: `out` holds four values.
            unsafe { vst1q_f32(out.as_mut_ptr(), cos) };
        }
    }
}

/// The same four dimensions of T ≤ 4 tokens.
///
/// # Safety
/// `dwords` points at T dwords or more.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn group<const T: usize>(dwords: *const i32) -> int32x4_t {
    // SAFETY: the caller's; each arm reads T dwords.
    unsafe {
        match T {
            1 => vld1q_dup_s32(dwords),
            2 => vcombine_s32(vld1_s32(dwords), vdup_n_s32(0)),
            3 => vcombine_s32(vld1_s32(dwords), vld1_dup_s32(dwords.add(2))),
            _ => vld1q_s32(dwords),
        }
    }
}

/// A line of stored bytes hi + 128 as the values hi.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn signed(line: &[u8]) -> [int8x16_t; 4] {
    assert!(line.len() == LINE);
    // SAFETY: a line is four registers long.
    let stored = unsafe { vld1q_u8_x4(line.as_ptr()) };
    let flip = |bytes| vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)));
    [flip(stored.0), flip(stored.1), flip(stored.2), flip(stored.3)]
}

/// Adds to sixteen sums, one per row of the block, the products of a line with token `TOKEN` of four.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_products<const TOKEN: i32>(sums: &mut [int32x4_t; 4], line: &[int8x16_t; 4], four: int32x4_t) {
    for quarter in 0..4 {
        // SAFETY: this function has the instruction, which reads and writes its three registers and nothing else (neither
        // memory nor flags); its result depends on them alone, and its sums wrap. An index of four bytes reaches any of the
        // 32 registers, unlike one of halves.
        unsafe {
            asm!(
                "sdot {sums:v}.4s, {line:v}.16b, {four:v}.4b[{token}]",
                sums = inout(vreg) sums[quarter],
                line = in(vreg) line[quarter],
                four = in(vreg) four,
                token = const TOKEN,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
    }
}

/// Two query rows times two target rows at a time; each product in four registers, for the sixteen lanes that the sum has in
/// every kernel.
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
fn tile<const M: usize, const N: usize>(queries: &[f32], targets: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    let zero = quarters(&[0.0; LANES]);
    let mut sums = [[zero; N]; M];
    let mut k = 0;
    while k < dim {
        let mut f = [zero; N];
        for (b, f) in f.iter_mut().enumerate() {
            *f = quarters_of_rest(&targets[b * dim + k..(b + 1) * dim]);
        }
        for a in 0..M {
            let e = quarters_of_rest(&queries[a * dim + k..(a + 1) * dim]);
            for b in 0..N {
                for quarter in 0..4 {
                    // SAFETY: every aarch64 machine has NEON.
                    sums[a][b][quarter] = unsafe { vfmaq_f32(sums[a][b][quarter], e[quarter], f[b][quarter]) };
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
fn quarters_of_rest(rest: &[f32]) -> [float32x4_t; 4] {
    match rest.first_chunk::<LANES>() {
        Some(whole) => quarters(whole),
        None => quarters(&load(rest)),
    }
}

#[inline]
fn quarters(values: &Lanes) -> [float32x4_t; 4] {
    // SAFETY: every aarch64 machine has NEON, and `values` is four registers long.
    let four = unsafe { vld1q_f32_x4(values.as_ptr()) };
    [four.0, four.1, four.2, four.3]
}

/// Halves added to each other until one value is left: the order that all kernels with fused multiply-add have.
#[inline]
fn sum(lanes: [float32x4_t; 4]) -> f32 {
    // SAFETY: every aarch64 machine has NEON.
    unsafe {
        let (low, high) = (vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
        let v = vaddq_f32(low, high);
        let v = vadd_f32(vget_low_f32(v), vget_high_f32(v));
        vpadds_f32(v)
    }
}

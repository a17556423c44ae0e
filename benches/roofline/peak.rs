//! The rate of 8-bit multiply-adds that this machine's dot-product instruction reaches when nothing is loaded.

use super::common::Pool;

/// Multiply-adds a second on all threads of the pool together; `None` where the instruction is missing.
#[cfg(target_arch = "x86_64")]
pub fn int8_rate(pool: &Pool) -> Option<f64> {
    use std::time::Instant;

    use rayon::prelude::*;

    if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("avx512vnni") {
        return None;
    }
    // SAFETY: the instructions were found.
    let run = |_| std::hint::black_box(unsafe { multiply_add(ROUNDS) });
    let pass = || {
        let start = Instant::now();
        (0..pool.threads).into_par_iter().with_max_len(1).for_each(|at| _ = run(at));
        (pool.threads * ROUNDS * CHAINS * 64) as f64 / start.elapsed().as_secs_f64()
    };
    pool.run(|| (0..10).map(|_| pass()).max_by(f64::total_cmp))
}

#[cfg(not(target_arch = "x86_64"))]
pub fn int8_rate(_: &Pool) -> Option<f64> {
    None
}

/// Some tens of milliseconds of work in all.
#[cfg(target_arch = "x86_64")]
const ROUNDS: usize = 400_000;
/// Sums that do not wait for each other: more than the instruction's latency times the units that run it.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 16;

/// `rounds` × 16 instructions of 64 multiply-adds each.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_add(rounds: usize) -> i32 {
    use std::arch::x86_64::{_mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi8};

    let (mut a, b) = (_mm512_set1_epi8(3), _mm512_set1_epi8(-5));
    let mut sums = [_mm512_set1_epi8(0); CHAINS];
    for _ in 0..rounds {
        // Hides that the factor stays the same, or the sums would be computed without the loop.
        a = std::hint::black_box(a);
        sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, a, b));
    }
    _mm512_reduce_add_epi32(sums.into_iter().fold(_mm512_set1_epi8(0), |all, sum| _mm512_add_epi32(all, sum)))
}

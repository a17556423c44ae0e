//! The time to read memory once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::common::Pool;

/// Words of one task: 1 MB.
const TASK: usize = 1 << 17;

/// Reads a buffer of `bytes` bytes from front to back, all threads of the pool a part each; the best of `times` passes.
pub fn read(bytes: usize, pool: &Pool, times: usize) -> Duration {
    let buffer: Vec<u64> = (0..(bytes / 8).max(1) as u64).collect();
    let sum = || match pool.threads {
        1 => sum(&buffer),
        _ => buffer.par_chunks(TASK).map(sum).reduce(|| 0, u64::wrapping_add),
    };
    let pass = || {
        let start = Instant::now();
        black_box(sum());
        start.elapsed()
    };
    pool.run(|| (0..times.max(1)).map(|_| pass()).min().unwrap_or_default())
}

/// Eight sums side by side, so that loading and not adding is what takes time.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; 8];
    for eight in words.chunks_exact(8) {
        sums.iter_mut().zip(eight).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    }
    sums.iter().fold(0, |sum, part| sum.wrapping_add(*part))
}

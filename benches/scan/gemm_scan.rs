//! The scan as a good engineer writes it on a matrix library: all cosines of a block of targets by `gemm` in f32, then
//! soft late interaction over the block in vector registers.
//!
//! Targets of equal length stand together, their first rows side by side, then their second rows, and so on: a block of
//! T targets of L rows is a dim × (L · T) matrix, rows of one token contiguous. `gemm` reads it without repacking for a single
//! query, and both directions of the interaction become sums down the columns, with targets in lanes. Blocks are spread
//! over the threads of the pool; `gemm`'s own parallelism splits products that are too small to be worth it.

use rayon::prelude::*;

use super::common::Rows;
use super::fold::{Fold, LANES};
use super::top::Top;

/// Rows of a block, at most (but for targets that are longer). `gemm` goes through a block once for each group of some 24 rows, so
/// that one which fits the second-level cache is read from memory once: for a single query, blocks of 1,000 rows take
/// up to twice as long as blocks of 100; for a batch it makes no difference.
pub const BLOCK_ROWS: usize = 96;

/// Targets of equal length.
struct Block {
    /// Its values in the matrix of all blocks.
    start: usize,
    /// Targets, filled up with zeros to a multiple of [`LANES`].
    lanes: usize,
    /// Rows of each target.
    len: usize,
    targets: Vec<usize>,
}

pub struct GemmScan {
    dim: usize,
    n_targets: usize,
    values: Vec<f32>,
    blocks: Vec<Block>,
    fold: Fold,
}

/// The unit rows of queries, one after the other.
pub struct QueryRows {
    values: Vec<f32>,
    /// Rows of each query.
    lens: Vec<usize>,
}

impl QueryRows {
    pub fn new<'a>(queries: impl IntoIterator<Item = &'a Vec<f32>>, dim: usize) -> Self {
        let mut rows = Self { values: Vec::new(), lens: Vec::new() };
        for query in queries {
            rows.values.extend_from_slice(query);
            rows.lens.push(query.len() / dim);
        }
        rows
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    cosines: Vec<f32>,
    scores: Vec<f32>,
}

impl GemmScan {
    pub fn new(rows: &Rows, block_rows: usize) -> Self {
        let targets: Vec<&[f32]> = rows.targets().collect();
        let mut order: Vec<usize> = (0..targets.len()).collect();
        order.sort_by_key(|&target| targets[target].len());
        let mut scan = Self {
            dim: rows.dim,
            n_targets: targets.len(),
            values: Vec::new(),
            blocks: Vec::new(),
            fold: Fold::detect(),
        };
        // All rows, and what fills up the last block of each length: at most a few blocks in all.
        scan.values.reserve_exact(rows.values.len() + rows.values.len() / 50);
        for same in order.chunk_by(|&a, &b| targets[a].len() == targets[b].len()) {
            let len = targets[same[0]].len() / rows.dim;
            let per_block = (block_rows / len / LANES).max(1) * LANES;
            same.chunks(per_block).for_each(|part| scan.push(len, part, &targets));
        }
        scan
    }

    fn push(&mut self, len: usize, part: &[usize], targets: &[&[f32]]) {
        let (start, lanes) = (self.values.len(), part.len().next_multiple_of(LANES));
        self.values.resize(start + self.dim * len * lanes, 0.0);
        let block = &mut self.values[start..];
        for (t, &target) in part.iter().enumerate() {
            for (j, row) in targets[target].chunks_exact(self.dim).enumerate() {
                row.iter().enumerate().for_each(|(k, value)| block[(k * len + j) * lanes + t] = *value);
            }
        }
        self.blocks.push(Block { start, lanes, len, targets: part.to_vec() });
    }

    /// The score of every target for one query.
    pub fn scores(&self, query: &QueryRows) -> Vec<f32> {
        let (mut scores, mut scratch) = (vec![f32::NAN; self.n_targets], Scratch::default());
        for block in &self.blocks {
            self.score_block(block, query, &mut scratch, &mut |_, target, score| scores[target] = score);
        }
        scores
    }

    /// The best `k` targets for each query, best first; on the current pool.
    pub fn rank(&self, queries: &QueryRows, k: usize) -> Vec<Vec<(f32, usize)>> {
        let none = || (vec![Top::new(k); queries.lens.len()], Scratch::default());
        let (tops, _) = self
            .blocks
            .par_iter()
            .fold(none, |(mut tops, mut scratch), block| {
                self.score_block(block, queries, &mut scratch, &mut |query, target, score| {
                    tops[query].offer(score, target)
                });
                (tops, scratch)
            })
            .reduce(none, |(mut tops, scratch), (others, _)| {
                tops.iter_mut().zip(others).for_each(|(top, other)| top.merge(other));
                (tops, scratch)
            });
        tops.into_iter().map(Top::into_sorted).collect()
    }

    fn score_block(
        &self,
        block: &Block,
        queries: &QueryRows,
        scratch: &mut Scratch,
        offer: &mut impl FnMut(usize, usize, f32),
    ) {
        let n_rows = block.len * block.lanes;
        self.cosines(block, &queries.values, &mut scratch.cosines);
        scratch.scores.resize(block.lanes, 0.0);
        let mut start = 0;
        for (query, &m) in queries.lens.iter().enumerate() {
            let cosines = &scratch.cosines[start * n_rows..(start + m) * n_rows];
            self.fold.scores(cosines, block.len, block.lanes, &mut scratch.scores);
            start += m;
            block.targets.iter().zip(&scratch.scores).for_each(|(&target, &score)| offer(query, target, score));
        }
    }

    /// The cosines of query rows with a block's rows: those of a query row one after the other.
    fn cosines(&self, block: &Block, query: &[f32], out: &mut Vec<f32>) {
        let (n_rows, dim, n) = (block.len * block.lanes, self.dim, query.len() / self.dim);
        let block = &self.values[block.start..block.start + dim * n_rows];
        assert_eq!(query.len(), n * dim);
        out.resize(n_rows * n, 0.0);
        let (out, rows) = (out.as_mut_ptr(), n_rows as isize);
        // SAFETY: `out` holds n columns of n_rows values, `block` dim columns of n_rows, `query` n columns of dim; none
        // overlaps another, and none is freed before the call returns.
        unsafe {
            gemm::gemm(
                n_rows,
                n,
                dim,
                out,
                rows,
                1,
                false,
                block.as_ptr(),
                rows,
                1,
                query.as_ptr(),
                dim as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

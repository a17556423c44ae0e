//! Scores of all pairs of the texts of an edge list, and from derivatives by scores to those by raw token rows.

use std::ops::Range;

use rayon::prelude::*;

use super::Edges;
use super::interaction::{Cosines, Pairing};
use crate::simd::product::{Matrix, product};
use crate::simd::slices::split;
use crate::train::token_rows::TokenRows;

/// Token rows of left texts whose cosines with all right ones are held at a time, at most, unless one text has more.
const BLOCK_ROWS: usize = 128;
/// Below this a row is taken for zero: it has no direction.
pub(super) const SMALLEST: f32 = 1e-12;

/// A way to score pairs that has a derivative.
pub(super) trait Scores {
    /// Left after left, all right ones.
    fn scores(&self) -> Vec<f32>;

    /// Adds derivatives by raw rows, given those by scores.
    fn add_gradient(&self, by_score: &[f32], gradient: &mut TokenRows);
}

/// The texts of one side: unit rows behind each other.
struct Side {
    dim: usize,
    texts: Vec<u32>,
    /// Unit rows; those of zero rows are zero.
    units: Vec<f32>,
    /// 1 / norm of each raw row; 0 of a zero row.
    inverse: Vec<f32>,
    starts: Vec<usize>,
}

impl Side {
    fn new(dim: usize, texts: &[u32], row_of: impl Fn(u32) -> Vec<f32>) -> Self {
        let mut side = Self { dim, texts: texts.to_vec(), units: Vec::new(), inverse: Vec::new(), starts: vec![0] };
        for &text in texts {
            for row in row_of(text).chunks_exact(dim) {
                let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32;
                let inverse = if norm > SMALLEST { 1.0 / norm } else { 0.0 };
                side.units.extend(row.iter().map(|x| x * inverse));
                side.inverse.push(inverse);
            }
            side.starts.push(side.inverse.len());
        }
        side
    }

    fn rows(&self, text: usize) -> Range<usize> {
        self.starts[text]..self.starts[text + 1]
    }

    fn n_rows(&self) -> usize {
        self.inverse.len()
    }

    fn matrix(&self, rows: Range<usize>) -> Matrix<'_> {
        Matrix::new(&self.units[rows.start * self.dim..], rows.len(), self.dim)
    }

    /// Ranges of texts with about [`BLOCK_ROWS`] rows.
    fn blocks(&self) -> Vec<Range<usize>> {
        let mut blocks: Vec<Range<usize>> = Vec::new();
        for text in 0..self.texts.len() {
            let fits = |block: &&mut Range<usize>| self.starts[text + 1] - self.starts[block.start] <= BLOCK_ROWS;
            match blocks.last_mut().filter(fits) {
                Some(block) => block.end = text + 1,
                None => blocks.push(text..text + 1),
            }
        }
        blocks
    }

    /// Turns derivatives by unit rows into those by raw rows, and hands over each text's.
    fn each_raw(&self, by_unit: &mut [f32], mut each: impl FnMut(u32, &[f32])) {
        let rows = by_unit.chunks_exact_mut(self.dim).zip(self.units.chunks_exact(self.dim)).zip(&self.inverse);
        for ((by, unit), inverse) in rows {
            let along: f32 = by.iter().zip(unit).map(|(by, unit)| by * unit).sum();
            by.iter_mut().zip(unit).for_each(|(by, unit)| *by = (*by - along * unit) * inverse);
        }
        for (at, &text) in self.texts.iter().enumerate() {
            let rows = self.rows(at);
            each(text, &by_unit[rows.start * self.dim..rows.end * self.dim]);
        }
    }
}

/// Late interaction.
pub(super) struct TokenScores {
    left: Side,
    right: Side,
    pairing: Pairing,
}

impl TokenScores {
    pub(super) fn new(rows: &TokenRows, edges: &Edges<'_>, pairing: Pairing) -> Self {
        let side = |texts: &[u32]| Side::new(rows.dim(), texts, |text| rows.text(text as usize).to_vec());
        Self { left: side(edges.left), right: side(edges.right), pairing }
    }

    /// The cosines of a block of left texts with all right rows.
    fn cosines(&self, block: &Range<usize>) -> Vec<f32> {
        let rows = self.left.starts[block.start]..self.left.starts[block.end];
        let n = self.right.n_rows();
        let mut cosines = vec![0.0; rows.len() * n];
        product(&mut cosines, false, self.left.matrix(rows), self.right.matrix(0..n).t());
        cosines
    }

    fn pair<'c>(&self, cosines: &'c [f32], first: usize, left: usize, right: usize) -> Cosines<'c> {
        let (rows, columns) = (self.left.rows(left), self.right.rows(right));
        let stride = self.right.n_rows();
        let start = ((rows.start - first) * stride + columns.start).min(cosines.len());
        Cosines { values: &cosines[start..], rows: rows.len(), columns: columns.len(), stride }
    }
}

impl Scores for TokenScores {
    fn scores(&self) -> Vec<f32> {
        let of_block = |block: &Range<usize>| {
            let (cosines, first) = (self.cosines(block), self.left.starts[block.start]);
            let pairs = block.clone().flat_map(|left| (0..self.right.texts.len()).map(move |right| (left, right)));
            pairs.map(|(left, right)| self.pairing.score(self.pair(&cosines, first, left, right))).collect::<Vec<_>>()
        };
        self.left.blocks().par_iter().flat_map_iter(of_block).collect()
    }

    fn add_gradient(&self, by_score: &[f32], gradient: &mut TokenRows) {
        let (dim, n) = (self.left.dim, self.right.n_rows());
        let mut by_left = vec![0.0; self.left.units.len()];
        let mut by_right = vec![0.0; self.right.units.len()];
        for block in self.left.blocks() {
            let (cosines, first) = (self.cosines(&block), self.left.starts[block.start]);
            let end = self.left.starts[block.end];
            let mut by_cosine = vec![0.0; cosines.len()];
            let lines = split(&mut by_cosine, block.clone().map(|left| self.left.rows(left).len() * n));
            lines.into_par_iter().zip(block.clone()).for_each(|(lines, left)| {
                for right in 0..self.right.texts.len() {
                    let columns = self.right.rows(right);
                    let by = by_score[left * self.right.texts.len() + right];
                    let out = lines.get_mut(columns.start..).unwrap_or_default();
                    self.pairing.derivative(self.pair(&cosines, first, left, right), by, out);
                }
            });
            let by_cosine = Matrix::new(&by_cosine, end - first, n);
            product(&mut by_left[first * dim..end * dim], false, by_cosine, self.right.matrix(0..n));
            product(&mut by_right, true, by_cosine.t(), self.left.matrix(first..end));
        }
        let mut add = |text: u32, by: &[f32]| add_to(gradient, text, by);
        self.left.each_raw(&mut by_left, &mut add);
        self.right.each_raw(&mut by_right, &mut add);
    }
}

/// The cosine of mean rows.
pub(super) struct PooledScores {
    left: Side,
    right: Side,
    /// How many rows each text has.
    lengths: Vec<usize>,
}

impl PooledScores {
    pub(super) fn new(rows: &TokenRows, edges: &Edges<'_>) -> Self {
        let dim = rows.dim();
        let mean = |text: u32| {
            let values = rows.text(text as usize);
            let n = (values.len() / dim).max(1) as f32;
            let mut mean = vec![0.0; dim];
            values.chunks_exact(dim).for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / n));
            mean
        };
        let side = |texts: &[u32]| Side::new(dim, texts, mean);
        let lengths = (0..rows.len()).map(|text| rows.rows_of(text).len()).collect();
        Self { left: side(edges.left), right: side(edges.right), lengths }
    }
}

impl Scores for PooledScores {
    fn scores(&self) -> Vec<f32> {
        let (left, right) = (self.left.n_rows(), self.right.n_rows());
        let mut scores = vec![0.0; left * right];
        product(&mut scores, false, self.left.matrix(0..left), self.right.matrix(0..right).t());
        scores
    }

    fn add_gradient(&self, by_score: &[f32], gradient: &mut TokenRows) {
        let (left, right) = (self.left.n_rows(), self.right.n_rows());
        let by = Matrix::new(by_score, left, right);
        let mut by_left = vec![0.0; self.left.units.len()];
        let mut by_right = vec![0.0; self.right.units.len()];
        product(&mut by_left, false, by, self.right.matrix(0..right));
        product(&mut by_right, false, by.t(), self.left.matrix(0..left));
        let mut spread = |text: u32, by: &[f32]| {
            let n = self.lengths.get(text as usize).copied().unwrap_or(0);
            let each: Vec<f32> = by.iter().map(|by| by / n.max(1) as f32).collect();
            add_to(gradient, text, &each.repeat(n));
        };
        self.left.each_raw(&mut by_left, &mut spread);
        self.right.each_raw(&mut by_right, &mut spread);
    }
}

fn add_to(gradient: &mut TokenRows, text: u32, by: &[f32]) {
    let (rows, dim) = (gradient.rows_of(text as usize), gradient.dim());
    let values = gradient.values_mut().get_mut(rows.start * dim..rows.end * dim).unwrap_or_default();
    values.iter_mut().zip(by).for_each(|(value, by)| *value += by);
}

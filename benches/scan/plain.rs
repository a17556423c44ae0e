//! The obvious way: all rows in f32, one target after the other, soft late interaction in both directions.

use super::common::Rows;

pub struct PlainScan<'a> {
    rows: &'a Rows,
}

impl<'a> PlainScan<'a> {
    pub fn new(rows: &'a Rows) -> Self {
        Self { rows }
    }

    /// The score of every target, for a query's unit rows.
    pub fn scores(&self, query: &[f32]) -> Vec<f32> {
        self.rows.targets().map(|target| self.score(query, target)).collect()
    }

    /// The best `k` targets, best first.
    pub fn rank(&self, query: &[f32], k: usize) -> Vec<(f32, usize)> {
        let mut scored: Vec<(f32, usize)> = self.scores(query).into_iter().zip(0..).collect();
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.truncate(k);
        scored
    }

    fn score(&self, query: &[f32], target: &[f32]) -> f32 {
        let dim = self.rows.dim;
        let (m, n) = (query.len() / dim, target.len() / dim);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let rows = query.chunks_exact(dim);
        let cosines: Vec<f32> = rows.flat_map(|q| target.chunks_exact(dim).map(move |t| dot(q, t))).collect();
        let forward: f32 = (0..m).map(|i| soft_mean(cosines[i * n..(i + 1) * n].iter().copied())).sum();
        let backward: f32 = (0..n).map(|j| soft_mean((0..m).map(|i| cosines[i * n + j]))).sum();
        (forward / m as f32 + backward / n as f32) / 2.0
    }
}

/// The mean of cosines weighted by their softmax at τ = 0.1.
fn soft_mean(cosines: impl Iterator<Item = f32>) -> f32 {
    let weight = |c: f32| ((c - 1.0) / 0.1).exp();
    let (sum, total) = cosines.fold((0.0, 0.0), |(sum, total), c| (sum + weight(c) * c, total + weight(c)));
    sum / total
}

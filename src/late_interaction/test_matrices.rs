//! Random and hostile token matrices for the tests of this room.

use crate::token_matrix::TokenMatrix;

use super::Rule;
use super::bound::QueryError;
use super::fold::{FoldInput, FoldScratch, FoldSpec};
use super::kernel::Kernel;
use super::lanes::{LANES, Lanes};
use super::layout::interleave;
use super::packed::PackedTokens;
use super::pass::{Pass, RowKind, passes};
use super::quantize::{QuantizeScratch, quantize_row, restore_row};
use super::query::PreparedQuery;
use super::rotation::Rotation;
use super::unit::unit_rotated;

/// `n` values within −1…1 from a 64-bit linear congruential generator.
pub(crate) fn random_values(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed ^ 0x5DEE_CE66_D1CE_4E5B;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 - 8_388_608.0) / 8_388_608.0
    };
    next();
    (0..n).map(|_| next()).collect()
}

/// A matrix of rows around a common direction (as token embeddings are), some of them zero or equal to the first.
pub(crate) fn random_matrix(seed: u64, tokens: usize, dim: usize, size: f32) -> TokenMatrix {
    let shared = random_values(7, dim);
    let pull = (seed % 4) as f32 / 2.0;
    let mut values = random_values(seed, tokens * dim);
    for row in values.chunks_exact_mut(dim) {
        row.iter_mut().zip(&shared).for_each(|(v, s)| *v = (*v + pull * s) / 4.0 * size);
    }
    for t in 1..tokens {
        match (seed >> (8 + t % 40)) % 8 {
            0 => values[t * dim..][..dim].fill(0.0),
            1 => values.copy_within(..dim, t * dim),
            _ => {}
        }
    }
    TokenMatrix::new(dim, values).unwrap()
}

/// Up to sixteen targets as the engine holds them: side by side, in both precisions.
pub(crate) struct Group {
    pub(crate) dim: usize,
    pub(crate) lengths: [u32; LANES],
    /// Token rows and pooled vectors.
    pub(crate) kinds: [GroupRows; 2],
    /// How far a master row is from its unit row, at most.
    pub(crate) precision: f64,
}

/// The rows of one kind, block after block.
#[derive(Default)]
pub(crate) struct GroupRows {
    /// The hi plane, interleaved.
    pub(crate) hi: Vec<u8>,
    /// Master rows, or unquantised ones.
    pub(crate) rows: Vec<f32>,
    pub(crate) norms: Vec<f32>,
    pub(crate) scales: Vec<f32>,
    pub(crate) residuals: Vec<f32>,
    hi_rows: Vec<i8>,
}

impl Group {
    /// Through the stored format: quantised and restored.
    pub(crate) fn stored(targets: &[&TokenMatrix], rotation: &Rotation) -> Self {
        Self::of(targets, rotation, true)
    }

    /// Rotated and normalised in f32 only; without a scan copy.
    pub(crate) fn unquantised(targets: &[&TokenMatrix], rotation: &Rotation) -> Self {
        Self::of(targets, rotation, false)
    }

    fn of(targets: &[&TokenMatrix], rotation: &Rotation, stored: bool) -> Self {
        let dim = rotation.dim();
        let mut group = Self { dim, lengths: [0; LANES], kinds: Default::default(), precision: 0.0 };
        group.lengths.iter_mut().zip(targets).for_each(|(length, target)| *length = target.n_tokens() as u32);
        let height = targets.iter().map(|target| target.n_tokens()).max().unwrap_or(0);
        for r in 0..height {
            let row = |lane: usize| targets.get(lane).and_then(|target| target.rows().nth(r));
            (0..LANES).for_each(|lane| group.push(RowKind::Tokens, row(lane), rotation, stored));
        }
        for lane in 0..LANES {
            group.push(RowKind::Pooled, targets.get(lane).map(|target| target.pooled()), rotation, stored);
        }
        for rows in &mut group.kinds {
            interleave(&rows.hi_rows, rows.norms.len(), dim, &mut rows.hi);
        }
        group
    }

    fn push(&mut self, kind: RowKind, raw: Option<&[f32]>, rotation: &Rotation, stored: bool) {
        let zero = vec![0.0; self.dim];
        let raw = raw.unwrap_or(&zero);
        let (mut hi, mut lo, mut row) = (vec![0; self.dim], vec![0; self.dim], vec![0.0; self.dim]);
        let scale = quantize_row(rotation, raw, &mut hi, &mut lo, &mut QuantizeScratch::default()).unwrap();
        match stored {
            true => {
                restore_row(&hi, &lo, scale.scale, &mut row);
                self.precision = self.precision.max(f64::from(scale.scale) * (self.dim as f64).sqrt() / 2.0);
            }
            false => _ = unit_rotated(rotation, raw, &mut row, &mut Vec::new()).unwrap(),
        }
        let rows = &mut self.kinds[kind as usize];
        rows.hi_rows.extend(hi);
        rows.rows.extend(row);
        rows.norms.push(scale.norm);
        rows.scales.push(scale.scale);
        rows.residuals.push(scale.residual);
    }

    /// Full-precision scores of all lanes.
    pub(crate) fn scores(&self, kernel: &dyn Kernel, rule: &Rule, query: &PreparedQuery) -> Lanes {
        self.sum_of_passes(rule, |pass, stride, cos| {
            kernel.dots(query_rows(query, pass.query), &self.kinds[pass.target as usize].rows, self.dim, cos, stride);
            self.fold(kernel, &pass.full, pass, query, stride, cos)
        })
    }

    /// Upper bounds of the scores, from the scan copies.
    pub(crate) fn bounds(&self, kernel: &dyn Kernel, rule: &Rule, query: &PreparedQuery) -> Lanes {
        self.sum_of_passes(rule, |pass, stride, cos| {
            let stored = &self.kinds[pass.target as usize];
            let packed = PackedTokens::new(self.dim, query_rows(query, pass.query));
            kernel.scan(&stored.hi, &stored.scales, &packed, cos, stride);
            let mut scores = self.fold(kernel, &pass.scan(), pass, query, stride, cos);
            let slack = QueryError::new(&packed, 0..packed.len(), self.dim).slack(&pass.scan(), stride / LANES);
            for (lane, score) in scores.iter_mut().enumerate() {
                let residuals = stored.residuals.iter().skip(lane).step_by(LANES);
                *score += slack.per_residual * residuals.copied().fold(0.0, f32::max) + slack.fixed;
            }
            scores
        })
    }

    fn sum_of_passes(&self, rule: &Rule, score: impl Fn(&Pass, usize, &mut [f32]) -> Lanes) -> Lanes {
        let passes = passes(rule);
        let mut total = [0.0; LANES];
        for pass in &passes {
            let stride = self.kinds[pass.target as usize].norms.len();
            let mut cos = vec![0.0; 64 * stride];
            let scores = score(pass, stride, &mut cos);
            total.iter_mut().zip(scores).for_each(|(total, score)| *total += score / passes.len() as f32);
        }
        total
    }

    fn fold(
        &self,
        kernel: &dyn Kernel,
        spec: &FoldSpec,
        pass: &Pass,
        query: &PreparedQuery,
        stride: usize,
        cos: &[f32],
    ) -> Lanes {
        let lengths = match pass.target {
            RowKind::Tokens => self.lengths,
            RowKind::Pooled => self.lengths.map(|length| length.min(1)),
        };
        let query_norms = match pass.query {
            RowKind::Tokens => query.norms(),
            RowKind::Pooled => std::slice::from_ref(query.pooled_norm()),
        };
        let row_norms = &self.kinds[pass.target as usize].norms;
        let input = FoldInput { cos, stride, lengths: &lengths, query_norms, row_norms, ahead: &[] };
        let mut out = [0.0; LANES];
        kernel.fold(spec, &input, &mut FoldScratch::default(), &mut out);
        out
    }
}

fn query_rows(query: &PreparedQuery, kind: RowKind) -> &[f32] {
    match kind {
        RowKind::Tokens => query.rows(),
        RowKind::Pooled => query.pooled(),
    }
}

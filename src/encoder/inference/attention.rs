//! Attention of the tokens of one text to each other, head by head.

use std::ops::Range;

use super::elementwise::{LANES, Weighting};
use super::kernel::{Kernel, PANEL, Product};
use super::positions::{BiasOfHead, PositionBias, Rotary};

/// Queries whose scores are in memory at a time, so that memory does not grow with the square of a text's length.
const QUERIES: usize = 64;

/// What attention does with the queries, keys and values of a layer.
pub(super) struct Attention {
    pub(super) heads: usize,
    /// Values of a head with its padding, a multiple of [`LANES`].
    pub(super) head: usize,
    /// 1 / √(values of a head, without padding).
    pub(super) scale: f32,
    /// How far from its own place a token sees; everywhere if there is none.
    pub(super) reach: Option<usize>,
}

/// Buffers that keep their memory from text to text.
#[derive(Default)]
pub(super) struct AttentionScratch {
    keys: Vec<f32>,
    scores: Vec<f32>,
}

impl AttentionScratch {
    /// The values that it has memory for.
    pub(super) fn capacity(&self) -> usize {
        self.keys.capacity() + self.scores.capacity()
    }
}

/// Queries, keys and values of all tokens of one text: rows `stride` apart; in a row all heads' queries, then their keys, then
/// their values.
pub(super) struct Projected<'a> {
    pub(super) rows: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) tokens: usize,
    /// The first tokens, at least one, that may be attended to.
    pub(super) attended: usize,
}

impl Attention {
    /// The width of all heads together.
    pub(super) fn width(&self) -> usize {
        self.heads * self.head
    }

    /// Writes for each token the heads' weighted means of values, side by side; rows are [`width`](Self::width) apart.
    pub(super) fn attend(
        &self,
        kernel: &dyn Kernel,
        projected: &mut Projected<'_>,
        (bias, rotary): (Option<&PositionBias>, Option<&Rotary>),
        scratch: &mut AttentionScratch,
        out: &mut [f32],
    ) {
        if let Some(rotary) = rotary {
            let queries_and_keys = 2 * self.heads;
            for (place, row) in projected.rows.chunks_mut(projected.stride).take(projected.tokens).enumerate() {
                row.chunks_mut(self.head).take(queries_and_keys).for_each(|head| rotary.rotate(place, head));
            }
        }
        for head in 0..self.heads {
            self.turn_keys(projected, head, &mut scratch.keys);
            for first in (0..projected.tokens).step_by(QUERIES) {
                let queries = first..(first + QUERIES).min(projected.tokens);
                self.score(kernel, projected, (head, &queries), scratch);
                self.weigh(kernel, projected, bias.map(|bias| bias.of(head)), &queries, &mut scratch.scores);
                self.mix(kernel, projected, (head, &queries), &scratch.scores, out);
            }
        }
    }

    /// A head's keys as the columns of a matrix whose lines are [`row`] apart.
    fn turn_keys(&self, projected: &Projected<'_>, head: usize, keys: &mut Vec<f32>) {
        let width = row(projected.tokens);
        keys.resize(self.head * width, 0.0);
        let first = self.width() + head * self.head;
        for (token, row) in projected.rows.chunks(projected.stride).take(projected.tokens).enumerate() {
            for (line, &value) in keys.chunks_exact_mut(width).zip(&row[first..first + self.head]) {
                line[token] = value;
            }
        }
    }

    /// The scores of some queries: rows of queries, [`row`] apart, columns of keys.
    fn score(
        &self,
        kernel: &dyn Kernel,
        projected: &Projected<'_>,
        (head, queries): (usize, &Range<usize>),
        scratch: &mut AttentionScratch,
    ) {
        let &Projected { ref rows, stride, tokens, .. } = projected;
        let width = row(tokens);
        scratch.scores.resize(queries.len() * width, 0.0);
        for column in (0..width).step_by(PANEL) {
            let product = Product {
                rows: &rows[queries.start * stride + head * self.head..],
                row_stride: stride,
                n_rows: queries.len(),
                row_len: self.head,
                lines: self.head,
                panel: &scratch.keys[column..],
                panel_stride: width,
                columns: PANEL.min(width - column),
                bias: &[],
            };
            kernel.product(&product, &mut scratch.scores[column..], width);
        }
    }

    fn weigh(
        &self,
        kernel: &dyn Kernel,
        projected: &Projected<'_>,
        bias: Option<BiasOfHead<'_>>,
        queries: &Range<usize>,
        scores: &mut [f32],
    ) {
        let &Projected { tokens, attended, .. } = projected;
        for (query, scores) in queries.clone().zip(scores.chunks_exact_mut(row(tokens))) {
            // A query with nothing to attend to within its reach attends to the last token that any may attend to.
            let (from, to) = match self.reach {
                None => (0, attended),
                Some(reach) => (query.saturating_sub(reach).min(attended - 1), (query + reach + 1).min(attended)),
            };
            let bias = bias.map_or(&[][..], |bias| bias.of(query, tokens));
            kernel.weigh(&Weighting { scale: self.scale, bias, from, to }, &mut scores[..tokens]);
        }
    }

    fn mix(
        &self,
        kernel: &dyn Kernel,
        projected: &Projected<'_>,
        (head, queries): (usize, &Range<usize>),
        scores: &[f32],
        out: &mut [f32],
    ) {
        let &Projected { ref rows, stride, tokens, .. } = projected;
        let values = 2 * self.width() + head * self.head;
        for column in (0..self.head).step_by(PANEL) {
            let product = Product {
                rows: scores,
                row_stride: row(tokens),
                n_rows: queries.len(),
                row_len: tokens,
                lines: tokens,
                panel: &rows[values + column..],
                panel_stride: stride,
                columns: PANEL.min(self.head - column),
                bias: &[],
            };
            let first = queries.start * self.width() + head * self.head + column;
            kernel.product(&product, &mut out[first..], self.width());
        }
    }
}

/// Values from one row of scores to the next.
fn row(tokens: usize) -> usize {
    tokens.next_multiple_of(LANES)
}

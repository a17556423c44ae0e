//! Attention of many heads within each text, and its derivative.

use std::ops::Range;

use rayon::prelude::*;

use super::tape::{LayerTape, sized};
use crate::encoder::relative_bucket;
use crate::simd::slices::{dot, split};

/// What attention is like in a model.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    pub(super) heads: usize,
    pub(super) dim: usize,
    /// MPNet's table: for each bucket of distances a number for each head, which is added to the scores.
    pub(super) relative: Option<&'a [f32]>,
}

impl Heads<'_> {
    fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim() as f32).sqrt()
    }

    fn bucket(&self, query: usize, key: usize) -> Option<usize> {
        let table = self.relative?;
        Some(relative_bucket(key as isize - query as isize, table.len() / self.heads))
    }
}

/// Mixes the values of each text by softmax(query · key / √head_dim + bias).
pub(super) fn attend(heads: Heads<'_>, texts: &[Range<usize>], layer: &mut LayerTape) {
    let dim = heads.dim;
    let n_weights: usize = texts.iter().map(|text| heads.heads * text.len() * text.len()).sum();
    let LayerTape { query, key, value, weights, mixed, .. } = layer;
    let mixed = split(sized(mixed, query.len()), texts.iter().map(|text| text.len() * dim));
    let weights = split(sized(weights, n_weights), texts.iter().map(|text| heads.heads * text.len() * text.len()));
    texts.par_iter().zip(mixed).zip(weights).for_each(|((text, mixed), weights)| {
        let rows = text.start * dim..text.end * dim;
        one(heads, text.len(), [&query[rows.clone()], &key[rows.clone()], &value[rows]], weights, mixed);
    });
}

fn one(heads: Heads<'_>, n: usize, [query, key, value]: [&[f32]; 3], weights: &mut [f32], mixed: &mut [f32]) {
    let (dim, head_dim, scale) = (heads.dim, heads.head_dim(), heads.scale());
    mixed.fill(0.0);
    for head in 0..heads.heads {
        let of = |rows: &[f32], row: usize| -> Range<usize> {
            debug_assert!(rows.len() >= (row + 1) * dim);
            row * dim + head * head_dim..row * dim + (head + 1) * head_dim
        };
        for i in 0..n {
            let weights = &mut weights[(head * n + i) * n..(head * n + i + 1) * n];
            let q = &query[of(query, i)];
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = scale * dot(q, &key[of(key, j)]);
                if let (Some(table), Some(bucket)) = (heads.relative, heads.bucket(i, j)) {
                    *weight += table[bucket * heads.heads + head];
                }
            }
            softmax(weights);
            let mixed = &mut mixed[of(value, i)];
            for (j, &weight) in weights.iter().enumerate() {
                let v = &value[of(value, j)];
                mixed.iter_mut().zip(v).for_each(|(mixed, v)| *mixed += weight * v);
            }
        }
    }
}

/// Derivatives by queries, keys and values from that by the mixed values; and those by the table of relative positions.
pub(super) fn attend_backward(
    heads: Heads<'_>,
    texts: &[Range<usize>],
    layer: &LayerTape,
    gradient: &[f32],
    out: [&mut [f32]; 3],
) -> Vec<f32> {
    let dim = heads.dim;
    let [by_query, by_key, by_value] = out.map(|out| split(out, texts.iter().map(|text| text.len() * dim)));
    let mut starts = Vec::with_capacity(texts.len());
    let mut next = 0;
    for text in texts {
        starts.push(next);
        next += heads.heads * text.len() * text.len();
    }
    let of_texts = texts.par_iter().zip(starts).zip(by_query).zip(by_key).zip(by_value);
    let tables: Vec<Vec<f32>> = of_texts
        .map(|((((text, start), by_query), by_key), by_value)| {
            let n = text.len();
            let rows = text.start * dim..text.end * dim;
            let weights = &layer.weights[start..start + heads.heads * n * n];
            let kept = [&layer.query[rows.clone()], &layer.key[rows.clone()], &layer.value[rows.clone()]];
            one_backward(heads, n, kept, weights, &gradient[rows], [by_query, by_key, by_value])
        })
        .collect();
    let mut total = vec![0.0; heads.relative.map_or(0, <[f32]>::len)];
    for table in &tables {
        total.iter_mut().zip(table).for_each(|(total, more)| *total += more);
    }
    total
}

fn one_backward(
    heads: Heads<'_>,
    n: usize,
    [query, key, value]: [&[f32]; 3],
    weights: &[f32],
    gradient: &[f32],
    [by_query, by_key, by_value]: [&mut [f32]; 3],
) -> Vec<f32> {
    let (dim, head_dim, scale) = (heads.dim, heads.head_dim(), heads.scale());
    let mut table = vec![0.0; heads.relative.map_or(0, <[f32]>::len)];
    let mut by_score = vec![0.0f32; n];
    [&mut *by_query, &mut *by_key, &mut *by_value].into_iter().for_each(|out| out.fill(0.0));
    for head in 0..heads.heads {
        let of = |row: usize| row * dim + head * head_dim..row * dim + (head + 1) * head_dim;
        for i in 0..n {
            let weights = &weights[(head * n + i) * n..(head * n + i + 1) * n];
            let g = &gradient[of(i)];
            let mut along = 0.0;
            for j in 0..n {
                by_score[j] = dot(g, &value[of(j)]);
                along += by_score[j] * weights[j];
                by_value[of(j)].iter_mut().zip(g).for_each(|(out, g)| *out += weights[j] * g);
            }
            for j in 0..n {
                let by = weights[j] * (by_score[j] - along);
                if let Some(bucket) = heads.bucket(i, j) {
                    table[bucket * heads.heads + head] += by;
                }
                let by = by * scale;
                by_query[of(i)].iter_mut().zip(&key[of(j)]).for_each(|(out, k)| *out += by * k);
                by_key[of(j)].iter_mut().zip(&query[of(i)]).for_each(|(out, q)| *out += by * q);
            }
        }
    }
    table
}

fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - top).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

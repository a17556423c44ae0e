//! Token ids to the last hidden states.

use rayon::prelude::*;

use super::attention::{Heads, attend};
use super::norm::normalise;
use super::parameters::{Affine, LayerPlaces, Parameters};
use super::tape::{LayerTape, Tape, sized};
use super::{ROWS, activation};
use crate::encoder::position_rows;
use crate::simd::product::{Matrix, product};

/// Runs texts through the model. Every id is below the vocabulary, and no text is longer than the model takes.
pub(crate) fn forward(parameters: &Parameters, texts: &[&[u32]], tape: &mut Tape) {
    let config = &parameters.config;
    let dim = config.hidden_size;
    tape.ids = texts.concat();
    tape.texts.clear();
    tape.positions.clear();
    let mut start = 0;
    for ids in texts {
        tape.texts.push(start..start + ids.len());
        start += ids.len();
        tape.positions.extend(position_rows(ids, config.first_position).map(|row| row as u32));
    }
    let n = tape.n_rows();
    tape.layers.resize_with(config.num_hidden_layers, LayerTape::default);
    let mut x = vec![0.0; n * dim];
    embed(parameters, tape, &mut x);
    for (at, places) in parameters.places.layers.iter().enumerate() {
        let layer = &mut tape.layers[at];
        sized(&mut layer.input, n * dim).copy_from_slice(&x);
        layer_forward(parameters, places, &tape.texts, layer, &mut x);
    }
    tape.hidden = x;
}

fn embed(parameters: &Parameters, tape: &mut Tape, x: &mut [f32]) {
    let (places, dim) = (&parameters.places, parameters.config.hidden_size);
    let words = parameters.get(places.words);
    let positions = places.positions.map(|at| parameters.get(at)).unwrap_or_default();
    let first_type = places.types.map(|at| parameters.get(at)).unwrap_or_default();
    let mut sums = vec![0.0; x.len()];
    for (row, sum) in sums.chunks_exact_mut(dim).enumerate() {
        let word = tape.ids[row] as usize * dim;
        sum.copy_from_slice(&words[word..word + dim]);
        let position = tape.positions[row] as usize * dim;
        add(sum, positions.get(position..position + dim).unwrap_or_default());
        add(sum, first_type.get(..dim).unwrap_or_default());
    }
    let Affine { weight, bias } = places.norm;
    let (weight, bias) = (parameters.get(weight), parameters.get(bias));
    normalise(&sums, weight, bias, parameters.config.layer_norm_eps, &mut tape.embedding_norm, x);
}

fn layer_forward(
    parameters: &Parameters,
    places: &LayerPlaces,
    texts: &[std::ops::Range<usize>],
    layer: &mut LayerTape,
    x: &mut [f32],
) {
    let config = &parameters.config;
    let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
    for (affine, out) in
        [(places.query, &mut layer.query), (places.key, &mut layer.key), (places.value, &mut layer.value)]
    {
        linear(parameters, affine, &layer.input, dim, out);
    }
    attend(heads(parameters), texts, layer);
    let mut sums = Vec::new();
    linear(parameters, places.attention_output, &layer.mixed, dim, &mut sums);
    add(&mut sums, &layer.input);
    let middle = sized(&mut layer.middle, x.len());
    let norm = |affine: Affine| (parameters.get(affine.weight), parameters.get(affine.bias));
    let (weight, bias) = norm(places.attention_norm);
    normalise(&sums, weight, bias, eps, &mut layer.attention_norm, middle);
    linear(parameters, places.widen, &layer.middle, config.intermediate_size, &mut layer.wide);
    activation::activate(config.hidden_act, &layer.wide, sized(&mut layer.activated, layer.wide.len()));
    linear(parameters, places.narrow, &layer.activated, dim, &mut sums);
    add(&mut sums, &layer.middle);
    let (weight, bias) = norm(places.output_norm);
    normalise(&sums, weight, bias, eps, &mut layer.output_norm, x);
}

/// The heads of a model.
pub(super) fn heads(parameters: &Parameters) -> Heads<'_> {
    let (heads, dim) = (parameters.config.num_attention_heads, parameters.config.hidden_size);
    Heads { heads, dim, relative: parameters.places.relative.map(|at| parameters.get(at)) }
}

/// `out` = x · Wᵀ + b.
fn linear(parameters: &Parameters, affine: Affine, x: &[f32], outputs: usize, out: &mut Vec<f32>) {
    let (weight, bias) = (parameters.get(affine.weight), parameters.get(affine.bias));
    let inputs = weight.len() / outputs.max(1);
    let rows = x.len() / inputs.max(1);
    let out = sized(out, rows * outputs);
    out.par_chunks_mut(outputs).with_min_len(ROWS).for_each(|row| row.copy_from_slice(bias));
    product(out, true, Matrix::new(x, rows, inputs), Matrix::new(weight, outputs, inputs).t());
}

/// `sum` += `more`, as far as both go.
pub(super) fn add(sum: &mut [f32], more: &[f32]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

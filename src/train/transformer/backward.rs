//! From derivatives by the last hidden states to those by every parameter.

use super::activation::activate_backward;
use super::attention::attend_backward;
use super::forward::{add, heads};
use super::norm::normalise_backward;
use super::parameters::{Affine, Gradients, LayerPlaces, Parameters};
use super::tape::{LayerTape, NormTape, Tape};
use crate::simd::product::{Matrix, product};

/// Adds the gradients for what [`forward`](super::forward()) kept. `gradient` has the shape of the last hidden states.
pub(crate) fn backward(parameters: &Parameters, tape: &Tape, mut gradient: Vec<f32>, gradients: &mut Gradients) {
    for (places, layer) in parameters.places.layers.iter().zip(&tape.layers).rev() {
        layer_backward(parameters, places, tape, layer, &mut gradient, gradients);
    }
    norm_backward(parameters, parameters.places.norm, &tape.embedding_norm, &mut gradient, gradients);
    embeddings_backward(parameters, tape, &gradient, gradients);
}

fn embeddings_backward(parameters: &Parameters, tape: &Tape, gradient: &[f32], gradients: &mut Gradients) {
    let (places, dim) = (&parameters.places, parameters.config.hidden_size);
    gradients.touch(tape.ids.iter().copied());
    for (row, gradient) in gradient.chunks_exact(dim).enumerate() {
        let (word, position) = (tape.ids[row] as usize * dim, tape.positions[row] as usize * dim);
        add(gradients.get(places.words).get_mut(word..word + dim).unwrap_or_default(), gradient);
        if let Some(at) = places.positions {
            add(gradients.get(at).get_mut(position..position + dim).unwrap_or_default(), gradient);
        }
        if let Some(at) = places.types {
            add(gradients.get(at).get_mut(..dim).unwrap_or_default(), gradient);
        }
    }
}

/// `gradient` is by the layer's output before, and by its input after.
fn layer_backward(
    parameters: &Parameters,
    places: &LayerPlaces,
    tape: &Tape,
    layer: &LayerTape,
    gradient: &mut [f32],
    gradients: &mut Gradients,
) {
    norm_backward(parameters, places.output_norm, &layer.output_norm, gradient, gradients);
    let mut wide = linear_backward(parameters, places.narrow, &layer.activated, gradient, gradients);
    activate_backward(parameters.config.hidden_act, &layer.wide, &mut wide);
    let more = linear_backward(parameters, places.widen, &layer.middle, &wide, gradients);
    add(gradient, &more);
    norm_backward(parameters, places.attention_norm, &layer.attention_norm, gradient, gradients);
    let mixed = linear_backward(parameters, places.attention_output, &layer.mixed, gradient, gradients);
    let [mut query, mut key, mut value] = [0; 3].map(|_| vec![0.0; mixed.len()]);
    let out = [&mut query[..], &mut key[..], &mut value[..]];
    let table = attend_backward(heads(parameters), &tape.texts, layer, &mixed, out);
    if let Some(at) = parameters.places.relative {
        gradients.add(at, &table);
    }
    for (affine, by) in [(places.query, query), (places.key, key), (places.value, value)] {
        let more = linear_backward(parameters, affine, &layer.input, &by, gradients);
        add(gradient, &more);
    }
}

fn norm_backward(
    parameters: &Parameters,
    affine: Affine,
    tape: &NormTape,
    gradient: &mut [f32],
    gradients: &mut Gradients,
) {
    let (by_weight, by_bias) = normalise_backward(gradient, parameters.get(affine.weight), tape);
    gradients.add(affine.weight, &by_weight);
    gradients.add(affine.bias, &by_bias);
}

/// Adds the derivatives by weight and bias; returns those by `x`.
fn linear_backward(
    parameters: &Parameters,
    affine: Affine,
    x: &[f32],
    gradient: &[f32],
    gradients: &mut Gradients,
) -> Vec<f32> {
    let (weight, outputs) = (parameters.get(affine.weight), parameters.get(affine.bias).len());
    let inputs = weight.len() / outputs.max(1);
    let rows = x.len() / inputs.max(1);
    let by_output = Matrix::new(gradient, rows, outputs);
    product(gradients.get(affine.weight), true, by_output.t(), Matrix::new(x, rows, inputs));
    let bias = gradients.get(affine.bias);
    gradient.chunks_exact(outputs.max(1)).for_each(|row| add(bias, row));
    let mut by_input = vec![0.0; rows * inputs];
    product(&mut by_input, false, by_output, Matrix::new(weight, outputs, inputs));
    by_input
}

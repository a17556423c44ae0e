//! A transformer encoder over packed weights: normalised after each part (BERT and its relatives) or before (ModernBERT).

use super::attention::{Attention, Projected};
use super::elementwise::Norm;
use super::kernel::Kernel;
use super::linear::Linear;
use super::positions::{PositionBias, Rotary};
use super::workspace::{Parts, States, Workspace, room};
use crate::encoder::architecture::position_rows::position_rows;
use crate::encoder::config::Activation;
use crate::encoder::weights::RawTensor;

/// A transformer ready to run.
pub(crate) struct Transformer {
    pub(super) kernel: &'static dyn Kernel,
    /// Values of a hidden state, and the same with padding.
    pub(super) dim: usize,
    pub(super) stride: usize,
    pub(super) embeddings: Embeddings,
    /// Added to the scores of every layer.
    pub(super) position_bias: Option<PositionBias>,
    pub(super) layers: Vec<Layer>,
    /// After the last layer, where layers normalise before.
    pub(super) final_norm: Option<NormWeights>,
}

pub(super) struct Embeddings {
    /// The vectors of the vocabulary, where they lie in the file.
    pub(super) words: RawTensor,
    /// For each row of the table of positions what is added to a word: the row and the vector of the only token type. May be
    /// empty.
    pub(super) places: Vec<f32>,
    /// The row of a text's first token.
    pub(super) first_position: usize,
    pub(super) norm: NormWeights,
}

pub(super) struct NormWeights {
    pub(super) weight: Vec<f32>,
    /// May be empty.
    pub(super) bias: Vec<f32>,
    pub(super) eps: f32,
}

pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) rotary: Option<std::sync::Arc<Rotary>>,
    /// Queries, keys and values in one.
    pub(super) project: Linear,
    pub(super) output: Linear,
    pub(super) widen: Linear,
    pub(super) activation: Activation,
    /// What the activated inner layer is multiplied with (GLU).
    pub(super) gate: Option<Linear>,
    pub(super) narrow: Linear,
    pub(super) norms: Norms,
}

/// Where a layer normalises.
pub(super) enum Norms {
    /// After attention and after the feed-forward part, together with what went into it.
    After { attention: NormWeights, feed_forward: NormWeights },
    /// Before attention (not in the first layer, which gets normalised embeddings) and before the feed-forward part.
    Before { attention: Option<NormWeights>, feed_forward: NormWeights },
}

/// The tokens of one text.
#[derive(Clone, Copy)]
pub(crate) struct Sequence<'a> {
    /// Ids below the size of the vocabulary, as many as the model has places at most.
    pub(crate) ids: &'a [u32],
    /// How many of the first tokens may be attended to; at least one.
    pub(crate) attended: usize,
}

/// The last hidden states of a batch.
pub(crate) struct Hidden<'a> {
    values: &'a [f32],
    dim: usize,
    stride: usize,
}

impl Hidden<'_> {
    /// The hidden state of each token, of all texts one after the other, without padding.
    pub(crate) fn to_vec(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.values.len() / self.stride * self.dim);
        self.values.chunks_exact(self.stride).for_each(|row| values.extend_from_slice(&row[..self.dim]));
        values
    }
}

/// What stays the same during a forward pass.
struct Pass<'a> {
    kernel: &'static dyn Kernel,
    texts: &'a [Sequence<'a>],
    /// Tokens of all texts.
    n: usize,
    dim: usize,
    stride: usize,
    position_bias: Option<&'a PositionBias>,
}

impl Transformer {
    /// What the transformer runs on.
    pub(crate) fn kernel(&self) -> &'static dyn Kernel {
        self.kernel
    }

    /// The last hidden states of some texts.
    ///
    /// A token's bits depend on its text alone. A token id without an embedding has that of zeros: callers check ids before.
    pub(crate) fn forward<'w>(&self, texts: &[Sequence<'_>], workspace: &'w mut Workspace) -> Hidden<'w> {
        let &Self { kernel, dim, stride, .. } = self;
        let n = texts.iter().map(|text| text.ids.len()).sum();
        if n == 0 {
            return Hidden { values: &[], dim, stride };
        }
        let pass = Pass { kernel, texts, n, dim, stride, position_bias: self.position_bias.as_ref() };
        let Workspace { states, parts } = workspace;
        self.embed(&pass, room(&mut states.hidden, n, stride));
        for layer in &self.layers {
            layer.forward(&pass, states, parts);
        }
        if let Some(norm) = &self.final_norm {
            pass.normalize(norm, &mut states.hidden);
        }
        Hidden { values: &states.hidden[..n * stride], dim, stride }
    }

    fn embed(&self, pass: &Pass<'_>, hidden: &mut [f32]) {
        let Embeddings { words, places, first_position, norm } = &self.embeddings;
        let tokens = pass.texts.iter().flat_map(|text| position_rows(text.ids, *first_position).zip(text.ids));
        for ((place, &id), row) in tokens.zip(hidden.chunks_exact_mut(pass.stride)) {
            let (row, padding) = row.split_at_mut(pass.dim);
            padding.fill(0.0);
            if !words.read(id as usize * pass.dim, row) {
                row.fill(0.0);
            }
            let residual = places.get(place * pass.dim..(place + 1) * pass.dim).unwrap_or_default();
            pass.kernel.normalize(&norm.after(residual), row);
        }
    }
}

impl NormWeights {
    fn after<'a>(&'a self, residual: &'a [f32]) -> Norm<'a> {
        Norm { residual, weight: &self.weight, bias: &self.bias, eps: self.eps }
    }
}

impl Pass<'_> {
    /// Normalises each hidden state by itself.
    fn normalize(&self, norm: &NormWeights, hidden: &mut [f32]) {
        let rows = hidden.chunks_exact_mut(self.stride).take(self.n);
        rows.for_each(|row| self.kernel.normalize(&norm.after(&[]), &mut row[..self.dim]));
    }

    /// Adds an update to the hidden states and normalises the sums; the result is in `update`.
    fn add_and_normalize(&self, norm: &NormWeights, hidden: &[f32], update: &mut [f32]) {
        let rows = update.chunks_exact_mut(self.stride).zip(hidden.chunks_exact(self.stride)).take(self.n);
        rows.for_each(|(row, hidden)| self.kernel.normalize(&norm.after(&hidden[..self.dim]), &mut row[..self.dim]));
    }

    /// A normalised copy of the hidden states; themselves, without a norm.
    fn normalized<'s>(&self, norm: Option<&NormWeights>, states: &'s mut States) -> &'s [f32] {
        let Some(norm) = norm else { return &states.hidden };
        let normed = room(&mut states.normed, self.n, self.stride);
        normed.copy_from_slice(&states.hidden[..self.n * self.stride]);
        self.normalize(norm, normed);
        normed
    }

    fn add(&self, hidden: &mut [f32], update: &[f32]) {
        hidden.iter_mut().zip(update).take(self.n * self.stride).for_each(|(value, update)| *value += update);
    }
}

impl Layer {
    /// Replaces the hidden states by those after this layer.
    fn forward(&self, pass: &Pass<'_>, states: &mut States, parts: &mut Parts) {
        match &self.norms {
            Norms::After { attention, feed_forward } => {
                self.attend(pass, &states.hidden, parts);
                pass.add_and_normalize(attention, &states.hidden, &mut parts.update);
                std::mem::swap(&mut states.hidden, &mut parts.update);
                self.feed_forward(pass, &states.hidden, parts);
                pass.add_and_normalize(feed_forward, &states.hidden, &mut parts.update);
                std::mem::swap(&mut states.hidden, &mut parts.update);
            }
            Norms::Before { attention, feed_forward } => {
                self.attend(pass, pass.normalized(attention.as_ref(), states), parts);
                pass.add(&mut states.hidden, &parts.update);
                self.feed_forward(pass, pass.normalized(Some(feed_forward), states), parts);
                pass.add(&mut states.hidden, &parts.update);
            }
        }
    }

    /// Attention over the states `x`, into `update`.
    fn attend(&self, pass: &Pass<'_>, x: &[f32], parts: &mut Parts) {
        let Parts { projected, mixed, update, rounded, attention: scratch, .. } = parts;
        let (stride, width) = (self.project.columns(), self.attention.width());
        let projected = room(projected, pass.n, stride);
        self.project.forward(pass.kernel, (x, pass.n, pass.stride), rounded, projected);
        let mixed = room(mixed, pass.n, width);
        let positions = (pass.position_bias, self.rotary.as_deref());
        let mut first = 0;
        for text in pass.texts {
            let tokens = text.ids.len();
            let rows = &mut projected[first * stride..(first + tokens) * stride];
            let mut rows = Projected { rows, stride, tokens, attended: text.attended.clamp(1, tokens.max(1)) };
            self.attention.attend(pass.kernel, &mut rows, positions, scratch, &mut mixed[first * width..]);
            first += tokens;
        }
        let update = room(update, pass.n, pass.stride);
        self.output.forward(pass.kernel, (mixed, pass.n, width), rounded, update);
    }

    /// The feed-forward part over the states `x`, into `update`.
    fn feed_forward(&self, pass: &Pass<'_>, x: &[f32], parts: &mut Parts) {
        let Parts { wide, gate, update, rounded, .. } = parts;
        let (x, width) = ((x, pass.n, pass.stride), self.widen.columns());
        let wide = room(wide, pass.n, width);
        self.widen.forward(pass.kernel, x, rounded, wide);
        pass.kernel.activate(self.activation, wide);
        if let Some(linear) = &self.gate {
            let gate = room(gate, pass.n, width);
            linear.forward(pass.kernel, x, rounded, gate);
            wide.iter_mut().zip(gate).for_each(|(value, gate)| *value *= *gate);
        }
        let update = room(update, pass.n, pass.stride);
        self.narrow.forward(pass.kernel, (wide, pass.n, width), rounded, update);
    }
}

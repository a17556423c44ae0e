//! The buffers of a forward pass. They grow to the largest batch and keep their memory.

use super::attention::AttentionScratch;

/// Buffers for one forward pass at a time.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(super) states: States,
    pub(super) parts: Parts,
}

/// What goes from layer to layer.
#[derive(Default)]
pub(super) struct States {
    pub(super) hidden: Vec<f32>,
    /// The hidden states normalised, where layers normalise before their parts and not after.
    pub(super) normed: Vec<f32>,
}

/// What a part of a layer needs on its way.
#[derive(Default)]
pub(super) struct Parts {
    /// Queries, keys and values.
    pub(super) projected: Vec<f32>,
    /// The output of attention before its linear layer.
    pub(super) mixed: Vec<f32>,
    /// The inner layer of the feed-forward part, and its gate.
    pub(super) wide: Vec<f32>,
    pub(super) gate: Vec<f32>,
    /// What a part comes to, to be added to the hidden states.
    pub(super) update: Vec<f32>,
    /// The rows of a matrix product, rounded to bf16.
    pub(super) rounded: Vec<u32>,
    pub(super) attention: AttentionScratch,
}

impl Workspace {
    /// The memory that it holds.
    pub(crate) fn bytes(&self) -> usize {
        let Self { states, parts } = self;
        let floats =
            [&states.hidden, &states.normed, &parts.projected, &parts.mixed, &parts.wide, &parts.gate, &parts.update];
        let floats: usize = floats.iter().map(|buffer| buffer.capacity()).sum();
        (floats + parts.rounded.capacity() + parts.attention.capacity()) * size_of::<f32>()
    }
}

/// Makes room for `rows` rows of `width` values; what is in them is left over from before.
pub(super) fn room(buffer: &mut Vec<f32>, rows: usize, width: usize) -> &mut [f32] {
    let length = rows * width;
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

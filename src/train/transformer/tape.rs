//! What forward keeps for backward. A tape is used again for the next texts: nothing is allocated anew unless they are longer.

use std::ops::Range;

/// The kept values of some texts.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// The rows of each text.
    pub(super) texts: Vec<Range<usize>>,
    pub(super) ids: Vec<u32>,
    /// Rows of the table of positions.
    pub(super) positions: Vec<u32>,
    pub(super) embedding_norm: NormTape,
    pub(super) layers: Vec<LayerTape>,
    /// The last hidden states.
    pub(super) hidden: Vec<f32>,
}

/// (x − mean) / √(variance + ε) of each row, and 1 / √(variance + ε).
#[derive(Debug, Default)]
pub(super) struct NormTape {
    pub(super) normal: Vec<f32>,
    pub(super) scale: Vec<f32>,
}

/// The kept values of a layer, row by row.
#[derive(Debug, Default)]
pub(super) struct LayerTape {
    pub(super) input: Vec<f32>,
    pub(super) query: Vec<f32>,
    pub(super) key: Vec<f32>,
    pub(super) value: Vec<f32>,
    /// Attention weights: of each text, head after head, n × n of them.
    pub(super) weights: Vec<f32>,
    pub(super) mixed: Vec<f32>,
    pub(super) attention_norm: NormTape,
    /// What goes into the feed-forward part.
    pub(super) middle: Vec<f32>,
    /// Before the activation.
    pub(super) wide: Vec<f32>,
    pub(super) activated: Vec<f32>,
    pub(super) output_norm: NormTape,
}

impl Tape {
    /// The last hidden states of all tokens of all texts, row-major.
    pub(crate) fn hidden(&self) -> &[f32] {
        &self.hidden
    }

    /// The rows of each text.
    pub(crate) fn texts(&self) -> &[Range<usize>] {
        &self.texts
    }

    pub(super) fn n_rows(&self) -> usize {
        self.ids.len()
    }
}

/// A buffer of exactly `n` values, whatever they are.
pub(super) fn sized(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    buffer.resize(n, 0.0);
    buffer
}

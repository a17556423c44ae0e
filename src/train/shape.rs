//! What model comes out of a run: the base's own shape, or a smaller one.

use serde::{Deserialize, Serialize};

use crate::encoder::Precision;

/// How weights are stored in a model directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredWeights {
    /// As they are.
    #[default]
    F32,
    /// Matrices as whole numbers of 8 bits and one scale for each row: w ≈ scale · q with scale = max |w| / 127. A quarter of the bytes.
    I8,
}

/// The shape of the model that is trained. By default it is the base's; what is left out or added makes it a model of its own, that begins
/// with a part of the base.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelShape {
    /// What the model calls itself; empty for the base's name.
    pub name: String,
    /// The layers of the base that it begins with, from 0; empty for all.
    pub layers: Vec<usize>,
    /// Pieces of the base's WordPiece vocabulary that are kept: special tokens, letters, and those that the corpus has most often. 0 for
    /// all. A word that is no piece any more falls into smaller ones.
    pub vocabulary: usize,
    /// Values per token row, by a linear layer behind the transformer that begins with the principal axes of the base's rows. 0 for the
    /// transformer's own rows.
    pub dim: usize,
    /// How the weights are stored.
    pub weights: StoredWeights,
    /// How the model asks to be computed.
    pub precision: Precision,
}

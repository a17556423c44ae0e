//! The fast forward pass: weights packed once at load, texts laid one behind the other without padding, no allocation and no
//! threads inside. What it computes is what [`architecture`](super::architecture) computes with candle, which trains, runs on
//! GPUs and is the reference; `tests.rs` compares the two.
//!
//! | file | what |
//! |---|---|
//! | `transformer.rs` | [`Transformer`]: embeddings, layers, the forward pass |
//! | `load/` | a transformer from a configuration and a mapped checkpoint |
//! | `linear.rs`, `arena.rs` | packed linear layers and the memory they lie in |
//! | `attention.rs`, `positions.rs` | attention within a text; biases by distance and rotary embeddings |
//! | `elementwise.rs` | activations, softmax, layer normalisation, rounding to bf16 |
//! | `workspace.rs` | buffers that are used again for every batch |
//! | `kernel/` | what depends on the instruction set |

mod arena;
mod attention;
mod elementwise;
pub(crate) mod kernel;
mod linear;
mod load;
mod positions;
mod transformer;
mod workspace;

#[cfg(feature = "train")]
pub(crate) use elementwise::erf;
pub(crate) use load::Loader;
pub(crate) use transformer::{Sequence, Transformer};
pub(crate) use workspace::Workspace;

#[cfg(test)]
mod tests;

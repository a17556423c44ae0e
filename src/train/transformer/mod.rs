//! The transformer with a backward pass of its own: forward keeps what backward needs, and backward adds the gradients of all parameters.
//!
//! candle's automatic differentiation over [`architecture`](crate::encoder) is the reference: the tests compare every gradient with
//! it. This is there because it is several times faster on a processor: texts of any length lie behind each other without padding, nothing
//! is allocated twice, the functions between the products are one pass each, and the table of words is touched only where a batch has
//! words. For the post-norm families (BERT, RoBERTa, XLM-RoBERTa, MPNet, DistilBERT).
//!
//! | file | what |
//! |---|---|
//! | `parameters.rs` | [`Parameters`] and their gradients, by the names of the checkpoint |
//! | `tape.rs` | what forward keeps of each layer |
//! | `forward.rs`, `backward.rs` | the two passes |
//! | `attention.rs`, `activation.rs`, `norm.rs` | the functions between the products, with their derivatives |

mod activation;
mod attention;
mod backward;
mod forward;
mod norm;
mod parameters;
mod tape;
#[cfg(test)]
mod tests;

pub(super) use backward::backward;
pub(super) use forward::forward;
pub(super) use parameters::{DENSE, Gradients, Parameters};
pub(super) use tape::Tape;

/// Rows that one thread works on at a time.
const ROWS: usize = 32;

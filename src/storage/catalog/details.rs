//! What a ranking does not need of a concept: alternative labels and description, in compressed blocks.

use rkyv::{Archive, Deserialize, Serialize};

/// Concepts per block: large enough to compress well, small enough that showing one concept costs microseconds.
pub(crate) const BLOCK: usize = 64;

/// The texts of one concept beside its preferred label.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) alternative_labels: Vec<String>,
    pub(crate) description: Option<String>,
}

/// The block that a target's details are in, and their place in it.
pub(crate) fn place(target: usize) -> (u32, usize) {
    ((target / BLOCK) as u32, target % BLOCK)
}

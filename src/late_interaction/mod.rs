//! The scoring rules and their kernels: pure functions over slices.

mod rule;

pub use rule::{Direction, Interaction, Rule, Weights};

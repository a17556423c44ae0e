//! The scoring rules and their kernels: pure functions over slices.

#[cfg(test)]
mod format_golden;
pub(crate) mod layout;
pub(crate) mod quantize;
pub(crate) mod rotation;
mod rule;
pub(crate) mod unit;

pub use rule::{Direction, Interaction, Rule, Weights};

//! The scoring rules and their kernels: pure functions over slices.
//!
//! Rows are stored as [`quantize`] says (rotated, in two byte planes, the scan plane in the order of [`layout`]); a query
//! is [prepared](query) once and [scored](scorer) against restored rows, with dot products from a [`kernel`] that
//! [`fold`] turns into a score. [`mod@reference`] says the same in f64 and without any of this, and [`breakdown`] takes a score
//! apart into what each pair of tokens contributes.

pub(crate) mod breakdown;
mod exp;
pub(crate) mod fold;
pub(crate) mod kernel;
pub(crate) mod layout;
pub(crate) mod quantize;
pub(crate) mod query;
pub mod reference;
pub(crate) mod rotation;
mod rule;
pub(crate) mod scorer;
pub(crate) mod unit;

#[cfg(test)]
mod breakdown_tests;
#[cfg(test)]
mod format_golden;
#[cfg(test)]
mod scorer_tests;
#[cfg(test)]
mod test_matrices;

pub use rule::{Direction, Interaction, Rule, Weights};

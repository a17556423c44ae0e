//! The scoring rules and their kernels: pure functions over slices.
//!
//! Rows are stored as [`quantize`] says (rotated, in two byte planes, the scan plane in the order of [`layout`]); a query
//! is [prepared](query) once and [packed] for scans. A [rule](Rule) is one or two [passes](pass) over stored rows; a [`kernel`]
//! makes their similarities and [folds](fold) them into scores; a scan's are within a [`bound`] of the full-precision ones.
//! [`mod@reference`] says the same in f64 and without any of this, and [`breakdown`] takes a score apart into what each pair of
//! tokens contributes.

// Indexed loops of constant length are what the compiler turns into vector instructions.
#![allow(clippy::needless_range_loop)]

pub(crate) mod bound;
pub(crate) mod breakdown;
pub(crate) mod fold;
pub(crate) mod kernel;
pub(crate) mod lanes;
pub(crate) mod layout;
pub(crate) mod packed;
pub(crate) mod pass;
pub(crate) mod quantize;
pub(crate) mod query;
pub mod reference;
pub(crate) mod rotation;
mod rule;
pub(crate) mod unit;

#[cfg(test)]
mod breakdown_tests;
#[cfg(test)]
mod format_golden;
#[cfg(test)]
mod score_tests;
#[cfg(test)]
pub(crate) mod test_matrices;

pub use rule::{Direction, Interaction, Rule, Weights};

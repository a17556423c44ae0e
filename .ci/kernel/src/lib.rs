//! The library's scoring rules and the kernels of scan and encoder with their own tests, and nothing else of it.

// What the rest of the library uses.
#![allow(dead_code)]

mod encoder;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/late_interaction/mod.rs"]
mod late_interaction;
#[path = "../../../src/simd/mod.rs"]
mod simd;
#[path = "../../../src/token_matrix.rs"]
mod token_matrix;

pub use error::Error;
pub use token_matrix::TokenMatrix;

/// Without this, tests on an emulator that hides an instruction would pass on another kernel than the one meant.
#[test]
fn the_expected_kernel_is_chosen() {
    let expected = std::env::var("WORKINDEX_EXPECTED_KERNEL");
    assert_eq!(Ok(late_interaction::kernel::detect().name()), expected.as_deref());
}

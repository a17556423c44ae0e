//! What code for several instruction sets shares: arithmetic that is written once and compiled for each of them.

pub(crate) mod exp;
#[cfg(any(test, target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) mod fused;
pub(crate) mod machine;
#[cfg(feature = "train")]
pub(crate) mod product;
#[cfg(feature = "workbench")]
pub(crate) mod slices;

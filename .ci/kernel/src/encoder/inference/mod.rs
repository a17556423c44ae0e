#[path = "../../../../../src/encoder/inference/elementwise.rs"]
pub(crate) mod elementwise;
#[path = "../../../../../src/encoder/inference/kernel/mod.rs"]
pub(crate) mod kernel;

#[path = "../../../../src/encoder/config/activation.rs"]
mod activation;
#[path = "../../../../src/encoder/config/fields.rs"]
mod fields;

pub(crate) use activation::Activation;

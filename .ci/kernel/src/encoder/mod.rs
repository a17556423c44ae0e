pub(crate) mod config;
pub(crate) mod inference;

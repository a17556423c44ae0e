//! The activation functions that are read.

use super::fields::{Fields, Problem};

/// The activation between the two linear maps of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Activation {
    /// x · Φ(x), with the exact normal distribution function.
    #[default]
    Gelu,
    /// The approximation of GELU by tanh.
    GeluTanh,
    Relu,
}

impl Activation {
    /// The activation that `field` names; GELU, the default of all families, where it is left out.
    pub(super) fn read(fields: &Fields<'_>, field: &str) -> Result<Self, Problem> {
        match fields.text(field)? {
            None | Some("gelu") => Ok(Self::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Self::GeluTanh),
            Some("relu") => Ok(Self::Relu),
            Some(other) => Err(format!(
                "{field}: `{}` is not supported; expected `gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`",
                other.chars().take(60).collect::<String>()
            )),
        }
    }
}

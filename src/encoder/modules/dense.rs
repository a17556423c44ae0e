//! `Dense` modules of sentence-transformers and PyLate: what `config.json` says of a linear layer.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::class;
use crate::encoder::files::{encoder_error, read_json};
use crate::encoder::fingerprint::slashed;
use crate::error::Result;

/// The largest size of either side; see the limits of [`ModelConfig`](crate::encoder::config::ModelConfig).
const MAX_FEATURES: usize = 1 << 16;

/// A linear layer: activation(x · Wᵀ + b), to which a residual may be added. Checked: both sizes are within 1 to 2¹⁶.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DenseConfig {
    /// Relative to the model directory.
    pub folder: PathBuf,
    pub in_features: usize,
    pub out_features: usize,
    pub bias: bool,
    pub activation: DenseActivation,
    /// Whether the input is added to the output; through another linear map where the sizes differ.
    pub residual: bool,
}

/// An activation, by the name of its class in torch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DenseActivation {
    Identity,
    Tanh,
    Relu,
    /// x · Φ(x), with the exact normal distribution function.
    Gelu,
}

/// What a layer is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Tokens,
    Pooled,
}

impl Of {
    /// As newer files call it.
    fn name(self) -> &'static str {
        match self {
            Of::Tokens => "token_embeddings",
            Of::Pooled => "sentence_embedding",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
    #[serde(default)]
    module_input_name: Option<String>,
    #[serde(default)]
    module_output_name: Option<String>,
}

fn yes() -> bool {
    true
}

/// Reads the layer in `folder`, which is relative to the model directory `dir`.
pub(super) fn read(dir: &Path, folder: PathBuf, of: Of) -> Result<DenseConfig> {
    let path = dir.join(&folder).join("config.json");
    let file: File = read_json(&path)?;
    for (field, size) in [("in_features", file.in_features), ("out_features", file.out_features)] {
        if !(1..=MAX_FEATURES).contains(&size) {
            return Err(encoder_error(&path, format!("{field}: expected 1 to {MAX_FEATURES}, found {size}")));
        }
    }
    for (field, name) in
        [("module_input_name", &file.module_input_name), ("module_output_name", &file.module_output_name)]
    {
        if let Some(name) = name
            && name != of.name()
        {
            return Err(encoder_error(&path, format!("{field}: expected `{}` here, found `{name}`", of.name())));
        }
    }
    let activation = activation(&path, file.activation_function.as_deref())?;
    let File { in_features, out_features, bias, use_residual: residual, .. } = file;
    Ok(DenseConfig { folder, in_features, out_features, bias, activation, residual })
}

/// Where nothing is said it is tanh, as in the first versions of sentence-transformers.
fn activation(path: &Path, name: Option<&str>) -> Result<DenseActivation> {
    match name.map_or("Tanh", class) {
        "Identity" => Ok(DenseActivation::Identity),
        "Tanh" => Ok(DenseActivation::Tanh),
        "ReLU" => Ok(DenseActivation::Relu),
        "GELU" => Ok(DenseActivation::Gelu),
        other => {
            let problem = format!("activation_function `{other}` is not supported; Identity, Tanh, ReLU and GELU are");
            Err(encoder_error(path, problem))
        }
    }
}

impl DenseConfig {
    /// Values per row behind the layer, when `width` come in.
    pub(super) fn after(&self, dir: &Path, width: usize) -> Result<usize> {
        if width == self.in_features {
            return Ok(self.out_features);
        }
        let (module, expected) = (slashed(&self.folder), self.in_features);
        let problem = format!("module `{module}`: in_features is {expected}, but {width} values come in");
        Err(encoder_error(&dir.join(&self.folder).join("config.json"), problem))
    }
}

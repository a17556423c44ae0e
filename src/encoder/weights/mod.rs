//! The tensors of a model, by name: mapped from safetensors files, or handed over by the trainer.
//!
//! [`WeightFiles`] finds a tensor in the one file or the shards of a model, [`RawTensor`] reads its numbers, and [`Weights`]
//! holds candle tensors of them for the differentiable architectures.

mod files;
mod float;
mod header;
mod raw;
mod shards;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::files::encoder_error;
use super::settings::Precision;
use crate::error::{Error, Result};

#[cfg(feature = "train")]
pub(crate) use files::SCALE;
pub(crate) use files::WeightFiles;
pub(super) use header::parse as parse_header;
pub(crate) use raw::RawTensor;

/// Named tensors, all of one floating-point type, on one device. The trainer passes the tensors of its variables, which
/// keep their identity: gradients of what is computed from them arrive at the variables.
pub(crate) struct Weights {
    origin: PathBuf,
    tensors: BTreeMap<String, Tensor>,
    precision: Precision,
}

impl Weights {
    /// Tensors made elsewhere; `origin` is what errors name.
    #[cfg_attr(not(test), expect(dead_code, reason = "the trainer's way in; the tests of the architectures use it"))]
    pub(crate) fn new(origin: PathBuf, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { origin, tensors, precision: Precision::F32 }
    }

    /// Reads the wanted tensors as f32 (from f32, f16, bf16, or i8 with scales); others in the files are not touched.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a tensor is missing, has another shape or type, or holds a value that is not finite.
    pub(crate) fn read(files: &WeightFiles, wanted: &[(String, Vec<usize>)], device: &Device) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in wanted {
            let values = files.tensor(name, shape)?.to_f32()?;
            let tensor = Tensor::from_vec(values, shape.as_slice(), device)
                .map_err(|e| encoder_error(files.origin(), format!("tensor `{name}`: {e}")))?;
            tensors.insert(name.clone(), tensor);
        }
        Ok(Self { origin: files.origin().to_path_buf(), tensors, precision: Precision::F32 })
    }

    /// The tensor `name`, proven to have `shape`.
    pub(crate) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.tensors.get(name) {
            None => Err(tensor_error(&self.origin, name, shape, "none of that name")),
            Some(tensor) if tensor.dims() != shape => {
                Err(tensor_error(&self.origin, name, shape, format!("{:?}", tensor.dims())))
            }
            Some(tensor) => Ok(tensor.clone()),
        }
    }

    /// The same, for linear layers that round as a precision says.
    pub(crate) fn at(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// How linear layers round.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The file that errors about the whole model name.
    pub(crate) fn origin(&self) -> &Path {
        &self.origin
    }
}

fn tensor_error(path: &Path, name: &str, shape: &[usize], got: impl Into<String>) -> Error {
    Error::Tensor {
        path: path.to_path_buf(),
        tensor: name.to_string(),
        expected: format!("{shape:?} of F32, F16, BF16, or I8 with scales"),
        got: got.into(),
    }
}

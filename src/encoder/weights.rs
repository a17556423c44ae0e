//! The tensors of a model, by name: read from a safetensors file, or handed over by the trainer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::files::encoder_error;
use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;

/// Some checkpoints save a model together with its head and put this before the names of the model's tensors.
const PREFIX: &str = "bert.";

/// Named tensors, all of one floating-point type, on one device. The trainer passes the tensors of its variables, which
/// keep their identity: gradients of what is computed from them arrive at the variables.
pub(crate) struct Weights {
    origin: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Tensors made elsewhere; `origin` is what errors name.
    #[cfg_attr(not(test), expect(dead_code, reason = "the trainer's way in; the tests of the architectures use it"))]
    pub(crate) fn new(origin: PathBuf, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { origin, tensors }
    }

    /// Reads the wanted tensors as f32 (from f32, f16 or bf16); others in the file are not touched.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the file is no safetensors file, [`Error::Tensor`] when a tensor is missing, has another
    /// shape or type, or holds a value that is not finite.
    pub(crate) fn read(path: &Path, wanted: &[(String, Vec<usize>)]) -> Result<Self> {
        let file = MappedFile::open(path)?;
        let archive = SafeTensors::deserialize(file.bytes())
            .map_err(|e| encoder_error(path, format!("not a usable safetensors file: {e}")))?;
        let mut tensors = BTreeMap::new();
        for (name, shape) in wanted {
            let view = archive.tensor(name).or_else(|_| archive.tensor(&format!("{PREFIX}{name}")));
            let view = view.or_else(|_| archive.tensor(&old_name(name)));
            let view = view.or_else(|_| archive.tensor(&format!("{PREFIX}{}", old_name(name))));
            let view = view.map_err(|_| tensor_error(path, name, shape, "none of that name".to_string()))?;
            tensors.insert(name.clone(), read_tensor(path, name, shape, &view)?);
        }
        Ok(Self { origin: path.to_path_buf(), tensors })
    }

    /// The tensor `name`, proven to have `shape`.
    pub(crate) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.tensors.get(name) {
            None => Err(tensor_error(&self.origin, name, shape, "none of that name".to_string())),
            Some(tensor) if tensor.dims() != shape => {
                Err(tensor_error(&self.origin, name, shape, format!("{:?}", tensor.dims())))
            }
            Some(tensor) => Ok(tensor.clone()),
        }
    }

    /// The file that errors about the whole model name.
    pub(crate) fn origin(&self) -> &Path {
        &self.origin
    }
}

/// What the first BERT checkpoints called the tensors of layer norms; transformers 5 writes these names again.
fn old_name(name: &str) -> String {
    name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
}

fn read_tensor(path: &Path, name: &str, shape: &[usize], view: &TensorView<'_>) -> Result<Tensor> {
    let fault = |got: String| tensor_error(path, name, shape, got);
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => return Err(fault(format!("{:?} of {other:?}", view.shape()))),
    };
    if view.shape() != shape {
        return Err(fault(format!("{:?} of {dtype:?}", view.shape())));
    }
    // `SafeTensors::deserialize` has checked that the data is as long as shape and type say.
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, shape, &Device::Cpu)
        .and_then(|tensor| tensor.to_dtype(DType::F32))
        .map_err(|e| encoder_error(path, format!("tensor `{name}`: {e}")))?;
    match all_finite(&tensor).map_err(|e| encoder_error(path, format!("tensor `{name}`: {e}")))? {
        true => Ok(tensor),
        false => Err(fault("values that are not finite".to_string())),
    }
}

fn all_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    let (storage, _) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(cpu) => Ok(cpu.as_slice::<f32>()?.iter().all(|v| v.is_finite())),
        // 0 · x is 0 for finite values and NaN for all others, and sums of zeros and NaNs cannot overflow.
        _ => Ok((tensor * 0.0)?.sum_all()?.to_scalar::<f32>()? == 0.0),
    }
}

fn tensor_error(path: &Path, name: &str, shape: &[usize], got: String) -> Error {
    Error::Tensor {
        path: path.to_path_buf(),
        tensor: name.to_string(),
        expected: format!("{shape:?} of F32, F16 or BF16"),
        got,
    }
}

//! The safetensors files of a model, as one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::Dtype;

use super::float::FloatType;
use super::header::{self, Entry};
use super::raw::RawTensor;
use super::shards::ShardIndex;
use super::tensor_error;
use crate::encoder::files::encoder_error;
use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;

/// The file of the weights where there is one.
const SINGLE: &str = "model.safetensors";
/// What names the files where there are several.
const INDEX: &str = "model.safetensors.index.json";

/// What a name ends with that has the scales of a tensor of I8.
pub(crate) const SCALE: &str = ".scale";

/// The safetensors files of one model (or one module), memory-mapped.
pub(crate) struct WeightFiles {
    /// What errors about the whole name: the file, or the index of the shards.
    origin: PathBuf,
    prefix: &'static str,
    files: Vec<Arc<MappedFile>>,
    /// By name: the place of its file in `files`, and what the file's header says.
    tensors: HashMap<String, (usize, Entry)>,
}

impl WeightFiles {
    /// Looks whether there is something that [`open`](Self::open) can read, without reading the weights: the file
    /// `model.safetensors`, or else an index and all shards that it names.
    ///
    /// # Errors
    /// [`Error::Encoder`], which says what there is instead.
    pub(crate) fn require(folder: &Path) -> Result<()> {
        if folder.join(SINGLE).is_file() {
            return Ok(());
        }
        let index = folder.join(INDEX);
        if index.is_file() {
            return ShardIndex::read(index).map(drop);
        }
        if folder.join("pytorch_model.bin").is_file() {
            let problem =
                format!("pytorch_model.bin is not read; save the model as {SINGLE} (`safe_serialization=True`)");
            return Err(encoder_error(folder, problem));
        }
        Err(encoder_error(folder, format!("no {SINGLE}")))
    }

    /// `model.safetensors`, or else the shards that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// [`Error::Encoder`] when a file is missing, no safetensors file or damaged, or when the index is
    /// wrong in itself; [`Error::Tensor`] when a shard lacks a tensor that the index places there.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        Self::require(folder)?;
        let single = folder.join(SINGLE);
        if !single.is_file() {
            return Self::sharded(folder, ShardIndex::read(folder.join(INDEX))?);
        }
        let file = Arc::new(MappedFile::open(&single)?);
        let tensors = header::read(&file)?.into_iter().map(|(name, entry)| (name, (0, entry))).collect();
        Ok(Self { origin: single, prefix: "", files: vec![file], tensors })
    }

    fn sharded(folder: &Path, index: ShardIndex) -> Result<Self> {
        let mut wanted: HashMap<String, Vec<String>> = HashMap::new();
        for (tensor, shard) in index.shard_of {
            wanted.entry(shard).or_default().push(tensor);
        }
        let (mut files, mut tensors) = (Vec::new(), HashMap::new());
        for (shard, names) in wanted {
            let file = Arc::new(MappedFile::open(&folder.join(shard))?);
            let mut entries = header::read(&file)?;
            for name in names {
                let entry = entries.remove(&name).ok_or_else(|| lacking(file.path(), &name))?;
                tensors.insert(name, (files.len(), entry));
            }
            files.push(file);
        }
        Ok(Self { origin: index.path, prefix: "", files, tensors })
    }

    /// The same for names that may stand behind `prefix` in the files (`bert.`), as where a model was saved together with a head:
    /// they are looked for without it first.
    pub(crate) fn with_prefix(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    /// Whether there is a tensor of that name, whatever its shape.
    #[cfg(test)]
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The weights, rising by name, and their shapes. Buffers (positions, as I64) are none, and the scales of a tensor of I8 are part of it.
    #[cfg(feature = "train")]
    pub(crate) fn names(&self) -> Vec<(String, Vec<usize>)> {
        let is_scale = |name: &str| {
            let of = name.strip_suffix(SCALE).and_then(|name| self.tensors.get(name));
            of.is_some_and(|(_, entry)| entry.dtype == Dtype::I8)
        };
        let is_weight = |name: &str, entry: &Entry| float_type(entry.dtype).is_some() && !is_scale(name);
        let all = self.tensors.iter().filter(|(name, (_, entry))| is_weight(name, entry));
        let mut named: Vec<_> = all.map(|(name, (_, entry))| (name.clone(), entry.shape.clone())).collect();
        named.sort_unstable();
        named
    }

    /// The tensor of that name, proven to have this shape and to be F32, F16 or BF16; or I8, with an F32 tensor of the same name and
    /// [`SCALE`] that has a number for each row. Its values are not looked at.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there is none or it has another shape or type; of I8, when its scales are not there or not finite.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<RawTensor> {
        let tensor = self.numbers(name, shape)?;
        if tensor.float_type != FloatType::I8 {
            return Ok(tensor);
        }
        let scales = self.numbers(&format!("{name}{SCALE}"), shape.get(..1).unwrap_or_default())?;
        if scales.float_type == FloatType::I8 {
            return Err(scales.error("I8"));
        }
        let values = scales.to_f32()?;
        match values.iter().all(|scale| (scale * f32::from(i8::MIN)).is_finite()) {
            true => Ok(RawTensor { scales: Some(values.into()), ..tensor }),
            false => Err(scales.error("values beyond those that f32 holds 128 times of")),
        }
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<RawTensor> {
        let found = self.find(name).and_then(|(file, entry)| self.files.get(*file).map(|file| (file, entry)));
        let (file, entry) = found.ok_or_else(|| tensor_error(&self.origin, name, shape, "none of that name"))?;
        match float_type(entry.dtype) {
            Some(float_type) if entry.shape == shape => Ok(RawTensor {
                file: Arc::clone(file),
                name: name.into(),
                shape: shape.into(),
                float_type,
                scales: None,
                range: entry.range.clone(),
            }),
            _ => Err(tensor_error(file.path(), name, shape, format!("{:?} of {:?}", entry.shape, entry.dtype))),
        }
    }

    /// What errors about the whole model name: the file, or the index of the shards.
    pub(crate) fn origin(&self) -> &Path {
        &self.origin
    }

    fn find(&self, name: &str) -> Option<&(usize, Entry)> {
        let get = |name: &str| self.tensors.get(name).or_else(|| self.tensors.get(&format!("{}{name}", self.prefix)));
        get(name).or_else(|| get(&old_name(name)))
    }
}

/// What numbers a tensor has, where it is one of weights.
fn float_type(dtype: Dtype) -> Option<FloatType> {
    match dtype {
        Dtype::F32 => Some(FloatType::F32),
        Dtype::F16 => Some(FloatType::F16),
        Dtype::BF16 => Some(FloatType::BF16),
        Dtype::I8 => Some(FloatType::I8),
        _ => None,
    }
}

/// What the first BERT checkpoints called the tensors of layer norms; transformers 5 writes these names again.
fn old_name(name: &str) -> String {
    name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
}

/// The shard at `path` has no tensor `name`, though the index says so.
fn lacking(path: &Path, name: &str) -> Error {
    Error::Tensor {
        path: path.to_path_buf(),
        tensor: name.to_string(),
        expected: format!("it to be in this file, as {INDEX} says"),
        got: "none of that name".to_string(),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;

//! Writing a trained model as a sentence-transformers directory, and the state of a run to go on from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde_json::{Value, json};

use super::optimizer::Moments;
use super::shape::{ModelShape, StoredWeights};
use super::start::{DENSE_FOLDER, ReplacedFiles};
use super::transformer::{DENSE, Parameters};
use crate::encoder::{Checkpoint, Precision, SCALE};
use crate::error::{Error, Result};
use crate::late_interaction::{Direction, Interaction, Rule, Weights};

/// The sidecar that says how the model is meant to be used.
const SIDECAR: &str = "workindex.json";
/// Where sentence-transformers lists what its own models were trained on.
const TRAINING_DATA: &str = "data_config.json";
const WEIGHTS: &str = "model.safetensors";

/// What a model directory is written from.
pub(crate) struct ModelFiles<'a> {
    /// Its files are copied, but for the weights and those that are replaced.
    pub(crate) base: &'a Checkpoint,
    pub(crate) replaced: &'a ReplacedFiles,
    pub(crate) shape: &'a ModelShape,
    /// The rule that it was trained by.
    pub(crate) rule: Rule,
}

impl ModelFiles<'_> {
    /// Writes a model directory with these parameters for weights and a model card.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::AlreadyExists`] for a folder that is not empty.
    pub(crate) fn write(&self, dir: &Path, parameters: &Parameters, card: &str) -> Result<()> {
        require_empty(dir)?;
        let weights = self.base.transformer_path();
        let weights = weights.strip_prefix(self.base.dir()).unwrap_or(Path::new(""));
        for file in self.base.files() {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The weights and the list of their shards are written anew, and so is what the base says of its use; what it was trained
            // on is not what this one was.
            if is_weights(file) || name == SIDECAR || name == TRAINING_DATA || self.replaced.contains_key(file) {
                continue;
            }
            copy_file(self.base, file, dir)?;
        }
        for (file, content) in self.replaced {
            if let Some(content) = content {
                create_parent(&dir.join(file))?;
                write(&dir.join(file), content)?;
            }
        }
        let (dense, own): (Vec<_>, Vec<_>) =
            tensors("", parameters, &parameters.values).into_iter().partition(|(name, _)| name == DENSE);
        self.write_stored(&dir.join(weights).join(WEIGHTS), own)?;
        if !dense.is_empty() {
            let named = dense.into_iter().map(|(_, tensor)| ("linear.weight".to_string(), tensor)).collect();
            self.write_stored(&dir.join(DENSE_FOLDER).join(WEIGHTS), named)?;
        }
        write(&dir.join(SIDECAR), format!("{:#}\n", self.sidecar()).as_bytes())?;
        write(&dir.join("README.md"), card.as_bytes())
    }

    fn write_stored(&self, path: &Path, tensors: Vec<(String, Tensor<'_>)>) -> Result<()> {
        let tensors = match self.shape.weights {
            StoredWeights::F32 => tensors,
            StoredWeights::I8 => tensors.into_iter().flat_map(|(name, tensor)| tensor.quantized(name)).collect(),
        };
        write_weights(path, tensors)
    }

    fn sidecar(&self) -> Value {
        // Texts to be ranked may be longer than those of training.
        let max_tokens = self.base.default_settings().max_tokens;
        let rule = rule_in_words(self.rule);
        let mut sidecar = json!({ "rule": rule, "max_tokens": max_tokens, "special_tokens": false });
        if self.shape.precision != Precision::F32 {
            sidecar["precision"] = self.shape.precision.to_string().into();
        }
        sidecar
    }
}

/// That a model directory can be written here.
///
/// # Errors
/// [`Error::AlreadyExists`] for a folder that is not empty; [`Error::Io`].
pub(super) fn require_empty(dir: &Path) -> Result<()> {
    if dir.exists() && std::fs::read_dir(dir).map_err(Error::io("list", dir))?.next().is_some() {
        return Err(Error::AlreadyExists { path: dir.to_path_buf() });
    }
    Ok(())
}

/// Whether a file of a model has its weights, or lists their shards.
pub(super) fn is_weights(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")
}

/// Copies a file of a model to the same place in another directory.
pub(super) fn copy_file(model: &Checkpoint, file: &Path, dir: &Path) -> Result<()> {
    let (from, to) = (model.dir().join(file), dir.join(file));
    create_parent(&to)?;
    std::fs::copy(&from, &to).map(drop).map_err(Error::io("copy", &from))
}

/// Writes weights, by name and shape, as `model.safetensors` of a folder.
pub(super) fn write_folder(folder: &Path, weights: Vec<(String, Vec<usize>, Vec<f32>)>) -> Result<()> {
    let tensor = |(name, shape, values)| (name, Tensor { shape, numbers: Numbers::Owned(values) });
    write_weights(&folder.join(WEIGHTS), weights.into_iter().map(tensor).collect())
}

/// Writes weights as they are loaded everywhere.
fn write_weights(path: &Path, tensors: Vec<(String, Tensor<'_>)>) -> Result<()> {
    create_parent(path)?;
    // Loaders in Python refuse files that do not say what they were saved by.
    write_tensors(path, tensors, HashMap::from([("format".to_string(), "pt".to_string())]))
}

fn create_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))
}

/// A rule as a sidecar says it.
fn rule_in_words(rule: Rule) -> Value {
    let interaction = match rule.interaction {
        Interaction::Soft => "soft",
        Interaction::MaxSim => "max_sim",
        Interaction::ContextMatch => "context_match",
        Interaction::MeanPool => "mean_pool",
    };
    let direction = match rule.direction {
        Direction::Query => "query",
        Direction::Target => "target",
        Direction::Both => "both",
    };
    let weights = if rule.weights == Weights::Raw { "raw" } else { "cosine" };
    // As it is written, and not in the digits of an f64.
    let temperature: Value = rule.temperature.to_string().parse::<f64>().map_or(Value::Null, Value::from);
    json!({ "interaction": interaction, "temperature": temperature, "direction": direction, "weights": weights })
}

/// Writes the state of a run; `key` says what it is the state of.
pub(crate) fn write_state(path: &Path, key: &str, parameters: &Parameters, moments: &Moments, step: u64) -> Result<()> {
    let mut all = tensors("parameters.", parameters, &parameters.values);
    all.extend(tensors("first.", parameters, &moments.first));
    all.extend(tensors("second.", parameters, &moments.second));
    let numbers = [("key", key.to_string()), ("step", step.to_string()), ("moments", moments.steps.to_string())];
    write_tensors(path, all, numbers.map(|(name, value)| (name.to_string(), value)).into())
}

/// What a state file holds: parameters, moments and the step.
pub(crate) type State = (Vec<Vec<f32>>, Moments, u64);

/// Reads the state of a run with this key; none where the file is of another.
///
/// # Errors
/// [`Error::Io`], and [`Error::Input`] for a file that is no state of this model.
pub(crate) fn read_state(path: &Path, key: &str, parameters: &Parameters) -> Result<Option<State>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let damaged = |problem: String| Error::Input {
        path: path.to_path_buf(),
        row: None,
        column: None,
        problem: format!("not the state of a training run: {problem}; remove it to begin anew"),
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let said = metadata.metadata().clone().unwrap_or_default();
    if said.get("key").map(String::as_str) != Some(key) {
        return Ok(None);
    }
    let number =
        |name: &str| said.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| damaged(format!("no {name}")));
    let stored = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let part = |prefix: &str| -> Result<Vec<Vec<f32>>> {
        let one = |(name, shape): (&String, &Vec<usize>)| {
            let tensor = stored.tensor(&format!("{prefix}{name}")).map_err(|error| damaged(error.to_string()))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape.as_slice() {
                return Err(damaged(format!("{prefix}{name} is {:?} {:?}", tensor.dtype(), tensor.shape())));
            }
            Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        };
        parameters.names.iter().zip(&parameters.shapes).map(one).collect()
    };
    let moments = Moments { first: part("first.")?, second: part("second.")?, steps: number("moments")? };
    Ok(Some((part("parameters.")?, moments, number("step")?)))
}

fn tensors<'v>(prefix: &str, parameters: &Parameters, values: &'v [Vec<f32>]) -> Vec<(String, Tensor<'v>)> {
    let named = parameters.names.iter().zip(&parameters.shapes).zip(values);
    let tensor =
        |shape: &Vec<usize>, values: &'v Vec<f32>| Tensor { shape: shape.clone(), numbers: Numbers::F32(values) };
    named.map(|((name, shape), values)| (format!("{prefix}{name}"), tensor(shape, values))).collect()
}

fn write_tensors(path: &Path, tensors: Vec<(String, Tensor<'_>)>, metadata: HashMap<String, String>) -> Result<()> {
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error)))?;
    write(path, &bytes)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    crate::workbench::write_file(path, bytes)
}

/// A tensor to be written.
struct Tensor<'v> {
    shape: Vec<usize>,
    numbers: Numbers<'v>,
}

enum Numbers<'v> {
    F32(&'v [f32]),
    Owned(Vec<f32>),
    I8(Vec<u8>),
}

impl<'v> Tensor<'v> {
    /// A matrix as whole numbers of 8 bits with the scales of its rows; anything else as it is.
    fn quantized(self, name: String) -> Vec<(String, Tensor<'v>)> {
        let Numbers::F32(values) = self.numbers else { return vec![(name, self)] };
        let &[rows, width] = self.shape.as_slice() else { return vec![(name, self)] };
        let (mut scales, mut numbers) = (Vec::with_capacity(rows), Vec::with_capacity(values.len()));
        for row in values.chunks_exact(width.max(1)) {
            let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            let scale = largest / f32::from(i8::MAX);
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            numbers.extend(row.iter().map(|value| ((value * inverse).round() as i8).to_le_bytes()[0]));
            scales.push(scale);
        }
        let of_scales = Tensor { shape: vec![rows], numbers: Numbers::Owned(scales) };
        let of_numbers = Tensor { shape: self.shape, numbers: Numbers::I8(numbers) };
        vec![(format!("{name}{SCALE}"), of_scales), (name, of_numbers)]
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.numbers {
            Numbers::I8(_) => Dtype::I8,
            Numbers::F32(_) | Numbers::Owned(_) => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into();
        match &self.numbers {
            Numbers::F32(values) => bytes(values),
            Numbers::Owned(values) => bytes(values),
            Numbers::I8(numbers) => numbers.into(),
        }
    }

    fn data_len(&self) -> usize {
        match &self.numbers {
            Numbers::F32(values) => values.len() * 4,
            Numbers::Owned(values) => values.len() * 4,
            Numbers::I8(numbers) => numbers.len(),
        }
    }
}

//! Writing a trained model as a sentence-transformers directory, and the state of a run to go on from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde_json::{Value, json};

use super::optimizer::Moments;
use super::transformer::Parameters;
use crate::encoder::Checkpoint;
use crate::error::{Error, Result};
use crate::late_interaction::{Direction, Interaction, Rule, Weights};

/// The sidecar that says how the model is meant to be used.
const SIDECAR: &str = "workindex.json";

/// Writes a model directory: the base's files with these parameters for weights, the rule that it was trained by, and a model card.
///
/// # Errors
/// [`Error::Io`]; [`Error::AlreadyExists`] for a folder that is not empty.
pub(crate) fn write_model(
    dir: &Path,
    base: &Checkpoint,
    parameters: &Parameters,
    rule: Rule,
    max_tokens: usize,
    card: &str,
) -> Result<()> {
    if dir.exists() && std::fs::read_dir(dir).map_err(Error::io("list", dir))?.next().is_some() {
        return Err(Error::AlreadyExists { path: dir.to_path_buf() });
    }
    let weights = base.transformer_path();
    let weights = weights.strip_prefix(base.dir()).unwrap_or(Path::new(""));
    for file in base.files() {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // The weights and the list of their shards are written anew, and so is what the base says of its use.
        if name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") || name == SIDECAR {
            continue;
        }
        let (from, to) = (base.dir().join(file), dir.join(file));
        let folder = to.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        std::fs::copy(&from, &to).map_err(Error::io("copy", &from))?;
    }
    std::fs::create_dir_all(dir.join(weights)).map_err(Error::io("create the folder", dir))?;
    write_tensors(
        &dir.join(weights).join("model.safetensors"),
        tensors("", parameters, &parameters.values),
        HashMap::new(),
    )?;
    let sidecar = json!({ "rule": rule_in_words(rule), "max_tokens": max_tokens, "special_tokens": false });
    write(&dir.join(SIDECAR), format!("{sidecar:#}\n").as_bytes())?;
    write(&dir.join("README.md"), card.as_bytes())
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

fn tensors<'v>(prefix: &str, parameters: &Parameters, values: &'v [Vec<f32>]) -> Vec<(String, Floats<'v>)> {
    let named = parameters.names.iter().zip(&parameters.shapes).zip(values);
    named.map(|((name, shape), values)| (format!("{prefix}{name}"), Floats { shape: shape.clone(), values })).collect()
}

fn write_tensors(path: &Path, tensors: Vec<(String, Floats<'_>)>, metadata: HashMap<String, String>) -> Result<()> {
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let bytes = safetensors::serialize(tensors, metadata)
        .map_err(|error| Error::io("write", path)(std::io::Error::other(error)))?;
    write(path, &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    crate::workbench::write_file(path, bytes)
}

struct Floats<'v> {
    shape: Vec<usize>,
    values: &'v [f32],
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}

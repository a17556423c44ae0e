//! What a run begins with: the base's parameters, or those of a smaller model made of a part of them, and the files around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::corpus::Corpus;
use super::shape::ModelShape;
use super::teacher::Teacher;
use super::transformer::Parameters;
use super::vocabulary::{self, Vocabulary};
use crate::encoder::{Checkpoint, ModelConfig, TextTokenizer, encoder_error, slashed};
use crate::error::{Error, Result};

/// The folder of the linear layer behind the transformer.
pub(super) const DENSE_FOLDER: &str = "1_Dense";

/// The parameters, the tokenizer, and the files that a model directory has instead of the base's.
pub(crate) struct Start {
    pub(crate) parameters: Parameters,
    pub(crate) tokenizer: TextTokenizer,
    pub(crate) files: ReplacedFiles,
}

/// Files by their path in the model directory; none where the base's is left out.
pub(crate) type ReplacedFiles = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Reads a base, and makes the model of it that a run begins with. `max_tokens` are the tokens of a text in training.
///
/// # Errors
/// [`Error::Encoder`] for a checkpoint with heads, prompts or marks, or of a family without a backward pass, or whose vocabulary cannot be
/// cut; [`Error::InvalidOption`] for a shape that the base does not have; as [`Encoder::open`](crate::Encoder::open).
pub(crate) fn start(base: &Checkpoint, shape: &ModelShape, corpus: &Corpus, max_tokens: usize) -> Result<Start> {
    check(base, shape)?;
    let vocabulary = (shape.vocabulary > 0).then(|| vocabulary::cut(base, corpus, shape.vocabulary)).transpose()?;
    let config = smaller(base.config(), shape, vocabulary.as_ref());
    let weights = base.weight_files()?;
    let whole = Parameters::read(base.config(), |name, shape| weights.tensor(name, shape)?.to_f32())?;
    let mut parameters =
        Parameters::read(&config, |name, size| Ok(part_of(&whole, &config, shape, vocabulary.as_ref(), (name, size))))?;
    if shape.dim > 0 {
        let axes = Teacher::open(base, max_tokens)?.axes(corpus, shape.dim)?;
        parameters = parameters.with_dense(shape.dim, axes);
    }
    let path = base.tokenizer_path();
    let tokenizer = match &vocabulary {
        None => TextTokenizer::read(&path, max_tokens)?,
        Some(vocabulary) => TextTokenizer::parse(&path, vocabulary.tokenizer.clone(), max_tokens)?,
    };
    let files = replaced_files(base, shape, &config, vocabulary)?;
    Ok(Start { parameters, tokenizer, files })
}

fn check(base: &Checkpoint, shape: &ModelShape) -> Result<()> {
    let refuse = |problem: &str| Err(encoder_error(base.dir(), problem));
    if !base.profile().is_plain() {
        return refuse("it has layers behind the transformer, prompts or marks; only plain transformers are trained");
    }
    let config = base.config();
    if config.modern.is_some() {
        return refuse("ModernBERT is not trained; BERT, RoBERTa, XLM-RoBERTa, MPNet and DistilBERT are");
    }
    let n = config.num_hidden_layers;
    if let Some(layer) = shape.layers.iter().find(|layer| **layer >= n) {
        return Err(out_of_range("layers", format!("layers of the base, 0 to {}", n - 1), layer));
    }
    if shape.dim > config.hidden_size {
        return Err(out_of_range("dim", format!("at most {}, the base's", config.hidden_size), &shape.dim));
    }
    Ok(())
}

fn out_of_range(option: &'static str, expected: String, got: &usize) -> Error {
    Error::InvalidOption { option, expected, got: got.to_string() }
}

fn smaller(base: &ModelConfig, shape: &ModelShape, vocabulary: Option<&Vocabulary>) -> ModelConfig {
    let mut config = base.clone();
    if !shape.layers.is_empty() {
        config.num_hidden_layers = shape.layers.len();
    }
    if let Some(vocabulary) = vocabulary {
        config.vocab_size = vocabulary.kept.len();
    }
    config
}

/// The values of a parameter of the smaller model among those of the base.
fn part_of(
    whole: &Parameters,
    config: &ModelConfig,
    shape: &ModelShape,
    vocabulary: Option<&Vocabulary>,
    (name, size): (&str, &[usize]),
) -> Vec<f32> {
    let values = whole.named(&name_in_base(name, &shape.layers));
    match vocabulary.filter(|_| name == config.embedding_names().words) {
        None => values.to_vec(),
        Some(vocabulary) => {
            let dim = size.last().copied().unwrap_or(1);
            let row = |id: &u32| values.get(*id as usize * dim..(*id as usize + 1) * dim).unwrap_or_default();
            vocabulary.kept.iter().flat_map(row).copied().collect()
        }
    }
}

/// The name that a parameter of layer i has in the base: that of layer `layers[i]`. In every family a layer's number stands between points
/// behind `layer`.
fn name_in_base(name: &str, layers: &[usize]) -> String {
    let mark = "layer.";
    let Some((before, (number, behind))) =
        name.split_once(mark).and_then(|(before, rest)| Some((before, rest.split_once('.')?)))
    else {
        return name.to_string();
    };
    match number.parse::<usize>().ok().and_then(|number| layers.get(number)) {
        Some(layer) => format!("{before}{mark}{layer}.{behind}"),
        None => name.to_string(),
    }
}

fn replaced_files(
    base: &Checkpoint,
    shape: &ModelShape,
    config: &ModelConfig,
    vocabulary: Option<Vocabulary>,
) -> Result<ReplacedFiles> {
    let mut files = ReplacedFiles::new();
    let folder = base.transformer_path();
    let folder = folder.strip_prefix(base.dir()).unwrap_or(Path::new(""));
    if !shape.layers.is_empty() || vocabulary.is_some() || !shape.name.is_empty() {
        let path = base.dir().join(folder).join("config.json");
        files.insert(folder.join("config.json"), Some(new_config(&path, shape, config, vocabulary.as_ref())?));
    }
    if let Some(Vocabulary { tokenizer, list, .. }) = vocabulary {
        files.insert(folder.join("tokenizer.json"), Some(tokenizer));
        files.insert(folder.join("vocab.txt"), Some(list));
    }
    if shape.dim > 0 {
        let rest = base.files().iter().filter(|file| !file.starts_with(folder) || folder.as_os_str().is_empty());
        let pooling = rest.filter(|file| file.components().count() > 1 && file.ends_with("config.json"));
        files.extend(pooling.map(|file| (file.clone(), None)));
        add_dense(&mut files, base, folder, (config.hidden_size, shape.dim));
    }
    Ok(files)
}

/// The base's config.json with other sizes.
fn new_config(
    path: &Path,
    shape: &ModelShape,
    config: &ModelConfig,
    vocabulary: Option<&Vocabulary>,
) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut file: Value = serde_json::from_slice(&bytes).map_err(|error| encoder_error(path, error.to_string()))?;
    if !shape.name.is_empty() {
        file["_name_or_path"] = shape.name.as_str().into();
    }
    let layers = if file.get("n_layers").is_some() { "n_layers" } else { "num_hidden_layers" };
    file[layers] = config.num_hidden_layers.into();
    if let Some(vocabulary) = vocabulary {
        file["vocab_size"] = config.vocab_size.into();
        if let Some(pad) = file.get("pad_token_id").and_then(Value::as_u64) {
            let new = vocabulary.kept.iter().position(|old| u64::from(*old) == pad);
            file["pad_token_id"] = new.into();
        }
    }
    Ok(format!("{file:#}\n").into_bytes())
}

/// The files that say that token rows go through a linear layer, as PyLate writes them, with no marks around texts.
fn add_dense(files: &mut ReplacedFiles, base: &Checkpoint, transformer: &Path, (hidden, dim): (usize, usize)) {
    let mut add = |path: &str, value: Value| files.insert(path.into(), Some(format!("{value:#}\n").into_bytes()));
    let length = base.max_seq_length().unwrap_or(base.max_positions());
    add(
        "modules.json",
        json!([
            { "idx": 0, "name": "0", "path": slashed(transformer), "type": "sentence_transformers.models.Transformer" },
            { "idx": 1, "name": "1", "path": DENSE_FOLDER, "type": "pylate.models.Dense.Dense" },
        ]),
    );
    add(
        &format!("{DENSE_FOLDER}/config.json"),
        json!({
            "in_features": hidden,
            "out_features": dim,
            "bias": false,
            "activation_function": "torch.nn.modules.linear.Identity",
            "use_residual": false,
        }),
    );
    add(
        "config_sentence_transformers.json",
        json!({
            "query_prefix": "",
            "document_prefix": "",
            "query_length": length,
            "document_length": length,
            "do_query_expansion": false,
            "attend_to_expansion_tokens": false,
            "skiplist_words": [],
            "similarity_fn_name": "MaxSim",
        }),
    );
}

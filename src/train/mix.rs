//! Weighted means of models, weight by weight: runs with several seeds averaged (model soups, arXiv 2203.05482), and the way between a base
//! and what was trained from it (arXiv 2109.01903). No forward pass costs more for it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::model_files::{copy_file, is_weights, require_empty, write, write_folder};
use crate::encoder::{Checkpoint, WeightFiles, encoder_error};
use crate::error::{Error, Result};

/// How far the sum of the weights may be from 1.
const SLACK: f64 = 1e-3;

/// Writes the mean of models to a model directory `out`, which is whole or absent: every weight is Σ share · weight of the model, in f64, stored
/// as f32. The other files (tokenizer, configuration, `workindex.json`) are the first model's, and so is the model card, behind what
/// the mean was made of. Shares may be negative (away from a model); they sum to 1.
///
/// # Errors
/// [`Error::InvalidOption`] for fewer than two models, or shares that are not finite or do not sum to 1; [`Error::Encoder`] for a model of
/// another architecture, other layers or another tokenizer than the first; [`Error::Tensor`] for one that lacks a weight of the first, or has it in another
/// shape; [`Error::AlreadyExists`] for a folder that is not empty; [`Error::Io`].
pub fn mix(parts: &[(Checkpoint, f64)], out: &Path) -> Result<()> {
    let (first, others) = check_shares(parts)?;
    others.iter().try_for_each(|(other, _)| check_alike(first, other))?;
    require_empty(out)?;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
    let scratch = tempfile::Builder::new().prefix(".mix-").tempdir_in(parent);
    let scratch = scratch.map_err(Error::io("create a folder in", parent))?;
    let model = scratch.path().join("model");
    first.files().iter().filter(|file| !is_weights(file)).try_for_each(|file| copy_file(first, file, &model))?;
    for folder in weight_folders(first) {
        write_mean(parts, &folder, &model)?;
    }
    write(&model.join("README.md"), card(parts).as_bytes())?;
    if out.exists() {
        std::fs::remove_dir(out).map_err(Error::io("replace", out))?;
    }
    std::fs::rename(&model, out).map_err(Error::io("create", out))
}

fn check_shares(parts: &[(Checkpoint, f64)]) -> Result<(&Checkpoint, &[(Checkpoint, f64)])> {
    let refuse = |got: String| {
        let expected = "two models or more, with shares that sum to 1".to_string();
        Err(Error::InvalidOption { option: "models", expected, got })
    };
    let sum: f64 = parts.iter().map(|(_, share)| share).sum();
    match parts {
        // Also of a sum that is no number.
        [_, _, ..] if (sum - 1.0).abs().partial_cmp(&SLACK) != Some(std::cmp::Ordering::Less) => {
            refuse(format!("shares that sum to {sum}"))
        }
        [(first, _), others @ ..] if !others.is_empty() => Ok((first, others)),
        _ => refuse(format!("{} of them", parts.len())),
    }
}

fn check_alike(first: &Checkpoint, other: &Checkpoint) -> Result<()> {
    if first.config() != other.config() {
        let problem =
            format!("its architecture is not that of {}; models of one base can be mixed", first.dir().display());
        return Err(encoder_error(other.dir(), problem));
    }
    if weight_folders(first) != weight_folders(other) {
        let problem = format!("it has other layers behind the transformer than {}", first.dir().display());
        return Err(encoder_error(other.dir(), problem));
    }
    let read = |path: PathBuf| std::fs::read(&path).map_err(Error::io("read", &path));
    if read(first.tokenizer_path())? != read(other.tokenizer_path())? {
        let problem = format!("its tokenizer.json is not that of {}", first.dir().display());
        return Err(encoder_error(other.dir(), problem));
    }
    Ok(())
}

/// The folders of a model that have weights, relative to its own.
fn weight_folders(model: &Checkpoint) -> BTreeSet<PathBuf> {
    let weights = model.files().iter().filter(|file| is_weights(file));
    weights.filter_map(|file| file.parent().map(Path::to_path_buf)).collect()
}

fn open_folder(model: &Checkpoint, folder: &Path) -> Result<WeightFiles> {
    match model.dir().join(folder) {
        path if path == model.transformer_path() => model.weight_files(),
        path => WeightFiles::open(&path),
    }
}

fn write_mean(parts: &[(Checkpoint, f64)], folder: &Path, to: &Path) -> Result<()> {
    let files = parts.iter().map(|(model, share)| Ok((open_folder(model, folder)?, *share)));
    let files = files.collect::<Result<Vec<_>>>()?;
    let names = files.first().map(|(files, _)| files.names()).unwrap_or_default();
    let mean = |(name, shape): (String, Vec<usize>)| {
        let mut sums = vec![0.0f64; shape.iter().product()];
        for (files, share) in &files {
            let values = files.tensor(&name, &shape)?.to_f32()?;
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * f64::from(value));
        }
        Ok((name, shape, sums.into_iter().map(|sum| sum as f32).collect()))
    };
    write_folder(&to.join(folder), names.into_iter().map(mean).collect::<Result<Vec<_>>>()?)
}

fn card(parts: &[(Checkpoint, f64)]) -> String {
    let mut card = "# A weighted mean of models\n\nMade by `workindex encoder mix`, weight by weight.\n\n| share | model | fingerprint |\n|---|---|---|\n"
        .to_string();
    for (model, share) in parts {
        let fingerprint = model.fingerprint(&model.default_settings());
        let _ = writeln!(card, "| {share} | {} | {fingerprint} |", model.name());
    }
    let first = parts.first().and_then(|(model, _)| std::fs::read_to_string(model.dir().join("README.md")).ok());
    if let Some(first) = first {
        let _ = write!(card, "\nThe card of the first of them:\n\n{first}");
    }
    card
}

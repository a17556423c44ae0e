//! A run of an evaluation: its records, and what was asked for.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::data::DataOptions;
use super::files;
use super::held_out::Holdout;
use super::loaders::Selection;
use super::record::{Record, record_path};
use super::system::System;
use super::task::{SetName, Split};
use crate::encoder::Encoder;
use crate::error::{Error, Result};

/// The file that says what a folder of results is.
const HEAD: &str = "run.json";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// The version of workindex.
    pub workindex: String,
    /// The encoder, where one was judged.
    pub encoder: Option<JudgedEncoder>,
    /// The systems, in their order.
    pub systems: Vec<String>,
    /// The part of the sets.
    pub split: Split,
    /// How the concepts are held out that queries were taken of, of sets made from an ontology; `none` where all were.
    pub held_out: Holdout,
    /// One query in so many was taken.
    pub one_in: usize,
    /// The release of ESCO that was asked for.
    pub esco: Option<String>,
    /// The release of O*NET that was asked for.
    pub onet: Option<String>,
    /// The language of ESCO's labels.
    pub language: String,
}

/// An encoder as results name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedEncoder {
    /// Its name.
    pub name: String,
    /// Identifies its embeddings.
    pub fingerprint: String,
    /// Values per token.
    pub dim: usize,
    /// Tokens per text, at most.
    pub max_tokens: usize,
    /// Whether rows of special tokens take part.
    pub special_tokens: bool,
    /// `f32` or `bf16`.
    pub precision: String,
    /// What it ran on.
    pub runs_on: String,
}

/// A set whose data is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The set.
    pub set: SetName,
    /// What was looked for below the data folder.
    pub looked_for: String,
}

/// All that a folder of results holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was asked for.
    pub head: RunHead,
    /// The sets that were not there.
    pub missing: Vec<Missing>,
    /// The sets that were judged, in the order of the tasks.
    pub records: Vec<Record>,
}

/// The head, what is missing and what is there, in `run.json`.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    head: RunHead,
    missing: Vec<Missing>,
    judged: Vec<SetName>,
}

impl RunHead {
    pub(super) fn new(
        encoder: Option<&Encoder>,
        systems: &[System],
        data: &DataOptions,
        selection: Selection,
        one_in: usize,
    ) -> Self {
        Self {
            workindex: env!("CARGO_PKG_VERSION").to_string(),
            encoder: encoder.map(JudgedEncoder::new),
            systems: systems.iter().map(System::to_string).collect(),
            split: selection.split,
            held_out: selection.held_out,
            one_in,
            esco: data.esco.clone(),
            onet: data.onet.clone(),
            language: data.language.clone(),
        }
    }
}

impl JudgedEncoder {
    fn new(encoder: &Encoder) -> Self {
        let settings = encoder.settings();
        Self {
            name: encoder.name().to_string(),
            fingerprint: encoder.fingerprint().to_string(),
            dim: encoder.dim(),
            max_tokens: settings.max_tokens,
            special_tokens: settings.special_tokens,
            precision: format!("{:?}", settings.precision).to_lowercase(),
            runs_on: encoder.runs_on(),
        }
    }
}

impl Run {
    /// Writes what was asked for and what is there; the records are there already.
    pub(super) fn write(&self, out: &Path) -> Result<()> {
        let judged = self.records.iter().map(|record| record.head.set.clone()).collect();
        Stored { head: self.head.clone(), missing: self.missing.clone(), judged }.write(out)
    }

    /// Reads a folder of results.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] when the folder holds no results, or none of this version.
    pub fn read(out: &Path) -> Result<Self> {
        let path = out.join(HEAD);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let stored: Stored = serde_json::from_str(&text).map_err(|error| Error::Input {
            path: path.clone(),
            row: Some(error.line() as u64),
            column: None,
            problem: format!("not the head of an evaluation: {error}"),
        })?;
        let records = stored.judged.iter().map(|set| Record::read(&record_path(out, set))).collect::<Result<_>>()?;
        Ok(Self { head: stored.head, missing: stored.missing, records })
    }
}

impl Stored {
    fn write(&self, out: &Path) -> Result<()> {
        let path = out.join(HEAD);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::io("write", &path)(error.into()))?;
        text.push(b'\n');
        files::write(&path, &text)
    }
}

//! The encoder that comes with the library: `uwe-mini-en`, trained on ESCO and O*NET and distilled for this purpose. What it is made of,
//! how, and how good it is says its model card, `README.md`; `model/` is a model directory as any other.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::Encoder;
use super::checkpoint::Checkpoint;
use crate::error::{Error, Result};

/// What it is called.
const NAME: &str = "uwe-mini-en";

macro_rules! files {
    ($($name:literal),+ $(,)?) => { [$(($name, include_bytes!(concat!("model/", $name)).as_slice())),+] };
}

/// Its files, as they are in a model directory.
const FILES: [(&str, &[u8]); 10] = files![
    "1_Dense/config.json",
    "1_Dense/model.safetensors",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "workindex.json",
];

/// A folder with the files of a model, which goes with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Unpacked(#[expect(dead_code, reason = "kept for its drop")] Arc<TempDir>);

impl Encoder {
    /// Opens the encoder that comes with the library, which needs no files and no network: a small one for English texts of the labour
    /// market, trained on ESCO and O*NET.
    ///
    /// Its files are put into the system's folder for temporary files, and stay there as long as the encoder, its clones and its
    /// [`Checkpoint`]s live. An index has its own copy of them, as of any encoder.
    ///
    /// ```
    /// let encoder = workindex::Encoder::built_in()?;
    /// assert_eq!(encoder.encode("Senior data engineer")?.matrix.dim(), encoder.dim());
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when the files cannot be written.
    pub fn built_in() -> Result<Self> {
        let checkpoint = Checkpoint::built_in()?;
        let settings = checkpoint.default_settings();
        Self::from_checkpoint(checkpoint, settings)
    }
}

impl Checkpoint {
    /// The model of [`Encoder::built_in`].
    ///
    /// # Errors
    /// As [`Encoder::built_in`].
    pub fn built_in() -> Result<Self> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("workindex-encoder-").tempdir();
        let folder = folder.map_err(Error::io("create a folder in", &parent))?;
        let dir = folder.path().join(NAME);
        for (name, content) in FILES {
            write(&dir.join(name), content)?;
        }
        Ok(Self::open(&dir)?.kept_in(Unpacked(Arc::new(folder))))
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    std::fs::write(path, content).map_err(Error::io("write", path))
}

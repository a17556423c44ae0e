//! A model directory in the sentence-transformers layout, before anything is loaded into memory.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::beside::beside;
use super::config::ModelConfig;
use super::files::encoder_error;
use super::fingerprint::{Fingerprint, slashed};
use super::modules::Pooling;
use super::profile::Profile;
use super::settings::EncoderSettings;
use super::weights::WeightFiles;
use crate::error::{Error, Result};

/// Endings of the files that belong to a model; everything else (documentation, other formats of the weights) does not.
const MODEL_ENDINGS: [&str; 4] = ["json", "safetensors", "txt", "model"];
/// Folders that hold the model again in other formats.
const OTHER_FORMATS: [&str; 2] = ["onnx", "openvino"];
/// Guards against being pointed at something that is no model directory at all.
const MAX_DEPTH: usize = 8;
const MAX_FILES: usize = 1000;

/// A model directory: its configuration, read and checked, and the files that belong to it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    dir: PathBuf,
    name: String,
    config: ModelConfig,
    profile: Profile,
    dim: usize,
    files: Vec<PathBuf>,
    content: Fingerprint,
    /// The folder that `dir` is in, where that is one of ours.
    #[cfg(feature = "built-in")]
    #[expect(dead_code, reason = "kept for its drop")]
    unpacked: Option<super::built_in::Unpacked>,
}

impl Checkpoint {
    /// Reads the configuration of the model in `dir` and hashes all its files.
    ///
    /// # Errors
    /// [`Error::Encoder`] when a file is missing, not understood or of a kind that is not supported (another model family,
    /// an unknown module), [`Error::Io`] when a file cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let checkpoint = Self::read(dir)?;
        let content = Fingerprint::of_files(&checkpoint.dir, &checkpoint.files)?;
        Ok(Self { content, ..checkpoint })
    }

    /// As [`open`](Self::open), and has `load` make something of the model at the same time as its files are hashed. What
    /// `load` is given has no fingerprint yet: it may ask for all but that.
    ///
    /// # Errors
    /// Those of `load`, then those of [`open`](Self::open).
    pub(crate) fn open_beside<T>(dir: &Path, load: impl FnOnce(&Self) -> Result<T>) -> Result<(Self, T)> {
        let checkpoint = Self::read(dir)?;
        let hash = || Fingerprint::of_files(&checkpoint.dir, &checkpoint.files);
        let (content, loaded) = beside(hash, || load(&checkpoint));
        let (loaded, content) = (loaded?, content?);
        Ok((Self { content, ..checkpoint }, loaded))
    }

    /// All but the content's hash, in whose place stands one that no content has.
    fn read(dir: &Path) -> Result<Self> {
        let profile = Profile::read(dir)?;
        let transformer = dir.join(&profile.modules().transformer);
        if !transformer.join("config.json").is_file() {
            let problem = "not a model directory: it holds no config.json (sentence-transformers layout expected)";
            return Err(encoder_error(&transformer, problem));
        }
        WeightFiles::require(&transformer)?;
        let config = ModelConfig::read(&transformer.join("config.json"))?;
        let dim = profile.modules().dim(dir, config.hidden_size)?;
        let files = list_files(dir)?;
        let content = Fingerprint::from_bytes([0; 32]);
        let name = display_name(dir, config.name.as_deref());
        let dir = dir.to_path_buf();
        Ok(Self {
            dir,
            name,
            config,
            profile,
            dim,
            files,
            content,
            #[cfg(feature = "built-in")]
            unpacked: None,
        })
    }

    /// The same, whose directory stays as long as it lives.
    #[cfg(feature = "built-in")]
    pub(super) fn kept_in(self, folder: super::built_in::Unpacked) -> Self {
        Self { unpacked: Some(folder), ..self }
    }

    /// The directory that was opened.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A name to show: the directory's; where that says nothing (`model`, a hash) what config.json calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files that belong to the model, relative to [`dir`](Self::dir) and sorted by name: `*.json`, `*.safetensors`,
    /// `*.txt` and `*.model` at any depth, except in `onnx/`, `openvino/` and hidden folders. A copy of these files is
    /// the same model, with the same fingerprint.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The fingerprint of the encoder that this model makes with these settings.
    pub fn fingerprint(&self, settings: &EncoderSettings) -> Fingerprint {
        self.content.with_settings(settings)
    }

    /// The settings for a model of which none are given: those of its `workindex.json`; for a PyLate model its own number of
    /// tokens, and special tokens as rows; else [`EncoderSettings::default`]. Lowered to the model's own limit of tokens if need
    /// be.
    pub fn default_settings(&self) -> EncoderSettings {
        let default = EncoderSettings::default();
        let max_tokens = self.profile.default_max_tokens().unwrap_or(default.max_tokens);
        let special_tokens = self.profile.default_special_tokens().unwrap_or(default.special_tokens);
        let max_tokens = max_tokens.min(self.max_positions());
        let precision = self.profile.default_precision().unwrap_or(default.precision);
        EncoderSettings { max_tokens, special_tokens, precision }.limited_to(self.max_seq_length())
    }

    /// How the model's pooled vector is made of its token embeddings.
    pub fn pooling(&self) -> Pooling {
        self.profile.modules().pooling().mode
    }

    /// The model family, as config.json calls it.
    pub fn family(&self) -> &'static str {
        self.config.family.name()
    }

    /// Transformer layers.
    pub fn layers(&self) -> usize {
        self.config.num_hidden_layers
    }

    /// Values per row of the matrices, behind all layers.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Positions that the model has for tokens: no text can have more. Rows that a table keeps for padding do not count.
    pub fn max_positions(&self) -> usize {
        self.config.max_tokens()
    }

    /// The most tokens that the checkpoint wants to be given, if it says so.
    pub fn max_seq_length(&self) -> Option<usize> {
        self.profile.max_seq_length()
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The folder of the transformer and its tokenizer.
    pub(crate) fn transformer_path(&self) -> PathBuf {
        self.dir.join(&self.profile.modules().transformer)
    }

    pub(crate) fn tokenizer_path(&self) -> PathBuf {
        self.transformer_path().join("tokenizer.json")
    }

    /// Maps the weights of the transformer.
    ///
    /// # Errors
    /// As [`WeightFiles::open`].
    pub(crate) fn weight_files(&self) -> Result<WeightFiles> {
        Ok(WeightFiles::open(&self.transformer_path())?.with_prefix(self.config.family.prefix()))
    }
}

/// The model's files, relative to `dir`, sorted by their `/`-separated names.
fn list_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    list_into(dir, Path::new(""), 0, &mut files)?;
    files.sort_by_cached_key(|file| slashed(file));
    Ok(files)
}

/// Symbolic links to files are followed (the cache of the model hub is made of them), links to folders are not.
fn list_into(root: &Path, relative: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(relative);
    for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let entry = entry.map_err(Error::io("list", &folder))?;
        let name = entry.file_name();
        let path = relative.join(&name);
        let file_type = entry.file_type().map_err(Error::io("inspect", &entry.path()))?;
        if file_type.is_dir() {
            if depth < MAX_DEPTH && is_model_folder(&name) {
                list_into(root, &path, depth + 1, files)?;
            }
        } else if is_model_file(&name) && fs::metadata(entry.path()).is_ok_and(|m| m.is_file()) {
            if name.to_str().is_none() {
                return Err(encoder_error(&entry.path(), "the name of a model file must be valid UTF-8"));
            }
            files.push(path);
        }
    }
    if files.len() > MAX_FILES {
        return Err(encoder_error(root, format!("more than {MAX_FILES} files that look like a model's")));
    }
    Ok(())
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_model_folder(name: &OsStr) -> bool {
    !is_hidden(name) && OTHER_FORMATS.iter().all(|other| name != *other)
}

fn is_model_file(name: &OsStr) -> bool {
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    !is_hidden(name) && ending.is_some_and(|ending| MODEL_ENDINGS.contains(&ending))
}

fn display_name(dir: &Path, name_in_config: Option<&str>) -> String {
    // The name by which the user knows the folder, also where that is a link; `.` has none of its own.
    let resolved = if dir.file_name().is_none() { fs::canonicalize(dir).ok() } else { None };
    let folder = resolved.as_deref().unwrap_or(dir).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_hash = folder.len() >= 32 && folder.bytes().all(|b| b.is_ascii_hexdigit());
    match name_in_config.filter(|name| !name.trim().is_empty()) {
        Some(name) if folder.is_empty() || folder == "model" || is_hash => name.to_string(),
        _ => folder.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, name: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    #[test]
    fn the_files_of_a_model_are_listed_in_order_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let belong =
            ["1_Pooling/config.json", "1_Pooling/deep/er.txt", "config.json", "model.safetensors", "spm.model"];
        let others =
            ["README.md", "pytorch_model.bin", "onnx/model.json", "a/openvino/x.json", ".git/x.json", ".x.json"];
        belong.iter().chain(&others).for_each(|name| touch(dir.path(), name));
        let files = list_files(dir.path()).unwrap();
        assert_eq!(files.iter().map(|file| slashed(file)).collect::<Vec<_>>(), belong);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_are_followed_and_links_to_folders_are_not() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), "blobs.d/abc");
        touch(dir.path(), "more/vocab.txt");
        std::os::unix::fs::symlink(dir.path().join("blobs.d/abc"), dir.path().join("config.json")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        assert_eq!(list_files(dir.path()).unwrap(), [Path::new("config.json"), Path::new("more/vocab.txt")]);
    }

    #[test]
    fn a_folder_name_that_says_nothing_gives_way_to_the_config() {
        let named = |folder: &str, config| display_name(Path::new(folder), config);
        assert_eq!(named("/nowhere/all-MiniLM-L6-v2", Some("nreimers/MiniLM")), "all-MiniLM-L6-v2");
        assert_eq!(named("/nowhere/model", Some("nreimers/MiniLM")), "nreimers/MiniLM");
        assert_eq!(named(&format!("/nowhere/{}", "ab".repeat(20)), Some("base")), "base");
        assert_eq!(named("/nowhere/model", None), "model");
    }
}

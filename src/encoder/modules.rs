//! `modules.json` and what it names: how sentence-transformers goes on from the transformer's output.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::files::{encoder_error, read_json};
use crate::error::Result;

/// How a pooled vector is made of the token embeddings of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    #[default]
    Mean,
    /// The embedding of the first token.
    Cls,
}

/// The modules of a checkpoint. A plain transformers directory, without modules.json, is a transformer and mean pooling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Modules {
    /// The folder of the transformer, relative to the model directory.
    pub transformer: PathBuf,
    pub pooling: Pooling,
    /// The most tokens per text that the checkpoint asks for.
    pub max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize, Default)]
struct TransformerSettings {
    #[serde(default)]
    max_seq_length: Option<usize>,
}

/// Older files say which mode is on by one flag each, newer ones by a name.
#[derive(Deserialize)]
struct PoolingSettings {
    #[serde(default)]
    pooling_mode: Option<String>,
    #[serde(flatten)]
    flags: serde_json::Map<String, serde_json::Value>,
}

impl Modules {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("modules.json");
        let mut modules = Self::default();
        if path.is_file() {
            let entries: Vec<Entry> = read_json(&path)?;
            if entries.first().is_none_or(|entry| entry.module() != "Transformer") {
                return Err(encoder_error(&path, "the first module must be a Transformer"));
            }
            for entry in &entries {
                modules.add(dir, &path, entry)?;
            }
        }
        modules.max_seq_length = max_seq_length(&dir.join(&modules.transformer).join("sentence_bert_config.json"))?;
        Ok(modules)
    }

    fn add(&mut self, dir: &Path, path: &Path, entry: &Entry) -> Result<()> {
        let folder = PathBuf::from(&entry.path);
        if !folder.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(encoder_error(path, format!("module path `{}` leaves the model directory", entry.path)));
        }
        match entry.module() {
            "Transformer" => self.transformer = folder,
            "Pooling" => self.pooling = read_pooling(&dir.join(folder).join("config.json"))?,
            // Of the pooled vector; token matrices hold the raw one, and every rule takes cosines of it.
            "Normalize" => {}
            other => {
                let problem = format!("module `{other}` is not supported; Transformer, Pooling and Normalize are");
                return Err(encoder_error(path, problem));
            }
        }
        Ok(())
    }
}

impl Entry {
    /// The class without the Python modules it lives in, which have moved between versions.
    fn module(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or(&self.kind)
    }
}

fn max_seq_length(path: &Path) -> Result<Option<usize>> {
    if !path.is_file() {
        return Ok(None);
    }
    let settings: TransformerSettings = read_json(path)?;
    match settings.max_seq_length {
        Some(0) => Err(encoder_error(path, "max_seq_length: expected at least 1, found 0")),
        length => Ok(length),
    }
}

fn read_pooling(path: &Path) -> Result<Pooling> {
    let settings: PoolingSettings = read_json(path)?;
    let modes = match settings.pooling_mode {
        Some(mode) => vec![mode],
        None => {
            let on = settings.flags.iter().filter(|(_, on)| **on == serde_json::Value::Bool(true));
            on.filter_map(|(flag, _)| flag.strip_prefix("pooling_mode_")).map(str::to_string).collect()
        }
    };
    match modes.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        other => {
            let problem = format!("pooling `{}` is not supported; mean and cls are", other.join(" + "));
            Err(encoder_error(path, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(modules: &str, pooling: &str) -> (tempfile::TempDir, Result<Modules>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("modules.json"), modules).unwrap();
        std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
        std::fs::write(dir.path().join("1_Pooling/config.json"), pooling).unwrap();
        let read = Modules::read(dir.path());
        (dir, read)
    }

    const USUAL: &str = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;

    #[test]
    fn both_spellings_of_the_pooling_mode_are_read() {
        let pooling = |config: &str| model(USUAL, config).1.map(|m| m.pooling);
        assert_eq!(pooling(r#"{"pooling_mode_mean_tokens":true}"#).unwrap(), Pooling::Mean);
        assert_eq!(
            pooling(r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false,"include_prompt":true}"#)
                .unwrap(),
            Pooling::Cls
        );
        assert_eq!(pooling(r#"{"pooling_mode":"cls"}"#).unwrap(), Pooling::Cls);
        for bad in [r#"{"pooling_mode_max_tokens":true}"#, "{}", r#"{"pooling_mode":"lasttoken"}"#, "[]"] {
            assert!(pooling(bad).is_err(), "{bad}");
        }
        let two = pooling(r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true}"#).unwrap_err();
        assert!(two.to_string().contains("cls_token + mean_tokens"), "{two}");
    }

    #[test]
    fn unknown_modules_and_paths_outside_are_refused_by_name() {
        let dense = USUAL.replace("models.Pooling", "models.Dense");
        assert!(model(&dense, "{}").1.unwrap_err().to_string().contains("`Dense`"));
        let outside = USUAL.replace("1_Pooling", "../1_Pooling");
        assert!(model(&outside, "{}").1.unwrap_err().to_string().contains("leaves"));
        assert!(model("[]", "{}").1.is_err());
    }

    #[test]
    fn a_plain_transformers_directory_is_mean_pooled() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Modules::read(dir.path()).unwrap(), Modules::default());
        std::fs::write(dir.path().join("sentence_bert_config.json"), r#"{"max_seq_length":256}"#).unwrap();
        assert_eq!(Modules::read(dir.path()).unwrap().max_seq_length, Some(256));
    }
}

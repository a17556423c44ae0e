//! A model directory to damage.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use workindex::{Encoder, Error};

pub const WORDS: &str = "embeddings.word_embeddings.weight";
pub const QUERY: &str = "encoder.layer.1.attention.self.query.weight";

/// A copy of the tiny checkpoint that a test may damage.
pub struct Model(pub tempfile::TempDir);

impl Model {
    pub fn new() -> Self {
        Self::of("tiny-bert")
    }

    /// A copy of a checkpoint in the fixtures.
    pub fn of(name: &str) -> Self {
        let model = Self(tempfile::tempdir().unwrap());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder").join(name);
        std::fs::create_dir(model.path("1_Pooling")).unwrap();
        for entry in std::fs::read_dir(&source).unwrap().flatten().filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), model.path(entry.file_name().to_str().unwrap())).unwrap();
        }
        std::fs::copy(source.join("1_Pooling/config.json"), model.path("1_Pooling/config.json")).unwrap();
        model
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn edit_json(&self, name: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut value = serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap();
        edit(&mut value);
        std::fs::write(self.path(name), value.to_string()).unwrap();
    }

    /// Rewrites the weights; `edit` gets name, type, shape and bytes of each tensor and returns what to write, if anything.
    pub fn edit_weights(
        &self,
        edit: impl Fn(&str, Dtype, Vec<usize>, Vec<u8>) -> Option<(String, Dtype, Vec<usize>, Vec<u8>)>,
    ) {
        let path = self.path("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let archive = SafeTensors::deserialize(&bytes).unwrap();
        let edited: Vec<_> = archive
            .iter()
            .filter_map(|(name, view)| edit(name, view.dtype(), view.shape().to_vec(), view.data().to_vec()))
            .collect();
        let views = edited
            .iter()
            .map(|(name, dtype, shape, data)| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
        std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
    }

    pub fn open(&self) -> Result<Encoder, Error> {
        Encoder::open(self.0.path())
    }

    /// The error of opening, which must be about the model and mention all of `mentions`.
    pub fn refused(&self, mentions: &[&str]) {
        let error = self.open().unwrap_err();
        assert!(matches!(error, Error::Encoder { .. } | Error::Tensor { .. }), "{error:?}");
        let text = error.to_string();
        mentions.iter().for_each(|mention| assert!(text.contains(mention), "`{mention}` not in: {text}"));
    }
}

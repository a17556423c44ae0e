//! Token matrices and indexes kept below `target/`, so that a text is encoded once for all runs.

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use workindex::{Encoder, Monitor, TokenMatrix};

/// A folder for one encoder; files in it are named by a hash of the texts they were made of.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    pub fn new(encoder: &Encoder) -> Self {
        let fingerprint = encoder.fingerprint().to_string();
        let name = fingerprint.get(..16).unwrap_or(&fingerprint);
        Self { root: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-scan").join(name) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path for something made of these texts.
    pub fn path(&self, folder: &str, texts: &[String], extension: &str) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        for text in texts {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        let name = hasher.finalize().to_hex();
        self.root.join(folder).join(format!("{}-{}.{extension}", texts.len(), &name[..16]))
    }

    /// The file with the token matrices of these texts, in the form that [`workindex::read_matrices`] reads; encodes them
    /// when it is not there.
    pub fn encode(&self, folder: &str, encoder: &Encoder, texts: &[String]) -> PathBuf {
        let path = self.path(folder, texts, "safetensors");
        if !path.is_file() {
            let encoded = encoder.encode_batch(texts, &Monitor::silent()).expect("encodable texts");
            write(&path, &encoded.into_iter().map(|encoded| encoded.matrix).collect::<Vec<_>>());
        }
        path
    }
}

/// Writes beside the path and renames, so that a file which is there is whole.
fn write(path: &Path, matrices: &[TokenMatrix]) {
    let ends = matrices.iter().scan(0i64, |end, matrix| {
        *end += matrix.n_tokens() as i64;
        Some(*end)
    });
    let offsets: Vec<u8> = std::iter::once(0).chain(ends).flat_map(i64::to_le_bytes).collect();
    let rows: Vec<u8> = matrices.iter().flat_map(|m| m.values()).flat_map(|value| value.to_le_bytes()).collect();
    let dim = matrices[0].dim();
    let tokens = TensorView::new(Dtype::F32, vec![rows.len() / dim / 4, dim], &rows).expect("rows of dim values");
    let offsets = TensorView::new(Dtype::I64, vec![matrices.len() + 1], &offsets).expect("one offset more than texts");
    std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a folder");
    let unfinished = path.with_extension("unfinished");
    safetensors::serialize_to_file([("tokens", tokens), ("offsets", offsets)], None, &unfinished)
        .expect("a written file");
    std::fs::rename(&unfinished, path).expect("a renamed file");
}

//! A random model of the size of MPNet-base, which is that of UWE, JobBERT-v2 and ConTeXT-Match.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};

const DIM: usize = 768;
const WIDE: usize = 3072;
const LAYERS: usize = 12;
const POSITIONS: usize = 514;
/// That of the tokenizer that is borrowed; the size of the vocabulary plays no part in the time a text takes.
const VOCABULARY: usize = 300;

/// Writes the model below `target/`, unless an earlier run has, and returns its folder.
pub fn mpnet_base() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (tiny, dir) = (root.join("fixtures/encoder/tiny-mpnet"), root.join("target/bench-mpnet-base"));
    if dir.join("model.safetensors").is_file() {
        return dir;
    }
    std::fs::create_dir_all(&dir).expect("a folder below target/");
    std::fs::copy(tiny.join("tokenizer.json"), dir.join("tokenizer.json")).expect("a tokenizer");
    let config = std::fs::read(tiny.join("config.json")).expect("a configuration");
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    for (field, size) in [
        ("hidden_size", DIM),
        ("intermediate_size", WIDE),
        ("num_hidden_layers", LAYERS),
        ("num_attention_heads", 12),
        ("max_position_embeddings", POSITIONS),
    ] {
        config[field] = size.into();
    }
    std::fs::write(dir.join("config.json"), config.to_string()).expect("a written configuration");
    let part = dir.join("model.part");
    safetensors::serialize_to_file(tensors(), None, &part).expect("written weights");
    std::fs::rename(part, dir.join("model.safetensors")).expect("a finished model");
    dir
}

struct Random {
    shape: Vec<usize>,
    seed: u32,
}

impl View for Random {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut state = self.seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state as f32 / u32::MAX as f32 - 0.5) * 0.07
        };
        (0..self.shape.iter().product::<usize>()).flat_map(|_| next().to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * 4
    }
}

fn tensors() -> Vec<(String, Random)> {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![VOCABULARY, DIM]),
        ("embeddings.position_embeddings.weight".into(), vec![POSITIONS, DIM]),
        ("encoder.relative_attention_bias.weight".into(), vec![32, 12]),
    ];
    let mut affine = |name: String, shape: Vec<usize>| {
        shapes.push((format!("{name}.bias"), vec![shape[0]]));
        shapes.push((format!("{name}.weight"), shape));
    };
    affine("embeddings.LayerNorm".into(), vec![DIM]);
    for layer in 0..LAYERS {
        for part in ["q", "k", "v", "o"] {
            affine(format!("encoder.layer.{layer}.attention.attn.{part}"), vec![DIM, DIM]);
        }
        affine(format!("encoder.layer.{layer}.attention.LayerNorm"), vec![DIM]);
        affine(format!("encoder.layer.{layer}.intermediate.dense"), vec![WIDE, DIM]);
        affine(format!("encoder.layer.{layer}.output.dense"), vec![DIM, WIDE]);
        affine(format!("encoder.layer.{layer}.output.LayerNorm"), vec![DIM]);
    }
    (1..).zip(shapes).map(|(seed, (name, shape))| (name, Random { shape, seed })).collect()
}

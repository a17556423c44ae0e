//! Damaged, contradictory and hostile model directories and texts end in typed errors that name what is wrong; never in a
//! panic.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use workindex::{Encoder, EncoderSettings, Error, Monitor};

const WORDS: &str = "embeddings.word_embeddings.weight";
const QUERY: &str = "encoder.layer.1.attention.self.query.weight";

/// A copy of the tiny checkpoint that a test may damage.
struct Model(tempfile::TempDir);

impl Model {
    fn new() -> Self {
        let model = Self(tempfile::tempdir().unwrap());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert");
        std::fs::create_dir(model.path("1_Pooling")).unwrap();
        for entry in std::fs::read_dir(&source).unwrap().flatten().filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), model.path(entry.file_name().to_str().unwrap())).unwrap();
        }
        std::fs::copy(source.join("1_Pooling/config.json"), model.path("1_Pooling/config.json")).unwrap();
        model
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn edit_json(&self, name: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut value = serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap();
        edit(&mut value);
        std::fs::write(self.path(name), value.to_string()).unwrap();
    }

    /// Rewrites the weights; `edit` gets name, type, shape and bytes of each tensor and returns what to write, if anything.
    fn edit_weights(
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

    fn open(&self) -> Result<Encoder, Error> {
        Encoder::open(self.0.path())
    }

    /// The error of opening, which must be about the model and mention all of `mentions`.
    fn refused(&self, mentions: &[&str]) {
        let error = self.open().unwrap_err();
        assert!(matches!(error, Error::Encoder { .. } | Error::Tensor { .. }), "{error:?}");
        let text = error.to_string();
        mentions.iter().for_each(|mention| assert!(text.contains(mention), "`{mention}` not in: {text}"));
    }
}

#[test]
fn damaged_weight_files() {
    let whole = std::fs::read(Model::new().path("model.safetensors")).unwrap();
    let with_length = |n: u64| [&n.to_le_bytes(), &whole[8..]].concat();
    let damaged: Vec<Vec<u8>> = vec![
        vec![],
        whole[..7].to_vec(),
        whole[..100].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [whole.clone(), vec![0; 16]].concat(),
        with_length(u64::MAX),
        with_length(whole.len() as u64 * 2),
        with_length(99_000_000),
        with_length(3),
        vec![0xff; 4096],
    ];
    for bytes in damaged {
        let model = Model::new();
        std::fs::write(model.path("model.safetensors"), bytes).unwrap();
        model.refused(&["model.safetensors"]);
    }
}

#[test]
fn every_damaged_byte_of_the_header_is_an_error_or_harmless() {
    let model = Model::new();
    let whole = std::fs::read(model.path("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize + 8;
    for at in (0..header).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        std::fs::write(model.path("model.safetensors"), bytes).unwrap();
        if let Err(error) = model.open() {
            assert!(matches!(error, Error::Encoder { .. } | Error::Tensor { .. }), "byte {at}: {error:?}");
        }
    }
}

#[test]
fn missing_misshaped_and_mistyped_tensors() {
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| (name != QUERY).then(|| (name.to_string(), dtype, shape, data)));
    model.refused(&[QUERY, "[32, 32]", "none of that name"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), dtype, vec![16, 64], data)),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    model.refused(&[QUERY, "[32, 32]", "[16, 64]"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| match name {
        QUERY => Some((name.to_string(), Dtype::I32, shape, data)),
        _ => Some((name.to_string(), dtype, shape, data)),
    });
    model.refused(&[QUERY, "I32"]);

    let model = Model::new();
    model.edit_weights(|name, dtype, shape, mut data| {
        if name == QUERY {
            data[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        Some((name.to_string(), dtype, shape, data))
    });
    model.refused(&[QUERY, "not finite"]);
}

#[test]
fn a_prefix_and_sixteen_bit_weights_are_read() {
    let expected = Model::new().open().unwrap().encode("data engineer").unwrap();
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| Some((format!("bert.{name}"), dtype, shape, data)));
    assert_eq!(model.open().unwrap().encode("data engineer").unwrap(), expected);

    let model = Model::new();
    // The upper half of an f32 is a bf16.
    let halve = |data: Vec<u8>| data.chunks_exact(4).flat_map(|b| [b[2], b[3]]).collect();
    model.edit_weights(|name, _, shape, data| Some((name.to_string(), Dtype::BF16, shape, halve(data))));
    let rough = model.open().unwrap().encode("data engineer").unwrap();
    let diff = rough.matrix.values().iter().zip(expected.matrix.values()).map(|(a, b)| (a - b).abs());
    let diff = diff.fold(0.0, f32::max);
    assert!(diff > 0.0 && diff < 0.2, "{diff}");
}

#[test]
fn nonsense_in_config_json() {
    let cases: [(&str, serde_json::Value, &[&str]); 13] = [
        ("num_attention_heads", 0.into(), &["num_attention_heads"]),
        ("num_attention_heads", 5.into(), &["not divisible"]),
        ("hidden_size", 0.into(), &["hidden_size"]),
        ("hidden_size", 64.into(), &["tensor", "[500, 64]", "[500, 32]"]),
        ("hidden_size", "many".into(), &["config.json"]),
        ("num_hidden_layers", 3.into(), &["encoder.layer.2."]),
        ("num_hidden_layers", u64::MAX.into(), &["num_hidden_layers"]),
        ("max_position_embeddings", (1u64 << 40).into(), &["max_position_embeddings"]),
        ("max_position_embeddings", 1_000_000.into(), &["position_embeddings", "[1000000, 32]"]),
        ("vocab_size", 0.into(), &["vocab_size"]),
        ("vocab_size", 30_522.into(), &[WORDS, "[30522, 32]"]),
        ("model_type", "xlm-roberta".into(), &["xlm-roberta", "bert"]),
        ("hidden_act", "swish".into(), &["swish"]),
    ];
    for (field, value, mentions) in cases {
        let model = Model::new();
        model.edit_json("config.json", |config| config[field] = value);
        model.refused(mentions);
    }
    for text in ["", "{", "[]", "null", "{\"model_type\":\"bert\"}", "\u{0}"] {
        let model = Model::new();
        std::fs::write(model.path("config.json"), text).unwrap();
        model.refused(&["config.json"]);
    }
}

#[test]
fn missing_and_garbage_files() {
    for name in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        let model = Model::new();
        std::fs::remove_file(model.path(name)).unwrap();
        model.refused(&[]);
        for garbage in [&b"\xff\xfe garbage"[..], b"{}", b"[[[[", b"{\"version\":\"1.0\",\"model\":{}}"] {
            std::fs::write(model.path(name), garbage).unwrap();
            model.refused(&[name]);
        }
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Encoder::open(empty.path()), Err(Error::Encoder { .. })));
    assert!(Encoder::open(&empty.path().join("nowhere")).is_err());
}

#[test]
fn layouts_that_are_not_supported_are_told_apart() {
    let model = Model::new();
    std::fs::remove_file(model.path("model.safetensors")).unwrap();
    std::fs::write(model.path("model.safetensors.index.json"), "{}").unwrap();
    model.refused(&["split over several files"]);

    let model = Model::new();
    std::fs::rename(model.path("model.safetensors"), model.path("pytorch_model.bin")).unwrap();
    model.refused(&["pytorch_model.bin"]);

    let model = Model::new();
    model.edit_json("modules.json", |modules| modules[2]["type"] = "sentence_transformers.models.LSTM".into());
    model.refused(&["modules.json", "LSTM"]);

    let model = Model::new();
    model.edit_json("modules.json", |modules| modules[1]["path"] = "/etc".into());
    model.refused(&["/etc"]);
}

#[test]
fn a_tokenizer_with_more_tokens_than_the_model() {
    let model = Model::new();
    model.edit_json("tokenizer.json", |tokenizer| tokenizer["model"]["vocab"]["data"] = 5000.into());
    let encoder = model.open().unwrap();
    assert!(encoder.encode("engineer").is_ok());
    let error = encoder.encode("data engineer").unwrap_err();
    assert!(error.to_string().contains("5000"), "{error}");
    assert!(encoder.encode_batch(&["engineer", "data"], &Monitor::silent()).is_err());
}

#[test]
fn weights_that_overflow_are_an_error_of_the_matrix() {
    let model = Model::new();
    model.edit_weights(|name, dtype, shape, data| {
        let huge = f32::MAX.to_le_bytes();
        let data = if name == WORDS { data.chunks_exact(4).flat_map(|_| huge).collect() } else { data };
        Some((name.to_string(), dtype, shape, data))
    });
    assert!(matches!(model.open().unwrap().encode("data"), Err(Error::Matrix { .. })));
}

#[test]
fn settings_out_of_range() {
    let model = Model::new();
    for max_tokens in [0, 1, 2, 97, usize::MAX] {
        let settings = EncoderSettings { max_tokens, special_tokens: false };
        let error = Encoder::open_with(model.0.path(), settings).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { option: "max_tokens", .. }), "{max_tokens}: {error:?}");
    }
    let least = EncoderSettings { max_tokens: 3, special_tokens: false };
    let encoded = Encoder::open_with(model.0.path(), least).unwrap().encode("data engineer").unwrap();
    assert_eq!((encoded.matrix.n_tokens(), encoded.truncated), (1, true));
}

#[test]
fn texts_of_megabytes_do_not_take_forever() {
    let encoder = Model::new().open().unwrap();
    let texts = ["data engineer ".repeat(1 << 20), "数据".repeat(1 << 20), "a".repeat(8 << 20), " ".repeat(8 << 20)];
    for text in &texts {
        let start = Instant::now();
        let encoded = encoder.encode(text).unwrap();
        let elapsed = start.elapsed();
        assert!(encoded.truncated, "{:?}", &text[..2]);
        assert!(encoded.matrix.n_tokens() <= 64);
        // Generous: the point is that it does not grow with the text, and other work may run beside the tests.
        assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    }
}

#[test]
fn every_kind_of_text_has_a_row() {
    let encoder = Model::new().open().unwrap();
    let texts =
        ["", " ", "\u{0}", "\u{200b}\u{feff}", "\u{fffd}", "\u{10ffff}", "\u{1f469}\u{200d}\u{1f3ed}", "ﷺ", "\r\n"];
    for text in texts {
        let encoded = encoder.encode(text).unwrap();
        assert!(encoded.matrix.n_tokens() >= 1, "{text:?}");
        if encoded.content_tokens == 0 {
            assert_eq!(encoded.matrix.n_tokens(), 2, "{text:?}");
        } else {
            assert_eq!(encoded.matrix.n_tokens(), encoded.content_tokens, "{text:?}");
        }
    }
}

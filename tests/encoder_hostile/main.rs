//! Damaged, contradictory and hostile model directories and texts end in typed errors that name what is wrong; never in a
//! panic, and in bounded time and memory.

mod random;
mod shards;
mod support;
mod tokenizer;
mod weights;

use std::time::{Duration, Instant};

use workindex::{Encoder, EncoderSettings, Error};

use support::{Model, WORDS};

#[test]
fn nonsense_in_config_json() {
    let cases: [(&str, serde_json::Value, &[&str]); 16] = [
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
        ("model_type", "t5".into(), &["model_type", "t5", "`bert`", "`modernbert`"]),
        ("model_type", "mpnet".into(), &["encoder.relative_attention_bias.weight", "[32, 4]"]),
        ("model_type", "distilbert".into(), &["dim"]),
        ("model_type", "modernbert".into(), &["embeddings.tok_embeddings.weight"]),
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
    model.refused(&["model.safetensors.index.json", "weight_map"]);

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
fn settings_out_of_range() {
    let model = Model::new();
    for max_tokens in [0, 1, 2, 97, usize::MAX] {
        let settings = EncoderSettings { max_tokens, special_tokens: false, ..EncoderSettings::default() };
        let error = Encoder::open_with(model.0.path(), settings).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { option: "max_tokens", .. }), "{max_tokens}: {error:?}");
    }
    let least = EncoderSettings { max_tokens: 3, special_tokens: false, ..EncoderSettings::default() };
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

#[cfg(unix)]
#[test]
fn pipes_folders_and_links_to_nowhere_are_refused_without_waiting() {
    for name in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        let start = Instant::now();
        for make in [
            |path: &std::path::Path| std::fs::create_dir(path).is_ok(),
            |path: &std::path::Path| {
                std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
            },
            |path: &std::path::Path| std::os::unix::fs::symlink("nowhere", path).is_ok(),
            |path: &std::path::Path| std::os::unix::fs::symlink(path, path).is_ok(),
        ] {
            let model = Model::new();
            std::fs::remove_file(model.path(name)).unwrap();
            if make(&model.path(name)) {
                assert!(matches!(model.open(), Err(Error::Encoder { .. } | Error::Io { .. })), "{name}");
            }
        }
        assert!(start.elapsed() < Duration::from_secs(20));
        // A link to the file is the file, as in the cache of the model hub.
        let model = Model::new();
        std::fs::rename(model.path(name), model.path("blob")).unwrap();
        std::os::unix::fs::symlink(model.path("blob"), model.path(name)).unwrap();
        assert!(model.open().is_ok(), "{name}");
    }
}

#[test]
fn files_of_absurd_length_are_refused_unread() {
    for name in ["config.json", "tokenizer.json", "1_Pooling/config.json", "modules.json"] {
        let model = Model::new();
        let file = std::fs::OpenOptions::new().write(true).open(model.path(name)).unwrap();
        file.set_len(300 << 20).unwrap();
        model.refused(&[name, "bytes; at most"]);
    }
}

/// ModernBERT has no table of positions whose size a file would have to back.
#[test]
fn more_tokens_than_any_model_takes() {
    let model = Model::of("tiny-modernbert");
    model.edit_json("config.json", |config| config["max_position_embeddings"] = (1 << 20).into());
    model.edit_json("sentence_bert_config.json", |config| config["max_seq_length"] = (1 << 20).into());
    assert!(model.open().unwrap().encode("data engineer").is_ok());
    std::fs::write(model.path("workindex.json"), r#"{"max_tokens":1048576}"#).unwrap();
    let error = model.open().unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "max_tokens", .. }), "{error:?}");
}

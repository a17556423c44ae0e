//! Files named tokenizer.json that are huge, contradict themselves, or would make a text grow without bound.

use serde_json::{Value, json};
use workindex::{Encoder, Error, Monitor};

use crate::support::Model;

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

/// Opens the tiny checkpoint with its tokenizer.json edited, and encodes some texts.
fn with_tokenizer(edit: impl FnOnce(&mut Value)) -> Result<(), Error> {
    let model = Model::new();
    model.edit_json("tokenizer.json", edit);
    let encoder = model.open()?;
    for text in ["", "data engineer", "数据 \u{200d}\u{1f469}", "aaaa  bbbb", "[CLS] x [SEP]"] {
        encoder.encode(text)?;
        encoder.tokens(text)?;
    }
    encoder.encode(&"data \u{e9} ".repeat(1 << 16)).map(drop)
}

#[track_caller]
fn refused(edit: impl FnOnce(&mut Value), mentions: &[&str]) {
    let error = with_tokenizer(edit).unwrap_err();
    assert!(matches!(error, Error::Encoder { .. }), "{error:?}");
    let text = error.to_string();
    mentions.iter().for_each(|mention| assert!(text.contains(mention), "`{mention}` not in: {text}"));
}

/// A normalizer that replaces a pattern.
fn replace(pattern: Value, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": pattern, "content": content })
}

#[test]
fn what_makes_the_tokenizers_library_panic_is_an_error() {
    refused(
        |t| t["normalizer"] = json!({ "type": "Precompiled", "precompiled_charsmap": "AAAA" }),
        &["tokenizer.json", "contradicts itself"],
    );
    refused(
        |t| t["pre_tokenizer"] = json!({ "type": "FixedLength", "length": 0 }),
        &["tokenizer.json", "cannot tokenize", "contradicts itself"],
    );
}

#[test]
fn steps_that_multiply_a_text_are_refused() {
    let repeated = |t: &mut Value| {
        let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
        t["post_processor"]["single"].as_array_mut().unwrap().extend(vec![text; 1000]);
    };
    refused(repeated, &["tokenizer.json", "post_processor", "1001"]);
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    refused(
        |t| t["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": vec![byte_level; 40] }),
        &["tokenizer.json", "pre_tokenizer", "40"],
    );
}

#[test]
fn tokenizers_that_contradict_themselves() {
    refused(|t| t["model"]["unk_token"] = "[NONE]".into(), &["tokenizer.json"]);
    refused(|t| t["model"]["type"] = "Unigram".into(), &["tokenizer.json"]);
    refused(|t| t["model"]["vocab"] = json!([["a", -1.0]]), &["tokenizer.json"]);
    refused(|t| t["post_processor"]["special_tokens"] = json!({}), &["tokenizer.json"]);
    refused(|t| t["post_processor"]["special_tokens"]["[CLS]"]["ids"] = json!([4_294_967_295u32]), &["4294967295"]);
    refused(|t| t["model"] = json!({ "type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]] }), &["tokenizer.json"]);
    refused(|t| t["model"] = json!({ "type": "BPE", "vocab": { "a": 0 }, "merges": ["a b"] }), &["tokenizer.json"]);
    refused(|t| t["pre_tokenizer"] = json!({ "type": "Split", "pattern": { "Regex": "(" } }), &["tokenizer.json"]);
}

#[test]
fn tokenizers_without_bounds_or_at_random_are_refused() {
    let doubling = replace(json!({ "String": "a" }), "aa");
    refused(|t| t["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![doubling; 40] }), &["times longer"]);
    let anywhere = replace(json!({ "Regex": "" }), "a");
    refused(|t| t["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![anywhere; 40] }), &["times longer"]);
    refused(|t| t["normalizer"] = replace(json!({ "String": "a" }), &"a".repeat(1 << 20)), &["times longer"]);
    let bytes = json!({ "type": "ByteLevel" });
    refused(|t| t["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![bytes; 40] }), &["times longer"]);
    let lower = json!({ "type": "Lowercase" });
    refused(|t| t["normalizer"] = json!({ "type": "Sequence", "normalizers": vec![lower; 10_000] }), &["10000 steps"]);
    refused(|t| t["model"]["max_input_chars_per_word"] = (1u64 << 60).into(), &["max_input_chars_per_word"]);
    let random = json!({ "type": "BPE", "dropout": 0.5, "unk_token": "a", "vocab": { "a": 0 }, "merges": [] });
    refused(|t| t["model"] = random, &["dropout"]);
    // What published tokenizers do is within the bounds.
    let usual = [
        replace(json!({ "String": "``" }), "\""),
        replace(json!({ "String": "''" }), "\""),
        replace(json!({ "Regex": " {2,}" }), " "),
        json!({ "type": "Prepend", "prepend": "▁" }),
        replace(json!({ "String": " " }), "▁"),
    ];
    with_tokenizer(|t| t["normalizer"] = json!({ "type": "Sequence", "normalizers": usual })).unwrap();
}

#[test]
fn deep_and_long_files_end_in_time() {
    let start = std::time::Instant::now();
    for depth in [20, 60, 120, 100_000] {
        for innermost in ["{\"type\":\"Lowercase\"}", "{\"type\":\"Unheard\"}", "{}"] {
            for open in ["{\"type\":\"Sequence\",\"normalizers\":[", "{\"normalizers\":["] {
                let model = Model::new();
                let normalizer = format!("{}{innermost}{}", open.repeat(depth), "]}".repeat(depth));
                let text = std::fs::read_to_string(model.path("tokenizer.json")).unwrap();
                let usual = serde_json::from_str::<Value>(&text).unwrap()["normalizer"].to_string();
                let text = serde_json::from_str::<Value>(&text).unwrap().to_string().replace(&usual, &normalizer);
                assert!(text.contains(innermost));
                std::fs::write(model.path("tokenizer.json"), text).unwrap();
                assert!(matches!(model.open(), Ok(_) | Err(Error::Encoder { .. })), "{depth} {innermost}");
            }
        }
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn settings_of_padding_and_truncation_are_never_in_force() {
    let absurd = json!({
        "strategy": { "Fixed": 1u64 << 60 }, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]",
    });
    with_tokenizer(|t| t["padding"] = absurd).unwrap();
    let short = json!({ "direction": "Left", "max_length": 1, "strategy": "LongestFirst", "stride": 0 });
    with_tokenizer(|t| t["truncation"] = short).unwrap();
    let model = Model::new();
    model.edit_json("tokenizer.json", |t| t["post_processor"] = Value::Null);
    let encoder: Encoder = model.open().unwrap();
    assert_eq!(encoder.encode("data engineer").unwrap().content_tokens, 3);
    let empty = encoder.encode("").unwrap_err();
    assert!(matches!(empty, Error::EmptyText { .. }), "{empty:?}");
}

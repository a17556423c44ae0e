//! What checkpoints carry beyond the transformer (layers, routes, prompts, the marks of PyLate) gives what
//! sentence-transformers and PyLate give, and what is wrong with it is refused by name.

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::{copy_folder, fixture};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Value, json};
use workindex::{Checkpoint, Encoded, Encoder, EncoderSettings, Error, Fingerprint, Monitor, Side};

const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    sides: HashMap<String, Vec<String>>,
}

fn golden() -> (Golden, HashMap<String, Vec<f32>>) {
    let golden = serde_json::from_slice(&std::fs::read(fixture("encoder/golden_modules.json")).unwrap()).unwrap();
    let bytes = std::fs::read(fixture("encoder/golden_modules.safetensors")).unwrap();
    let archive = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (golden, archive.iter().map(|(name, view)| (name.to_string(), values(view.data()))).collect())
}

fn tiny(name: &str) -> Encoder {
    Encoder::open(&fixture("encoder").join(name)).unwrap()
}

/// A copy of a checkpoint, to be changed.
fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&fixture("encoder").join(name), dir.path());
    dir
}

fn edit(dir: &Path, file: &str, edit: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn refused(dir: &Path, parts: &[&str]) {
    let error = Encoder::open(dir).unwrap_err();
    assert!(matches!(error, Error::Encoder { .. } | Error::Tensor { .. } | Error::InvalidOption { .. }), "{error:?}");
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

fn unit(row: &[f32]) -> Vec<f32> {
    let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    row.iter().map(|v| (f64::from(*v) / norm) as f32).collect()
}

fn max_abs_diff(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest difference between what `of` makes of the texts and the golden values of a side.
fn compare(model: &str, side: &str, of: impl Fn(&str) -> Vec<f32>) {
    let (golden, tensors) = golden();
    assert!(golden.sides[model].iter().any(|name| name == side));
    let diff = |(i, text): (usize, &String)| max_abs_diff(&of(text), &tensors[&format!("{model}/{side}/{i}")]);
    let diff = golden.texts.iter().enumerate().map(diff).fold(0.0, f32::max);
    eprintln!("{model}, {side}: largest difference {diff:e}");
    assert!(diff <= TOLERANCE, "{model}, {side}: {diff:e}");
}

/// The one row of an encoder with a head behind the pooling.
fn vector(encoded: &Encoded) -> Vec<f32> {
    assert_eq!(encoded.matrix.n_tokens(), 1);
    assert_eq!(encoded.matrix.values(), encoded.matrix.pooled());
    encoded.matrix.pooled().to_vec()
}

fn unit_rows(encoded: &Encoded) -> Vec<f32> {
    encoded.matrix.rows().flat_map(unit).collect()
}

#[test]
fn asymmetric_heads_equal_sentence_transformers() {
    let encoder = tiny("tiny-asym");
    let (anchor, positive) = (encoder.target_side("occupation"), encoder.target_side("skill"));
    assert_eq!((encoder.dim(), encoder.checkpoint().dim()), (24, 24));
    assert_eq!([encoder.query_side(None), encoder.query_side(Some("skill"))], [anchor, positive]);
    compare("tiny-asym", "anchor", |text| vector(&encoder.encode(text).unwrap()));
    compare("tiny-asym", "positive", |text| vector(&encoder.encode_on(text, positive).unwrap()));
}

#[test]
fn routes_equal_sentence_transformers() {
    let encoder = tiny("tiny-router");
    let document = encoder.target_side("occupation");
    assert_eq!(document, encoder.target_side("skill"));
    assert_eq!(encoder.query_side(Some("skill")), encoder.query_side(None));
    compare("tiny-router", "query", |text| vector(&encoder.encode(text).unwrap()));
    compare("tiny-router", "document", |text| unit(&vector(&encoder.encode_on(text, document).unwrap())));
}

#[test]
fn layers_behind_the_pooling_equal_sentence_transformers() {
    let encoder = tiny("tiny-dense");
    assert_eq!(encoder.query_side(None), encoder.target_side("skill"));
    assert_eq!(encoder.dim(), 16);
    compare("tiny-dense", "", |text| unit(&vector(&encoder.encode(text).unwrap())));
    let tokens = encoder.tokens("data engineer").unwrap();
    assert_eq!(tokens.iter().map(|token| (token.start, token.end)).collect::<Vec<_>>(), [(0, 13)]);
}

#[test]
fn prompts_equal_sentence_transformers() {
    let encoder = tiny("tiny-prompts");
    let sides = [("query", encoder.query_side(None)), ("document", encoder.target_side("skill"))];
    let included = copy("tiny-prompts");
    edit(included.path(), "1_Pooling/config.json", |pooling| pooling["include_prompt"] = true.into());
    let included = Encoder::open(included.path()).unwrap();
    for (name, side) in sides {
        compare("tiny-prompts", name, |text| encoder.encode_on(text, side).unwrap().matrix.pooled().to_vec());
        let rows = |text: &str| encoder.encode_on(text, side).unwrap().matrix.values().to_vec();
        compare("tiny-prompts", &format!("{name}.rows"), rows);
        let pooled = |text: &str| included.encode_on(text, side).unwrap().matrix.pooled().to_vec();
        compare("tiny-prompts", &format!("{name}.included"), pooled);
    }
    let encoded = encoder.encode("data engineer").unwrap();
    let tokens = encoder.tokens("data engineer").unwrap();
    assert_eq!((encoded.content_tokens, encoded.matrix.n_tokens()), (tokens.len(), tokens.len()));
    assert_eq!((tokens[0].start, tokens[tokens.len() - 1].end), (0, "data engineer".len()));
    assert_eq!(encoder.encode("").unwrap().content_tokens, 0);
}

#[test]
fn late_interaction_models_equal_pylate() {
    let encoder = tiny("tiny-colbert");
    assert_eq!(
        encoder.settings(),
        EncoderSettings { max_tokens: 40, special_tokens: true, ..EncoderSettings::default() }
    );
    assert_eq!(encoder.dim(), 16);
    let document = encoder.target_side("skill");
    compare("tiny-colbert", "query", |text| unit_rows(&encoder.encode(text).unwrap()));
    compare("tiny-colbert", "document", |text| unit_rows(&encoder.encode_on(text, document).unwrap()));
    for (golden, field, value) in
        [("query.attending", "attend_to_expansion_tokens", true), ("query.plain", "do_query_expansion", false)]
    {
        let dir = copy("tiny-colbert");
        edit(dir.path(), "config_sentence_transformers.json", |config| config[field] = value.into());
        let encoder = Encoder::open(dir.path()).unwrap();
        compare("tiny-colbert", golden, |text| unit_rows(&encoder.encode(text).unwrap()));
    }
}

#[test]
fn rows_of_late_interaction_models_have_their_tokens() {
    let encoder = tiny("tiny-colbert");
    let text = "C++ / Rust, (data)";
    for (side, expected) in [(encoder.query_side(None), "[Q] "), (encoder.target_side("skill"), "[D] ")] {
        let (tokens, encoded) = (encoder.tokens_on(text, side).unwrap(), encoder.encode_on(text, side).unwrap());
        assert_eq!(tokens.len(), encoded.matrix.n_tokens());
        assert_eq!((tokens[0].text.as_str(), tokens[1].text.as_str()), ("[CLS]", expected));
        let masks = tokens.iter().filter(|token| token.text == "[MASK]").count();
        let punctuation = tokens.iter().filter(|token| ["/", ",", "(", "+"].contains(&token.text.as_str())).count();
        assert_eq!((masks > 0, punctuation > 0), (expected == "[Q] ", expected == "[Q] "));
    }
    let without = EncoderSettings { special_tokens: false, ..encoder.settings() };
    let without = Encoder::open_with(&fixture("encoder/tiny-colbert"), without).unwrap();
    assert!(without.tokens(text).unwrap().iter().all(|token| !token.special));
}

#[test]
fn texts_on_a_side_are_the_same_together_and_alone() {
    let (golden, _) = golden();
    for name in golden.sides.keys() {
        let encoder = tiny(name);
        for side in [encoder.query_side(None), encoder.target_side("skill")] {
            let together = encoder.encode_batch_on(&golden.texts, side, &Monitor::silent()).unwrap();
            for (text, encoded) in golden.texts.iter().zip(&together) {
                let alone = encoder.encode_on(text, side).unwrap();
                assert!(max_abs_diff(alone.matrix.values(), encoded.matrix.values()) <= 1e-6, "{name}");
                assert!(max_abs_diff(alone.matrix.pooled(), encoded.matrix.pooled()) <= 1e-6, "{name}");
            }
        }
    }
}

#[test]
fn the_fingerprint_of_an_encoder_without_sides_is_what_it_was() {
    // Recomputed as index-format.md has it.
    let (encoder, mut files) = (tiny("tiny-bert"), blake3::Hasher::new_derive_key("workindex 2026 encoder files"));
    for file in encoder.checkpoint().files() {
        for text in [file.to_str().unwrap().as_bytes(), &std::fs::read(encoder.checkpoint().dir().join(file)).unwrap()]
        {
            files.update(&(text.len() as u64).to_le_bytes()).update(text);
        }
    }
    let mut settings = blake3::Hasher::new_derive_key("workindex 2026 encoder settings");
    settings.update(files.finalize().as_bytes()).update(&64u64.to_le_bytes()).update(&[0]);
    assert_eq!(encoder.fingerprint(), Fingerprint::from_bytes(*settings.finalize().as_bytes()));
    let sides: Vec<Side> = ["occupation", "skill", "activity"].map(|kind| encoder.target_side(kind)).into();
    assert!(sides.iter().all(|side| *side == encoder.query_side(None)));
}

#[test]
fn layers_that_do_not_fit_are_refused_by_name() {
    let dir = copy("tiny-dense");
    edit(dir.path(), "4_Dense/config.json", |config| config["in_features"] = 25.into());
    refused(dir.path(), &["4_Dense", "in_features is 25", "24 values"]);
    edit(dir.path(), "4_Dense/config.json", |config| config["in_features"] = 0.into());
    refused(dir.path(), &["4_Dense", "in_features"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "4_Dense/config.json", |config| config["out_features"] = 17.into());
    refused(dir.path(), &["4_Dense", "linear.weight", "[17, 24]", "[16, 24]"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "4_Dense/config.json", |config| config["bias"] = true.into());
    refused(dir.path(), &["4_Dense", "linear.bias"]);
    let dir = copy("tiny-dense");
    std::fs::remove_file(dir.path().join("3_Dense/model.safetensors")).unwrap();
    refused(dir.path(), &["3_Dense", "no model.safetensors"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "3_Dense/config.json", |config| config["activation_function"] = "torch.nn.modules.SiLU".into());
    refused(dir.path(), &["3_Dense", "`SiLU`"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "3_Dense/config.json", |config| config["dropout"] = 0.1.into());
    refused(dir.path(), &["3_Dense", "`dropout`"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "modules.json", |modules| modules[3]["type"] = "pylate.models.Dense.Dense".into());
    refused(dir.path(), &["modules.json", "pylate.models.Dense.Dense"]);
    let dir = copy("tiny-dense");
    edit(dir.path(), "modules.json", |modules| modules[3]["path"] = "../3_Dense".into());
    refused(dir.path(), &["modules.json", "../3_Dense"]);
    let dir = copy("tiny-colbert");
    edit(dir.path(), "2_Dense/config.json", |config| config["use_residual"] = true.into());
    refused(dir.path(), &["2_Dense", "residual.weight"]);
    edit(dir.path(), "modules.json", |modules| modules[2]["type"] = "sentence_transformers.models.Pooling".into());
    refused(dir.path(), &["modules.json", "Pooling"]);
}

#[test]
fn routes_that_do_not_fit_are_refused_by_name() {
    let config = "2_Asym/config.json";
    let positive = "139844_Dense";
    let dir = copy("tiny-asym");
    edit(dir.path(), &format!("2_Asym/{positive}/config.json"), |config| config["out_features"] = 23.into());
    refused(dir.path(), &["`positive`", "23"]);
    let dir = copy("tiny-asym");
    edit(dir.path(), config, |config| config["types"][positive] = "sentence_transformers.models.Transformer".into());
    refused(dir.path(), &[config, positive, "`Transformer`"]);
    let dir = copy("tiny-asym");
    edit(dir.path(), config, |config| config["structure"]["positive"] = json!(["../../x"]));
    refused(dir.path(), &[config, "../../x"]);
    edit(dir.path(), config, |config| config["types"]["../../x"] = "sentence_transformers.models.Dense".into());
    refused(dir.path(), &[config, "../../x", "leaves"]);
    edit(dir.path(), config, |config| config["structure"] = json!({}));
    refused(dir.path(), &[config, "structure"]);
    let dir = copy("tiny-asym");
    edit(dir.path(), config, |config| config["structure"] = json!({"title": [positive], "skill": ["139843_Dense"]}));
    refused(dir.path(), &["workindex.json", "skill, title"]);
    std::fs::write(dir.path().join("workindex.json"), r#"{"sides":{"query":"title","kinds":{"*":"skill"}}}"#).unwrap();
    let encoder = Encoder::open(dir.path()).unwrap();
    compare("tiny-asym", "positive", |text| vector(&encoder.encode(text).unwrap()));
    let dir = copy("tiny-router");
    edit(dir.path(), "modules.json", |modules| modules.as_array_mut().unwrap().swap(1, 2));
    refused(dir.path(), &["modules.json", "Router"]);
}

#[test]
fn marks_that_the_tokenizer_lacks_are_refused_by_name() {
    let dir = copy("tiny-colbert");
    edit(dir.path(), "config_sentence_transformers.json", |config| config["document_prefix"] = "[DOC]".into());
    refused(dir.path(), &["document_prefix", "[DOC]"]);
    edit(dir.path(), "config_sentence_transformers.json", |config| config["document_prefix"] = "".into());
    let encoder = Encoder::open(dir.path()).unwrap();
    let tokens = encoder.tokens_on("data", encoder.target_side("skill")).unwrap();
    assert_eq!(tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(), ["[CLS]", "data", "[SEP]"]);
    edit(dir.path(), "config_sentence_transformers.json", |config| config["query_length"] = 3.into());
    refused(dir.path(), &["max_tokens", "3"]);
    let dir = copy("tiny-prompts");
    edit(dir.path(), "config_sentence_transformers.json", |config| {
        config["prompts"]["query"] = "data ".repeat(70).into()
    });
    refused(dir.path(), &["max_tokens"]);
}

#[test]
fn a_sidecar_changes_settings_and_fingerprint() {
    let dir = copy("tiny-bert");
    let before = Checkpoint::open(dir.path()).unwrap();
    std::fs::write(dir.path().join("workindex.json"), r#"{"max_tokens": 12, "special_tokens": true}"#).unwrap();
    let encoder = Encoder::open(dir.path()).unwrap();
    assert_eq!(
        encoder.settings(),
        EncoderSettings { max_tokens: 12, special_tokens: true, ..EncoderSettings::default() }
    );
    assert_ne!(encoder.checkpoint().fingerprint(&encoder.settings()), before.fingerprint(&encoder.settings()));
    std::fs::write(dir.path().join("workindex.json"), r#"{"max_token": 12}"#).unwrap();
    refused(dir.path(), &["workindex.json", "`max_token`"]);
    std::fs::write(dir.path().join("workindex.json"), r#"{"sides": {"query": "anchor"}}"#).unwrap();
    refused(dir.path(), &["workindex.json", "sides.query", "anchor"]);
}

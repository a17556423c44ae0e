//! An encoder's output equals that of transformers and sentence-transformers, whatever else is encoded with a text and
//! on however many threads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use safetensors::SafeTensors;
use serde::Deserialize;
use workindex::{CancelToken, Encoded, Encoder, EncoderSettings, Error, Monitor, Pooling, Stage};

const TOLERANCE: f32 = 1e-5;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder")
}

fn tiny() -> Encoder {
    Encoder::open(&fixtures().join("tiny-bert")).unwrap()
}

/// The pretrained model, where there is one.
fn minilm() -> Option<PathBuf> {
    let dir = std::env::var_os("WORKINDEX_ENCODER").map(PathBuf::from).filter(|dir| dir.is_dir());
    if dir.is_none() {
        eprintln!("skipped: no data at WORKINDEX_ENCODER");
    }
    dir
}

#[derive(Deserialize)]
struct Golden {
    max_tokens: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    #[serde(default)]
    tokens: Vec<String>,
    #[serde(default)]
    special: Vec<u8>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    rows: Option<Vec<usize>>,
}

fn golden(name: &str) -> (Golden, HashMap<String, Vec<f32>>) {
    let golden = serde_json::from_slice(&std::fs::read(fixtures().join(format!("{name}.json"))).unwrap()).unwrap();
    let bytes = std::fs::read(fixtures().join(format!("{name}.safetensors"))).unwrap();
    let archive = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let tensors = archive.iter().map(|(name, view)| (name.to_string(), values(view.data()))).collect();
    (golden, tensors)
}

fn max_abs_diff(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn unit(v: &[f32]) -> Vec<f32> {
    let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    v.iter().map(|x| (f64::from(*x) / norm) as f32).collect()
}

#[test]
fn the_tiny_checkpoint_equals_transformers() {
    let (golden, tensors) = golden("golden");
    let dir = fixtures().join("tiny-bert");
    let settings =
        EncoderSettings { max_tokens: golden.max_tokens, special_tokens: true, ..EncoderSettings::default() };
    let (all_rows, default) = (Encoder::open_with(&dir, settings).unwrap(), Encoder::open(&dir).unwrap());
    let vocabulary: Vec<String> =
        std::fs::read_to_string(dir.join("vocab.txt")).unwrap().lines().map(str::to_string).collect();
    let (mut hidden_diff, mut pooled_diff) = (0.0f32, 0.0f32);
    for (i, case) in golden.cases.iter().enumerate() {
        let encoded = all_rows.encode(&case.text).unwrap();
        let tokens: Vec<String> = all_rows.tokens(&case.text).unwrap().into_iter().map(|t| t.text).collect();
        let expected: Vec<&str> = case.ids.iter().map(|&id| vocabulary[id as usize].as_str()).collect();
        assert_eq!(tokens, expected, "{:?}", case.text);
        assert_eq!(encoded.truncated, case.truncated, "{:?}", case.text);
        assert_eq!(encoded.content_tokens, case.special.iter().filter(|&&s| s == 0).count(), "{:?}", case.text);

        let hidden = &tensors[&format!("hidden.{i}")];
        hidden_diff = hidden_diff.max(max_abs_diff(encoded.matrix.values(), hidden));
        let pooled = unit(encoded.matrix.pooled());
        pooled_diff = pooled_diff.max(max_abs_diff(&pooled, &tensors[&format!("pooled.{i}")]));

        let rows: Vec<f32> = hidden
            .chunks_exact(32)
            .zip(&case.special)
            .filter(|(_, special)| **special == 0 || encoded.content_tokens == 0)
            .flat_map(|(row, _)| row.to_vec())
            .collect();
        let by_default = default.encode(&case.text).unwrap();
        assert!(max_abs_diff(by_default.matrix.values(), &rows) <= TOLERANCE, "{:?}", case.text);
        assert_eq!(by_default.matrix.pooled(), encoded.matrix.pooled());
    }
    eprintln!("tiny-bert: largest difference {hidden_diff:e} (hidden), {pooled_diff:e} (pooled)");
    assert!(hidden_diff <= TOLERANCE, "{hidden_diff:e}");
    assert!(pooled_diff <= TOLERANCE, "{pooled_diff:e}");
}

/// Every family but BERT, as config.json and the fixtures call it.
const FAMILIES: [&str; 5] = ["roberta", "xlm-roberta", "mpnet", "distilbert", "modernbert"];

#[test]
fn the_tiny_checkpoint_of_every_family_equals_transformers() {
    for family in FAMILIES {
        let (golden, tensors) = golden(&format!("golden_{family}"));
        let settings =
            EncoderSettings { max_tokens: golden.max_tokens, special_tokens: true, ..EncoderSettings::default() };
        let encoder = Encoder::open_with(&fixtures().join(format!("tiny-{family}")), settings).unwrap();
        let checkpoint = encoder.checkpoint();
        assert_eq!((checkpoint.family(), checkpoint.max_positions()), (family, 96));
        let (mut hidden_diff, mut pooled_diff) = (0.0f32, 0.0f32);
        for (i, case) in golden.cases.iter().enumerate() {
            let text = format!("{family} {:?}", case.text);
            let encoded = encoder.encode(&case.text).unwrap();
            let tokens = encoder.tokens(&case.text).unwrap();
            assert_eq!(
                tokens.iter().map(|token| &token.text).collect::<Vec<_>>(),
                Vec::from_iter(&case.tokens),
                "{text}"
            );
            let special: Vec<u8> = tokens.iter().map(|token| u8::from(token.special)).collect();
            assert_eq!((special, encoded.truncated), (case.special.clone(), case.truncated), "{text}");
            let hidden = &tensors[&format!("hidden.{i}")];
            hidden_diff = hidden_diff.max(max_abs_diff(encoded.matrix.values(), hidden));
            let pooled = unit(encoded.matrix.pooled());
            pooled_diff = pooled_diff.max(max_abs_diff(&pooled, &tensors[&format!("pooled.{i}")]));
        }
        assert!(golden.cases.iter().any(|case| case.truncated), "{family}");
        eprintln!("tiny-{family}: largest difference {hidden_diff:e} (hidden), {pooled_diff:e} (pooled)");
        assert!(hidden_diff <= TOLERANCE && pooled_diff <= TOLERANCE, "{family}: {hidden_diff:e}, {pooled_diff:e}");
    }
}

/// A copy of a tiny checkpoint that a test may change.
fn copy_of(family: &str) -> tempfile::TempDir {
    let (from, copy) =
        (Encoder::open(&fixtures().join(format!("tiny-{family}"))).unwrap(), tempfile::tempdir().unwrap());
    for file in from.checkpoint().files() {
        let to = copy.path().join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from.checkpoint().dir().join(file), to).unwrap();
    }
    copy
}

#[test]
fn all_positions_but_those_for_padding_can_be_used() {
    for family in FAMILIES {
        let copy = copy_of(family);
        std::fs::remove_file(copy.path().join("sentence_bert_config.json")).unwrap();
        let open = |max_tokens| {
            Encoder::open_with(
                copy.path(),
                EncoderSettings { max_tokens, special_tokens: true, ..EncoderSettings::default() },
            )
        };
        let encoded = open(96).unwrap().encode(&"data engineer ".repeat(90)).unwrap();
        assert_eq!((encoded.matrix.n_tokens(), encoded.truncated), (96, true), "{family}");
        assert!(matches!(open(97), Err(Error::InvalidOption { .. })), "{family}");
    }
}

#[test]
fn a_prefix_before_the_names_of_the_tensors_changes_nothing() {
    let prefixes = ["roberta.", "roberta.", "mpnet.", "distilbert.", "model."];
    for (family, prefix) in FAMILIES.into_iter().zip(prefixes) {
        let copy = copy_of(family);
        let path = copy.path().join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let archive = SafeTensors::deserialize(&bytes).unwrap();
        let renamed = archive.iter().map(|(name, view)| (format!("{prefix}{name}"), view));
        let renamed = safetensors::serialize(renamed, None).unwrap();
        let plain = Encoder::open(copy.path()).unwrap();
        // Replaced, not overwritten: the open encoder reads the old file.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, renamed).unwrap();
        let prefixed = Encoder::open(copy.path()).unwrap();
        assert_ne!(plain.fingerprint(), prefixed.fingerprint());
        let text = "Senior data engineer";
        assert_eq!(plain.encode(text).unwrap(), prefixed.encode(text).unwrap(), "{family}");
    }
}

#[test]
fn minilm_equals_transformers() {
    let Some(dir) = minilm() else { return };
    let (golden, tensors) = golden("golden_minilm");
    let settings =
        EncoderSettings { max_tokens: golden.max_tokens, special_tokens: true, ..EncoderSettings::default() };
    let encoder = Encoder::open_with(&dir, settings).unwrap();
    let mut diff = 0.0f32;
    for (i, case) in golden.cases.iter().enumerate() {
        let encoded = encoder.encode(&case.text).unwrap();
        assert_eq!(encoded.matrix.n_tokens(), case.ids.len(), "{:?}", case.text);
        let all: Vec<&[f32]> = encoded.matrix.rows().collect();
        let rows: Vec<f32> = case.rows.as_ref().unwrap().iter().flat_map(|&row| all[row].to_vec()).collect();
        diff = diff.max(max_abs_diff(&rows, &tensors[&format!("hidden.{i}")]));
    }
    eprintln!("MiniLM: largest difference {diff:e}");
    assert!(diff <= TOLERANCE, "{diff:e}");
}

/// Titles of many lengths, with duplicates, an empty one and one that is cut.
fn mixed_texts() -> Vec<String> {
    let words = ["data", "engineer", "nurse", "forklift", "Café", "数据", "welding", "(m/f/d)", "🔧", "and"];
    let text = |i: usize| (0..i * 7 % 12).map(|j| words[(i + j * j) % words.len()]).collect::<Vec<_>>().join(" ");
    (0..120).map(text).chain([words.join(" ").repeat(9), String::new()]).collect()
}

fn assert_alone_equals_together(encoder: &Encoder, name: &str) {
    let texts = mixed_texts();
    let together = encoder.encode_batch(&texts, &Monitor::silent()).unwrap();
    assert_eq!(together.len(), texts.len());
    let (mut diff, mut identical) = (0.0f32, 0);
    for (text, together) in texts.iter().zip(&together) {
        let alone = encoder.encode(text).unwrap();
        assert_eq!((alone.truncated, alone.content_tokens), (together.truncated, together.content_tokens));
        diff = diff.max(max_abs_diff(alone.matrix.values(), together.matrix.values()));
        identical += usize::from(alone == *together);
    }
    eprintln!(
        "{name}: alone against in a batch: largest difference {diff:e}, {identical} of {} identical",
        texts.len()
    );
    assert!(diff <= 1e-6, "{diff:e}");
}

#[test]
fn a_text_is_encoded_alike_alone_and_among_others() {
    assert_alone_equals_together(&tiny(), "tiny-bert");
    for family in FAMILIES {
        let name = format!("tiny-{family}");
        assert_alone_equals_together(&Encoder::open(&fixtures().join(&name)).unwrap(), &name);
    }
    if let Some(dir) = minilm() {
        assert_alone_equals_together(&Encoder::open(&dir).unwrap(), "MiniLM");
    }
}

fn on_threads(threads: usize, encoder: &Encoder, texts: &[String]) -> Vec<Encoded> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| encoder.encode_batch(texts, &Monitor::silent())).unwrap()
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let texts = mixed_texts();
    let encoders = std::iter::once(tiny()).chain(minilm().map(|dir| Encoder::open(&dir).unwrap()));
    for encoder in encoders {
        let one = on_threads(1, &encoder, &texts);
        assert_eq!(one, on_threads(2, &encoder, &texts));
        assert_eq!(one, on_threads(7, &encoder, &texts));
    }
}

#[test]
fn a_batch_reports_progress_that_never_falls_and_can_be_cancelled() {
    let encoder = tiny();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let monitor = Monitor::new(move |progress| log.lock().unwrap().push(progress), CancelToken::new());
    let texts = mixed_texts();
    encoder.encode_batch(&texts, &monitor).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted_by_key(|p| p.done));
    assert!(seen.iter().all(|p| p.stage == Stage::Encoding && p.total == Some(texts.len() as u64)));
    assert_eq!((seen[0].done, seen[seen.len() - 1].done), (0, texts.len() as u64));

    let cancel = CancelToken::new();
    let stop = cancel.clone();
    let monitor = Monitor::new(
        move |p| {
            if p.done > 0 {
                stop.cancel()
            }
        },
        cancel,
    );
    assert!(matches!(encoder.encode_batch(&texts, &monitor), Err(Error::Cancelled)));
    assert!(encoder.encode_batch::<&str>(&[], &Monitor::silent()).unwrap().is_empty());
}

#[test]
fn tokens_stand_beside_rows() {
    let dir = fixtures().join("tiny-bert");
    for special_tokens in [false, true] {
        let encoder =
            Encoder::open_with(&dir, EncoderSettings { max_tokens: 8, special_tokens, ..EncoderSettings::default() })
                .unwrap();
        for text in ["data engineer", "", "\u{0}\u{7}", "Café manager responsible for staff and purchasing"] {
            let (tokens, encoded) = (encoder.tokens(text).unwrap(), encoder.encode(text).unwrap());
            assert_eq!(tokens.len(), encoded.matrix.n_tokens(), "{text:?}");
            assert_eq!(tokens.iter().filter(|t| !t.special).count(), encoded.content_tokens, "{text:?}");
        }
    }
}

#[test]
fn the_facts_of_a_checkpoint_are_told() {
    let encoder = tiny();
    assert_eq!((encoder.dim(), encoder.name()), (32, "tiny-bert"));
    assert_eq!(
        encoder.settings(),
        EncoderSettings { max_tokens: 64, special_tokens: false, ..EncoderSettings::default() }
    );
    let checkpoint = encoder.checkpoint();
    assert_eq!(
        (checkpoint.pooling(), checkpoint.max_positions(), checkpoint.max_seq_length()),
        (Pooling::Mean, 96, Some(64))
    );
    let files: Vec<_> = checkpoint.files().iter().map(|file| file.to_str().unwrap().replace('\\', "/")).collect();
    let expected = [
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ];
    assert_eq!(files, expected);
}

#[test]
fn a_copy_of_the_files_is_the_same_encoder_and_settings_make_another() {
    let (original, copy) = (tiny(), tempfile::tempdir().unwrap());
    for file in original.checkpoint().files() {
        let to = copy.path().join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(original.checkpoint().dir().join(file), to).unwrap();
    }
    std::fs::write(copy.path().join("README.md"), "not part of the model").unwrap();
    assert_eq!(Encoder::open(copy.path()).unwrap().fingerprint(), original.fingerprint());
    // max_seq_length is 64: asking for more gets the same encoder, not one with another name for the same rows.
    let more = EncoderSettings { max_tokens: 90, special_tokens: false, ..EncoderSettings::default() };
    assert_eq!(Encoder::open_with(copy.path(), more).unwrap().fingerprint(), original.fingerprint());
    let less = EncoderSettings { max_tokens: 63, special_tokens: false, ..EncoderSettings::default() };
    assert_ne!(Encoder::open_with(copy.path(), less).unwrap().fingerprint(), original.fingerprint());
    std::fs::write(copy.path().join("1_Pooling/config.json"), r#"{"pooling_mode":"cls"}"#).unwrap();
    let cls = Encoder::open(copy.path()).unwrap();
    assert_ne!(cls.fingerprint(), original.fingerprint());
    let (a, b) = (cls.encode("data engineer").unwrap().matrix, original.encode("data engineer").unwrap().matrix);
    assert_eq!(a.values(), b.values());
    assert_ne!(a.pooled(), b.pooled());
}

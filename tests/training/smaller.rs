//! Smaller models made of a base: fewer layers and pieces, shorter rows, weights of 8 bits; and the base as their teacher.

use std::collections::BTreeSet;
use std::path::Path;

use workindex::train::{ModelShape, StoredWeights, TrainingConfig};
use workindex::{Encoder, Error, Precision, RankOptions, Rule, WorkIndex};

use crate::common::{fixture, ingest, mini_esco};
use crate::data_folder::data_folder;
use crate::support::{self, run_until};

const BASE: &str = "encoder/tiny-bert";

/// Few steps at a rate that a tiny model with random weights needs.
fn config(shape: &str, steps: u64, distillation: f32) -> TrainingConfig {
    let text = format!(
        "[data]\nsentences = \"\"\n[batch]\nskills = 24\npartners = 24\nsentences = 12\n[model]\n{shape}\n\
         [optimizer]\nsteps = {steps}\nlearning_rate = 3e-3\n[validation]\nevery = 0\nsets = [\"job-normalisation\"]\n\
         interpolation = [1.0]\n[objective]\ntemperature = 0.25\ndistillation = {distillation}"
    );
    let mut config = TrainingConfig::parse(&text, "test").unwrap();
    if distillation > 0.0 {
        config.graphs.iter_mut().for_each(|graph| graph.weight = 0.0);
    }
    config
}

/// Runs, and returns losses.
fn run(model: &str, out: &Path, config: &TrainingConfig) -> workindex::Result<Vec<f64>> {
    support::run(data_folder().path(), model, config, out)
}

/// The mean cosine of the rows of two encoders, of texts in which both find the same tokens.
fn likeness(one: &Encoder, other: &Encoder, texts: &[&str]) -> f64 {
    let unit = |encoder: &Encoder, text: &str| -> Vec<Vec<f64>> {
        let encoded = encoder.encode(text).unwrap().matrix;
        let rows = encoded.values().chunks_exact(encoder.dim());
        rows.map(|row| {
            let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            row.iter().map(|&x| f64::from(x) / length).collect()
        })
        .collect()
    };
    let mut cosines = Vec::new();
    for text in texts {
        let (a, b) = (unit(one, text), unit(other, text));
        assert_eq!(a.len(), b.len(), "{text}");
        cosines.extend(a.iter().zip(&b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>()));
    }
    cosines.iter().sum::<f64>() / cosines.len() as f64
}

const TEXTS: [&str; 4] = ["data engineer", "weld stainless steel", "teach mathematics", "manage a team of nurses"];

#[test]
fn a_student_learns_to_do_as_its_teacher_does() {
    let scratch = tempfile::tempdir().unwrap();
    let teacher = Encoder::open(&fixture(BASE)).unwrap();
    let opened = |name: &str, steps: u64| {
        let losses = run(BASE, &scratch.path().join(name), &config("layers = [1]", steps, 1.0)).unwrap();
        (losses, Encoder::open(&scratch.path().join(name).join("model")).unwrap())
    };
    let (_, untaught) = opened("untaught", 0);
    let (losses, taught) = opened("taught", 40);
    assert!(losses[39] < 0.3 * losses[0], "{losses:?}");
    let (before, after) = (likeness(&teacher, &untaught, &TEXTS), likeness(&teacher, &taught, &TEXTS));
    assert!(1.0 - after < 0.3 * (1.0 - before), "{before} {after}");
    // The distance is the mean of 1 − cosine over rows.
    assert!((0.0..=2.0).contains(&losses[0]) && taught.checkpoint().layers() == 1);
}

#[test]
fn a_smaller_vocabulary_has_pieces_for_every_word_and_the_most_frequent_whole() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    run(BASE, &out, &config("vocabulary = 120\nname = \"cut\"", 1, 0.0)).unwrap();
    let (base, cut) = (Encoder::open(&fixture(BASE)).unwrap(), Encoder::open(&out.join("model")).unwrap());
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("model/config.json")).unwrap()).unwrap();
    let vocabulary = std::fs::read_to_string(out.join("model/vocab.txt")).unwrap();
    let n = vocabulary.lines().count();
    assert_eq!(config["vocab_size"], n);
    assert_eq!(config["_name_or_path"], "cut");
    let pieces: BTreeSet<&str> = vocabulary.lines().collect();
    assert!(pieces.len() == n && pieces.contains("[CLS]") && pieces.contains("a") && pieces.contains("##a"));
    for text in ["data engineer", "xylophone", "nurse", "qualified welder"] {
        let spelled = |encoder: &Encoder| -> Vec<String> {
            encoder.tokens(text).unwrap().into_iter().map(|token| token.text).collect()
        };
        let joined = spelled(&cut).iter().map(|piece| piece.trim_start_matches("##")).collect::<String>();
        assert_eq!(joined, text.replace(' ', ""), "{:?}", spelled(&cut));
        assert!(spelled(&cut).len() >= spelled(&base).len());
        assert!(spelled(&cut).iter().all(|piece| pieces.contains(piece.as_str())));
    }
}

#[test]
fn rows_are_as_short_as_they_are_asked_to_be_and_begin_near_the_base_s() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let base = Encoder::open(&fixture(BASE)).unwrap();
    let dim = base.dim() / 2;
    run(BASE, &out, &config(&format!("dim = {dim}"), 0, 0.0)).unwrap();
    let short = Encoder::open(&out.join("model")).unwrap();
    assert_eq!(short.dim(), dim);
    // No marks, and no rows but those of the text.
    let spelled = |encoder: &Encoder| {
        encoder.tokens("data engineer").unwrap().into_iter().map(|token| token.text).collect::<Vec<_>>()
    };
    assert_eq!(spelled(&short), spelled(&base));
    // The principal axes keep what two texts have in common better than chance would.
    let cosine = |encoder: &Encoder, a: &str, b: &str| {
        let [a, b] = [a, b].map(|text| encoder.encode(text).unwrap().matrix.values()[..encoder.dim()].to_vec());
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    };
    for (a, b) in [("data engineer", "nurse"), ("welder", "teacher"), ("cook", "data")] {
        let (whole, part) = (cosine(&base, a, b), cosine(&short, a, b));
        assert!((whole - part).abs() < 0.15, "{a}, {b}: {whole} {part}");
    }
    let index = scratch.path().join("work.index");
    let mut writer = WorkIndex::create(&index, &short).unwrap();
    ingest(&mut writer, &mini_esco("1.1.0"));
    drop(writer);
    let space = WorkIndex::open(&index).unwrap().space("esco/skill/en").unwrap();
    assert_eq!(space.default_rule_for(None).unwrap(), Rule::soft(0.25));
    assert_eq!(space.rank("data engineer", &RankOptions::top(3)).unwrap().len(), 3);
}

#[test]
fn all_of_it_together_learns_and_survives_an_interruption() {
    let scratch = tempfile::tempdir().unwrap();
    let shape = "layers = [0]\nvocabulary = 150\ndim = 16\nweights = \"i8\"\nprecision = \"i8\"";
    let out = scratch.path().join("whole");
    let losses = run(BASE, &out, &config(shape, 40, 1.0)).unwrap();
    assert!(losses[39] < 0.7 * losses[0], "{losses:?}");
    let model = Encoder::open(&out.join("model")).unwrap();
    assert_eq!((model.dim(), model.checkpoint().layers()), (16, 1));
    assert_eq!(model.settings().precision, Precision::I8);
    let card = std::fs::read_to_string(out.join("model/README.md")).unwrap();
    for words in
        ["layers [0] of the base's 2", "pieces of its vocabulary", "rows of 16 values", "where the base's do", "8 bits"]
    {
        assert!(card.contains(words), "{words} in\n{card}");
    }

    // In two parts: the linear layer and its moments are in the state, too.
    let parts = scratch.path().join("parts");
    let (config, data) = (config(shape, 40, 1.0), data_folder());
    let (interrupted, _) = run_until(data.path(), BASE, &config, &parts, 20);
    assert!(matches!(interrupted, Err(Error::Cancelled)));
    support::run(data.path(), BASE, &config, &parts).unwrap();
    for file in ["model.safetensors", "1_Dense/model.safetensors", "tokenizer.json"] {
        let read = |out: &Path| std::fs::read(out.join("model").join(file)).unwrap();
        assert!(read(&out) == read(&parts), "{file}");
    }
}

#[test]
fn weights_of_eight_bits_are_a_quarter_and_nearly_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let opened = |weights: StoredWeights| {
        let out = scratch.path().join(format!("{weights:?}"));
        let mut config = config("", 2, 0.0);
        config.model = ModelShape { weights, ..ModelShape::default() };
        run(BASE, &out, &config).unwrap();
        let size = std::fs::metadata(out.join("model/model.safetensors")).unwrap().len();
        (Encoder::open(&out.join("model")).unwrap(), size)
    };
    let ((whole, long), (quantised, short)) = (opened(StoredWeights::F32), opened(StoredWeights::I8));
    assert!(short * 2 < long, "{short} of {long}");
    let likeness = likeness(&whole, &quantised, &TEXTS);
    assert!(likeness > 0.999 && likeness < 1.0 - 1e-9, "{likeness}");
}

#[test]
fn shapes_that_the_base_does_not_have_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let fails = |model: &str, shape: &str| {
        run(model, &scratch.path().join("out"), &config(shape, 1, 0.0)).unwrap_err().to_string()
    };
    assert!(fails(BASE, "layers = [0, 7]").contains("layers of the base, 0 to 1"));
    assert!(fails(BASE, "dim = 4096").contains("at most"));
    assert!(fails("encoder/tiny-roberta", "vocabulary = 100").contains("only WordPiece"));
}

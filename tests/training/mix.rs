//! Weighted means of models.

use std::path::{Path, PathBuf};

use workindex::train::{TrainingConfig, mix};
use workindex::{Checkpoint, Encoder, Error};

use crate::common::fixture;
use crate::data_folder::data_folder;
use crate::support::run;

const BASE: &str = "encoder/tiny-bert";

/// Twelve steps from the base; returns the model directory.
fn trained(out: &Path, seed: u32, share: f32, shape: &str) -> PathBuf {
    let text = format!(
        "[data]\nsentences = \"\"\n[batch]\nseed = {seed}\nskills = 24\npartners = 24\nsentences = 12\n[model]\n{shape}\n\
         [optimizer]\nsteps = 12\nlearning_rate = 2e-3\n[validation]\nevery = 0\nsets = [\"job-normalisation\"]\n\
         interpolation = [{share}]\n[objective]\ntemperature = 0.25"
    );
    let config = TrainingConfig::parse(&text, "test").unwrap();
    run(data_folder().path(), BASE, &config, out).unwrap();
    out.join("model")
}

fn mixed(parts: &[(&Path, f64)], out: &Path) -> workindex::Result<Encoder> {
    let parts: Vec<(Checkpoint, f64)> =
        parts.iter().map(|(dir, share)| (Checkpoint::open(dir).unwrap(), *share)).collect();
    mix(&parts, out)?;
    Encoder::open(out)
}

fn rows(encoder: &Encoder) -> Vec<f32> {
    encoder.encode("weld stainless steel in a shipyard").unwrap().matrix.values().to_vec()
}

/// The largest difference of two lists of rows, by the largest value.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let largest = one.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    one.iter().zip(other).fold(0.0f32, |apart, (x, y)| apart.max((x - y).abs())) / largest
}

#[test]
fn the_mean_of_a_model_and_its_base_is_the_model_that_a_run_makes_half_the_way() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let (whole, half) = (trained(&path("whole"), 1, 1.0, ""), trained(&path("half"), 1, 0.5, ""));
    let (base, expected) = (fixture(BASE), rows(&Encoder::open(&half).unwrap()));
    let encoder = mixed(&[(&whole, 0.5), (&base, 0.5)], &path("mean")).unwrap();
    assert!(apart(&rows(&encoder), &expected) < 1e-5);
    assert!(apart(&rows(&Encoder::open(&whole).unwrap()), &expected) > 1e-3);
    // And further: twice the half less the base is the whole.
    let encoder = mixed(&[(&half, 2.0), (&base, -1.0)], &path("further")).unwrap();
    assert!(apart(&rows(&encoder), &rows(&Encoder::open(&whole).unwrap())) < 1e-5);
    // What is no weight is the first model's.
    assert_eq!(encoder.checkpoint().default_settings(), Checkpoint::open(&half).unwrap().default_settings());
    let card = std::fs::read_to_string(path("further/README.md")).unwrap();
    let fingerprint = Encoder::open(&base).unwrap().fingerprint().to_string();
    assert!(card.contains("| -1 |") && card.contains(&fingerprint) && card.contains("held out"), "{card}");
    let sidecar = |dir: &Path| std::fs::read(dir.join("workindex.json")).unwrap();
    assert_eq!(sidecar(&path("further")), sidecar(&half));
}

#[test]
fn layers_behind_the_transformer_and_weights_of_eight_bits_are_mixed_too() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let shape = "dim = 16\nweights = \"i8\"";
    let models = [1, 2].map(|seed| trained(&path(&format!("seed{seed}")), seed, 1.0, shape));
    let one = Encoder::open(&models[0]).unwrap();
    let base = fixture(BASE);
    for parts in [[&models[0], &base], [&base, &models[0]]] {
        let said = mixed(&parts.map(|dir| (dir.as_path(), 0.5)), &path("none")).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("other layers behind the transformer"), "{said}");
    }
    // All of one and nothing of the other: the same numbers, now as f32.
    let same = mixed(&[(&models[0], 1.0), (&models[1], 0.0)], &path("same")).unwrap();
    assert_eq!(rows(&same), rows(&one));
    let mean = mixed(&[(&models[0], 0.5), (&models[1], 0.5)], &path("mean")).unwrap();
    let swapped = mixed(&[(&models[1], 0.5), (&models[0], 0.5)], &path("swapped")).unwrap();
    assert_eq!((mean.dim(), rows(&mean)), (16, rows(&swapped)));
    let other = rows(&Encoder::open(&models[1]).unwrap());
    let (to_one, to_other) = (apart(&rows(&mean), &rows(&one)), apart(&rows(&mean), &other));
    let between = apart(&rows(&one), &other);
    assert!(0.0 < to_one && to_one < between && to_other < between, "{to_one} {to_other} {between}");
}

#[test]
fn what_cannot_be_mixed_is_refused_and_nothing_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("mean");
    let [bert, mpnet, dense] =
        ["tiny-bert", "tiny-mpnet", "tiny-dense"].map(|name| fixture(&format!("encoder/{name}")));
    let refused = |parts: &[(&Path, f64)]| mixed(parts, &out).map(|_| ()).unwrap_err().to_string();
    for shares in [[0.5, 0.6], [f64::NAN, 1.0], [f64::INFINITY, f64::NEG_INFINITY], [0.0, 0.0]] {
        let said = refused(&[(&bert, shares[0]), (&bert, shares[1])]);
        assert!(said.contains("shares that sum to 1"), "{said}");
    }
    assert!(refused(&[(&bert, 1.0)]).contains("two models or more") && refused(&[]).contains("two models or more"));
    let said = refused(&[(&bert, 0.5), (&mpnet, 0.5)]);
    assert!(said.contains("architecture") && said.contains("tiny-mpnet"), "{said}");
    // The same transformer with layers behind it that the other lacks.
    refused(&[(&dense, 0.5), (&bert, 0.5)]);
    let other = scratch.path().join("other");
    copy(&bert, &other);
    let tokenizer = std::fs::read_to_string(other.join("tokenizer.json")).unwrap();
    std::fs::write(other.join("tokenizer.json"), format!("{tokenizer}\n")).unwrap();
    assert!(refused(&[(&bert, 0.5), (&other, 0.5)]).contains("tokenizer.json is not that of"));
    assert!(!out.exists());
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("mine"), "").unwrap();
    let full = mixed(&[(&bert, 0.5), (&bert, 0.5)], &out);
    assert!(matches!(full, Err(Error::AlreadyExists { .. })));
    // No folder of the attempts is left.
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = std::fs::copy(entry.path(), target).unwrap(),
        }
    }
}

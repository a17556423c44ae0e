//! Runs: losses fall, weights are the same after an interruption and at every thread count, and the model is read back.

use std::path::Path;

use workindex::train::{TrainingConfig, read_corpus};
use workindex::workbench::{Data, DataOptions};
use workindex::{Direction, Encoder, Error, Monitor, RankOptions, Rule, WorkIndex};

use crate::common::{fixture, ingest, mini_esco};
use crate::data_folder::data_folder;
use crate::support::{run, run_until};

/// A short run on the small ontologies.
fn config(steps: u64) -> TrainingConfig {
    let text = format!(
        "[data]\nonet = \"newest\"\nsentences = \"skill_extraction/skillskape_dev.csv\"\n[batch]\nskills = 24\npartners = 24\nsentences = 12\n\
         [optimizer]\nsteps = {steps}\nlearning_rate = 2e-3\n[validation]\nevery = 4\nsets = [\"job-normalisation\"]\n\
         interpolation = [0.5, 1.0]\n[objective]\ntemperature = 0.25"
    );
    TrainingConfig::parse(&text, "test").unwrap()
}

fn weights(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("model/model.safetensors")).unwrap()
}

#[test]
fn losses_fall_and_the_model_is_one_that_everything_reads() {
    let (data, out) = (data_folder(), tempfile::tempdir().unwrap());
    for model in ["encoder/tiny-bert", "encoder/tiny-mpnet"] {
        let out = out.path().join(model.replace('/', "-"));
        let (result, losses) = run_until(data.path(), model, &config(30), &out, u64::MAX);
        let best = result.unwrap();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&losses[25..]) < 0.88 * mean(&losses[..5]), "{model}: {losses:?}");
        assert!([0.5, 1.0].contains(&best.share) && best.sets.len() == 1);
        let encoder = Encoder::open(&out.join("model")).unwrap();
        let index = out.join("work.index");
        let mut writer = WorkIndex::create(&index, &encoder).unwrap();
        ingest(&mut writer, &mini_esco("1.1.0"));
        drop(writer);
        let space = WorkIndex::open(&index).unwrap().space("esco/skill/en").unwrap();
        // The rule that it was trained by, whatever the query.
        assert_eq!(
            space.default_rule_for(Some("sentence")).unwrap(),
            Rule { direction: Direction::Both, ..Rule::soft(0.25) }
        );
        assert_eq!(space.rank("data engineer", &RankOptions::top(3)).unwrap().len(), 3);
        let card = std::fs::read_to_string(out.join("model/README.md")).unwrap();
        for words in [
            "held out (Hash)",
            "esco 1.1.0 en, onet 29.0 en",
            "| job-normalisation |",
            "steps = 30",
            "European Commission",
            "O*NET Database",
        ] {
            assert!(card.contains(words), "{words} in\n{card}");
        }
    }
}

#[test]
fn an_interrupted_run_comes_to_the_same_weights() {
    let (data, scratch) = (data_folder(), tempfile::tempdir().unwrap());
    let (whole, parts) = (scratch.path().join("whole"), scratch.path().join("parts"));
    let config = config(9);
    run(data.path(), "encoder/tiny-bert", &config, &whole).unwrap();
    for until in [2, 3] {
        let (result, losses) = run_until(data.path(), "encoder/tiny-bert", &config, &parts, until);
        assert!(matches!(result, Err(Error::Cancelled)) && losses.len() as u64 == until);
        assert!(!parts.join("model").exists());
    }
    let (result, losses) = run_until(data.path(), "encoder/tiny-bert", &config, &parts, u64::MAX);
    assert!(result.is_ok() && losses.len() == 4);
    assert!(weights(&whole) == weights(&parts));
    let log = |out: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(out.join("log.json")).unwrap()).unwrap()
    };
    assert_eq!(log(&whole)["losses"], log(&parts)["losses"]);
    assert_eq!(log(&whole)["validations"], log(&parts)["validations"]);
    // Nothing of a validation is left behind, and a folder is for one run.
    let left: Vec<_> = std::fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    let result = run(data.path(), "encoder/tiny-bert", &self::config(10), &parts);
    assert!(matches!(result, Err(Error::InvalidOption { option: "out", .. })));
    std::fs::write(parts.join("state.safetensors"), b"damaged").unwrap();
    let result = run(data.path(), "encoder/tiny-bert", &config, &parts);
    assert!(matches!(result, Err(Error::Input { .. })));
}

#[test]
fn weights_do_not_depend_on_threads_or_on_what_is_kept() {
    let (data, scratch) = (data_folder(), tempfile::tempdir().unwrap());
    let mut config = config(3);
    config.validation.every = 0;
    config.validation.interpolation = vec![1.0];
    let mut all = Vec::new();
    for (threads, memory_mb) in [(1, 2000), (2, 2000), (3, 0)] {
        config.batch.memory_mb = memory_mb;
        let out = scratch.path().join(format!("{threads}-{memory_mb}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(data.path(), "encoder/tiny-bert", &config, &out).unwrap());
        all.push(weights(&out));
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
}

#[test]
fn what_cannot_be_trained_says_why() {
    let (data, scratch) = (data_folder(), tempfile::tempdir().unwrap());
    let fails = |model: &str, config: &TrainingConfig| {
        run(data.path(), model, config, &scratch.path().join("out")).unwrap_err().to_string()
    };
    assert!(fails("encoder/tiny-modernbert", &config(1)).contains("ModernBERT is not trained"));
    assert!(fails("encoder/tiny-asym", &config(1)).contains("plain transformers"));
    let mut config = config(1);
    config.validation.sets = vec!["jobs".to_string()];
    assert!(fails("encoder/tiny-bert", &config).contains("job2skill"));
    let folder = Data::open(data.path(), DataOptions::default()).unwrap();
    config.data.esco = "9.9".to_string();
    let error = read_corpus(&folder, &config.data, &Monitor::silent()).unwrap_err().to_string();
    assert!(error.contains("1.0.0, 1.1.0") && error.contains("9.9"), "{error}");
    config.data.esco = "newest".to_string();
    config.data.sentences = "nowhere.csv".to_string();
    assert!(read_corpus(&folder, &config.data, &Monitor::silent()).unwrap_err().to_string().contains("nowhere.csv"));
}

#[test]
fn the_configurations_that_come_with_the_project_are_ones() {
    let mut folders = vec![fixture("train")];
    let mut n = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                TrainingConfig::parse(&text, &path.display().to_string()).unwrap();
                n += 1;
            }
        }
    }
    assert!(n >= 18, "{n}");
}

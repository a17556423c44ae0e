//! Model directories: opened; where that succeeds, texts embedded.
//!
//! Input: a bundle of files that replace those of one of the tiny models in `fixtures/encoder/`; the first byte says which.
//! Of `model.safetensors` the input has the header alone (its JSON): the length before it and the numbers after it are those of
//! the sound file, shortened or not.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use workindex::{Encoder, Error, Monitor};
use workindex_fuzz::{Bundle, abort_on_own_panics, fixture, new_folder};

const MODELS: [&str; 11] = [
    "tiny-bert",
    "tiny-asym",
    "tiny-colbert",
    "tiny-dense",
    "tiny-distilbert",
    "tiny-modernbert",
    "tiny-mpnet",
    "tiny-prompts",
    "tiny-roberta",
    "tiny-router",
    "tiny-xlm-roberta",
];
const WEIGHTS: &str = "model.safetensors";

/// Makes the folder a model, of links.
fn link_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => link_all(&entry.path(), &target),
            false => std::os::unix::fs::symlink(entry.path().canonicalize().unwrap(), target).unwrap(),
        }
    }
}

/// Puts the length before a header and the sound file's numbers behind it.
fn complete_weights(sound: &Path, damaged: &Path, option: u8) {
    let Ok(header) = std::fs::read(damaged) else { return };
    let whole = std::fs::read(sound).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let numbers = &whole[8 + length..];
    let kept = if option & 1 == 1 { numbers.len() / 2 } else { numbers.len() };
    let announced = if option & 2 == 2 { u64::from(option) << 30 } else { header.len() as u64 };
    std::fs::write(damaged, [&announced.to_le_bytes()[..], &header, &numbers[..kept]].concat()).unwrap();
}

fn use_model(path: &Path) -> Result<(), Error> {
    let encoder = Encoder::open(path)?;
    let texts = ["", "data engineer", "数据工程师 \u{1f469}\u{200d}\u{1f3ed}", "[CLS] Café (m/f/d)"];
    for text in texts {
        let _ = encoder.tokens(text);
        if let Ok(encoded) = encoder.encode(text) {
            assert!(encoded.matrix.n_tokens() >= 1);
            assert!(encoded.matrix.values().iter().all(|value| value.is_finite()));
        }
    }
    encoder.encode_batch(&texts, &Monitor::silent()).map(drop)
}

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let bundle = Bundle::new(data);
    let sound = fixture("encoder").join(MODELS[usize::from(bundle.option(0)) % MODELS.len()]);
    let folder = new_folder();
    link_all(&sound, folder.path());
    bundle.write(folder.path());
    if bundle.files.iter().any(|(name, _)| name == WEIGHTS) {
        complete_weights(&sound.join(WEIGHTS), &folder.path().join(WEIGHTS), bundle.option(1));
    }
    let _ = use_model(folder.path());
});

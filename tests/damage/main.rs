//! Damage is found and named: whatever happens to the bytes of an index, opening and ranking end in an answer or in a
//! typed error, verification says which file is at fault, nothing panics, and a passed verification means right answers.

mod catalog;
#[path = "../common/mod.rs"]
mod common;
mod segments;
mod support;

use common::*;
use workindex::{Error, Monitor, RankOptions, WorkIndex};

#[test]
fn a_damaged_encoder_is_found_and_not_used() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &mini_esco_dutch());
    drop(writer);
    let fingerprint = tiny_encoder().fingerprint().to_string();
    let model = path.join("encoders").join(fingerprint);
    let weights = model.join("model.safetensors");
    let sound = std::fs::read(&weights).unwrap();
    let mut damaged = sound.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for bytes in [&damaged, &sound[..last].to_vec(), &Vec::new()] {
        std::fs::write(&weights, bytes).unwrap();
        let index = WorkIndex::open(&path).unwrap();
        let report = index.verify(&Monitor::silent()).unwrap();
        assert!(report.problems.iter().any(|problem| problem.path.starts_with(&model)), "{:?}", report.problems);
        let space = index.space("esco/skill/nl").unwrap();
        assert!(space.rank("verpleegkundige", &RankOptions::top(1)).is_err());
        let error = WorkIndex::writer(&path).unwrap().ingest(
            &list_release("1", &["lassen"]),
            &Default::default(),
            &Monitor::silent(),
        );
        assert!(error.is_err());
    }
    std::fs::write(&weights, &sound).unwrap();
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn what_is_no_index_is_said_to_be_none() {
    let (folder, path) = scratch();
    for missing in [&path, folder.path()] {
        assert!(matches!(WorkIndex::open(missing), Err(Error::NotAnIndex { .. })));
        assert!(matches!(WorkIndex::writer(missing), Err(Error::NotAnIndex { .. })));
    }
    std::fs::create_dir(&path).unwrap();
    let catalog = path.join("catalog.redb");
    for content in [&b""[..], b"mine", &[0; 100_000], &[0xff; 100_000]] {
        std::fs::write(&catalog, content).unwrap();
        let (reader, writer) = (WorkIndex::open(&path).unwrap_err(), WorkIndex::writer(&path).unwrap_err());
        for error in [reader, writer] {
            assert!(matches!(&error, Error::Corrupt { path, .. } if *path == catalog), "{error:?}");
        }
        assert_eq!(std::fs::read(&catalog).unwrap(), content, "a file that is no catalog is not written to");
    }
}

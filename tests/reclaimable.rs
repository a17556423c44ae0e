//! What `info` promises is what compaction gives back, and after it nothing is promised.

mod common;
#[path = "data/mod.rs"]
mod data;

use std::path::Path;

use common::*;
use workindex::{Encoder, IndexWriter, Monitor, ReindexOptions, WorkIndex, esco};

fn promised(path: &Path) -> u64 {
    WorkIndex::open(path).unwrap().info().unwrap().reclaimable_bytes
}

/// Compacts and compares what that gives back with what was promised: to the byte, but for the catalog, whose share is
/// off by at most 12 kB and a third of what is left of it. What is promised afterwards is no more than that either.
#[track_caller]
fn assert_kept(path: &Path, writer: &mut IndexWriter) -> u64 {
    let (promise, before) = (promised(path), size_of_folder(path));
    let reclaimed = writer.compact(&Monitor::silent()).unwrap();
    let given = before.saturating_sub(size_of_folder(path));
    let tolerance = (12 << 10) + std::fs::metadata(path.join("catalog.redb")).unwrap().len() / 3;
    assert!(promise.abs_diff(given) <= tolerance, "{promise} promised, {given} given back, to within {tolerance}");
    assert!(reclaimed.bytes.abs_diff(given) <= tolerance, "{reclaimed:?}, {given} given back");
    assert!(promised(path) <= tolerance, "{} promised after compaction, {tolerance} allowed", promised(path));
    given
}

#[test]
fn what_is_promised_of_lists_is_given_back() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    assert_kept(&path, &mut writer);
    for n in [10, 1000, 20_000] {
        let hash = |k: usize| blake3::hash(&k.to_le_bytes()).to_hex();
        let labels: Vec<String> = (0..n).map(|k| format!("label {k} of {n} {}", hash(k))).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        for (version, labels) in [("1", &labels[..]), ("2", &labels[n / 2..])] {
            ingest_list(&mut writer, &list_release(version, labels));
            writer.commit().unwrap();
            assert_kept(&path, &mut writer);
        }
        writer.drop_release("list@1/skill/en").unwrap();
        writer.commit().unwrap();
        // Rows of half the texts, two bytes a value in 1 to 4 rows and a pooled one, and a hash each.
        assert!(promised(&path) > (n / 2 * (2 * DIM * 2 + 32)) as u64);
        assert_kept(&path, &mut writer);
    }
}

#[test]
fn what_is_promised_of_releases_and_encoders_is_given_back() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    for version in ["1.0.0", "1.1.0"] {
        ingest(&mut writer, &mini_esco(version));
        assert_kept(&path, &mut writer);
    }
    writer.drop_release("esco@1.0.0/skill/en").unwrap();
    writer.commit().unwrap();
    assert_kept(&path, &mut writer);
    let old: u64 = WorkIndex::open(&path).unwrap().info().unwrap().encoders.iter().map(|encoder| encoder.bytes).sum();
    let encoder = Encoder::open(&fixture("encoder/tiny-mpnet")).unwrap();
    writer.reindex(&encoder, &ReindexOptions::default(), &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    assert!(promised(&path) > old, "the old encoder's files, and its segments");
    assert!(assert_kept(&path, &mut writer) > old);
}

#[test]
fn leftovers_of_interrupted_writers_are_promised() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld"]));
    writer.compact(&Monitor::silent()).unwrap();
    let before = promised(&path);
    std::fs::write(path.join("segments").join(format!("{}.seg", "5e".repeat(32))), vec![0; 100_000]).unwrap();
    std::fs::write(path.join("segments/.staged-9"), vec![0; 20_000]).unwrap();
    let model = path.join("encoders").join("a".repeat(64));
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("model.safetensors"), vec![0; 3_000]).unwrap();
    std::fs::write(path.join("segments/notes.txt"), vec![0; 1_000_000]).unwrap();
    assert_eq!(promised(&path), before + 123_000, "what is someone else's is not promised");
    writer.collect().unwrap();
    assert_eq!(promised(&path), before);
}

/// ESCO with all labels: dropping the older of two releases.
#[test]
fn what_is_promised_of_esco_is_given_back() {
    let (Some(old), Some(new)) = (data::path("esco/1.1.0"), data::path("esco/1.1.1")) else { return };
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    for (version, folder) in [("1.1.0", old), ("1.1.1", new)] {
        let options = esco::Options { version: Some(version.to_string()), language: Some("en".to_string()) };
        let (release, _) = esco::read(&[folder], &options, &Monitor::silent()).unwrap();
        ingest_list(&mut writer, &release);
        writer.commit().unwrap();
    }
    assert_kept(&path, &mut writer);
    writer.drop_release("esco@1.1.1/skill/en").unwrap();
    writer.commit().unwrap();
    assert!(promised(&path) > 1_000_000);
    assert_kept(&path, &mut writer);
}

//! Space is given back and nothing else changes: dropping and collecting removes dead segments, compacting rewrites
//! partly dead ones, and every ranking stays the same to the last bit.

mod common;

use common::*;
use workindex::{CancelToken, Error, Monitor, WorkIndex};

fn silent() -> Monitor {
    Monitor::silent()
}

#[test]
fn collecting_gives_back_a_segment_that_no_release_names() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    ingest_list(&mut writer, &list_release("2", &["teach", "sing", "dance"]));
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let before = answers(&index.space("list@2/skill/en").unwrap());
    assert_eq!(segment_names(&path).len(), 2);
    writer.drop_release("list@1/skill/en").unwrap();
    let reclaimed = writer.collect().unwrap();
    assert_eq!((reclaimed.segments, reclaimed.leftovers), (1, 0));
    assert!(reclaimed.bytes > 4096);
    assert_eq!(segment_names(&path).len(), 1);
    index.refresh().unwrap();
    assert!(matches!(index.space("list@1/skill/en"), Err(Error::UnknownSpace { .. })));
    assert_eq!(answers(&index.space("list@2/skill/en").unwrap()), before);
    assert_intact(&index);
    // Nothing is left to collect, and collecting nothing is no commit.
    let generation = index.info().unwrap().generation;
    assert_eq!(writer.collect().unwrap(), workindex::Reclaimed::default());
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap().generation, generation);
}

#[test]
fn compacting_gives_back_the_dead_part_of_a_segment() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    // Enough to outweigh the pages by which the catalog grows while a reader holds a state of it.
    let labels: Vec<String> = (0..300).map(|n| format!("label {n}")).collect();
    ingest_list(&mut writer, &list_release("1", &labels.iter().map(String::as_str).collect::<Vec<_>>()));
    ingest_list(&mut writer, &list_release("2", &["label 7", "label 77"]));
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let before = answers(&index.space("list@2/skill/en").unwrap());
    let old = only_segment(&path);
    writer.drop_release("list@1/skill/en").unwrap();
    assert_eq!(writer.collect().unwrap().segments, 0, "the segment is alive in part");
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap().dead_surface_forms, 298);
    let reclaimed = writer.compact(&silent()).unwrap();
    assert_eq!(reclaimed.segments, 1);
    assert!(reclaimed.bytes > 0);
    assert_ne!(only_segment(&path), old);
    index.refresh().unwrap();
    let info = index.info().unwrap();
    assert_eq!((info.surface_forms, info.dead_surface_forms), (2, 0));
    assert_eq!(answers(&index.space("list/skill/en").unwrap()), before);
    assert_intact(&index);
    // The embeddings went along: the same texts again are not embedded again.
    let report = ingest_list(&mut writer, &list_release("3", &["label 77", "label 7"]));
    assert_eq!(report.embedded, 0);
}

/// A small live segment beside a small dead one: rewriting it would make the very file that is there, and the old
/// entry must not be removed as if a new one had replaced it.
#[test]
fn compacting_a_live_segment_beside_a_dead_one_loses_nothing() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    ingest_list(&mut writer, &list_release("2", &["teach", "sing"]));
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let before = answers(&index.space("list@1/skill/en").unwrap());
    writer.drop_release("list@2/skill/en").unwrap();
    writer.compact(&silent()).unwrap();
    index.refresh().unwrap();
    assert_eq!(answers(&index.space("list@1/skill/en").unwrap()), before);
    assert_eq!(segment_names(&path).len(), 1);
    assert_intact(&index);
}

#[test]
fn compacting_joins_small_segments_and_is_done_then() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let versions = ["1", "2", "3", "4"];
    let labels = ["weld", "solder", "braze", "cut", "bend"];
    for (at, version) in versions.into_iter().enumerate() {
        ingest_list(&mut writer, &list_release(version, &labels[..=at + 1]));
        writer.commit().unwrap();
    }
    assert_eq!(segment_names(&path).len(), 4);
    let index = WorkIndex::open(&path).unwrap();
    let of = |version: &str| answers(&index.space(&format!("list@{version}/skill/en")).unwrap());
    let before = versions.map(of);
    assert_eq!(writer.compact(&silent()).unwrap().segments, 4);
    let joined = only_segment(&path);
    index.refresh().unwrap();
    assert_eq!(versions.map(of), before);
    assert_intact(&index);
    assert_eq!(writer.compact(&silent()).unwrap().segments, 0);
    assert_eq!(only_segment(&path), joined);
}

#[test]
fn compacting_shrinks_the_catalog() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let labels: Vec<String> = (0..20_000).map(|n| format!("label {n} {}", blake3::hash(&[n as u8]).to_hex())).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    ingest_list(&mut writer, &list_release("1", &labels));
    writer.commit().unwrap();
    let catalog = path.join("catalog.redb");
    let full = std::fs::metadata(&catalog).unwrap().len();
    writer.drop_release("list@1/skill/en").unwrap();
    let reclaimed = writer.compact(&silent()).unwrap();
    let left = std::fs::metadata(&catalog).unwrap().len();
    assert!(left < full / 2, "{left} bytes of {full}");
    assert!(reclaimed.bytes >= full - left);
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn what_was_not_committed_is_compacted_with_the_rest() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    ingest_list(&mut writer, &list_release("2", &["teach", "sing"]));
    writer.compact(&silent()).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.space("list@1/skill/en").unwrap().len(), 2);
    assert_eq!(index.space("list@2/skill/en").unwrap().len(), 2);
    assert_eq!(segment_names(&path).len(), 1);
    assert_intact(&index);
}

#[test]
fn a_cancelled_compaction_changes_nothing_and_the_writer_goes_on() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    for (version, label) in [("1", "weld"), ("2", "teach")] {
        ingest_list(&mut writer, &list_release(version, &[label]));
        writer.commit().unwrap();
    }
    let before = segment_names(&path);
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = writer.compact(&Monitor::cancelled_by(cancel)).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(segment_names(&path), before);
    ingest_list(&mut writer, &list_release("3", &["sing"]));
    assert!(writer.commit().unwrap());
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// A copy gets a hash of its own, which would vouch for damage that the old one shows.
#[test]
fn a_damaged_segment_is_not_copied() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder", "braze"]));
    ingest_list(&mut writer, &list_release("2", &["weld"]));
    writer.drop_release("list@1/skill/en").unwrap();
    writer.commit().unwrap();
    let segment = only_segment(&path);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let error = writer.compact(&silent()).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, .. } if *path == segment), "{error}");
    assert_eq!(only_segment(&path), segment);
    assert!(matches!(writer.commit(), Err(Error::Poisoned { .. })));
}

#[test]
fn leftovers_are_collected_and_foreign_files_stay() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld"]));
    writer.commit().unwrap();
    drop(writer);
    let (segments, encoders) = (path.join("segments"), path.join("encoders"));
    let orphan = segments.join(format!("{}.seg", "0".repeat(64)));
    let staged = segments.join(".staged-7");
    let model = encoders.join("a".repeat(64));
    std::fs::write(&orphan, b"published by a commit that never came").unwrap();
    std::fs::write(&staged, b"half a seg").unwrap();
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("config.json"), b"{}").unwrap();
    let foreign = [segments.join("notes.txt"), segments.join("backup.seg"), encoders.join("README")];
    foreign.iter().for_each(|path| std::fs::write(path, b"mine").unwrap());
    std::fs::create_dir(segments.join("lost+found")).unwrap();
    let mut writer = WorkIndex::writer(&path).unwrap();
    assert!(!staged.exists(), "opening for writing removes what was being written");
    let reclaimed = writer.collect().unwrap();
    assert_eq!((reclaimed.segments, reclaimed.leftovers), (1, 1));
    assert!(!orphan.exists() && !model.exists());
    assert!(foreign.iter().all(|path| path.exists()) && segments.join("lost+found").is_dir());
    assert_intact(&WorkIndex::open(&path).unwrap());
}

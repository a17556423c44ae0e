//! Damage to segments.

use std::path::PathBuf;

use workindex::{Error, RankOptions, WorkIndex};

use crate::common::synthetic::Random;
use crate::common::*;
use crate::support::*;

/// Every byte of a small segment with each of its bits flipped: refused on opening, or found by verification.
#[test]
fn every_flipped_bit_of_a_segment_is_found() {
    let (_folder, path) = small_index();
    let segment = only_segment(&path);
    let index = WorkIndex::open(&path).unwrap();
    let mut damaged = Damaged::new(&segment);
    let (mut refused, mut ranked, every) = (0, 0, one_in(31));
    for bit in (0..damaged.sound.len() * 8).step_by(every) {
        let at = bit / 8;
        damaged.with(at, 1 << (bit % 8), || {
            match opens(&index, &path) {
                true => ranked += 1,
                false => refused += 1,
            }
            assert_found(&index, &segment, format!("bit {bit}"));
        });
    }
    assert_intact(&index);
    eprintln!("{} bits flipped: {refused} refused when opened, {ranked} found by verification alone", refused + ranked);
    assert!(
        refused > 100 / every.min(100),
        "the header, the offsets and the trailer are checked when a segment is opened"
    );
}

/// Bits of a segment of about a megabyte, taken at random: 100,000 of them when all places are asked for.
#[test]
fn flipped_bits_of_a_large_segment_are_found() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let labels: Vec<String> = (0..12_000).map(|n| format!("label {n}")).collect();
    ingest_list(&mut writer, &list_release("1", &labels.iter().map(String::as_str).collect::<Vec<_>>()));
    writer.commit().unwrap();
    let (segment, index) = (only_segment(&path), WorkIndex::open(&path).unwrap());
    let (mut damaged, query) = (Damaged::new(&segment), matrix_of("nurse"));
    let (mut random, bits) = (Random::new(10), 100_000 / one_in(5000));
    assert!(damaged.sound.len() > 500_000, "{}", damaged.sound.len());
    for _ in 0..bits {
        let (at, bit) = (random.below(damaged.sound.len()), random.below(8));
        damaged.with(at, 1 << bit, || {
            let opened = index.space("list/skill/en");
            let ranked = opened.map(|space| space.rank_matrix(&query, &RankOptions::top(10)).unwrap());
            ranked.map_or_else(|error| assert_names_a_file(&error, &path), |ranking| assert_eq!(ranking.len(), 10));
            assert_found(&index, &segment, format!("bit {bit} of byte {at}"));
        });
    }
    assert_intact(&index);
    eprintln!("{bits} bits of {} bytes flipped, all found", damaged.sound.len());
}

#[test]
fn a_segment_of_any_other_length_is_refused() {
    let (_folder, path) = small_index();
    let segment = only_segment(&path);
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let tail = sound.len() - 200;
    let lengths = (0..tail).step_by(one_in(37)).chain(tail..sound.len());
    for length in lengths {
        std::fs::write(&segment, &sound[..length]).unwrap();
        assert!(!opens(&index, &path), "{length} bytes");
    }
    assert_found(&index, &segment, "cut");
    for more in [1, 64, 4096] {
        let mut longer = sound.clone();
        longer.resize(sound.len() + more, 0);
        std::fs::write(&segment, &longer).unwrap();
        assert!(!opens(&index, &path), "{more} bytes more");
    }
    // The last byte of a sound file is zero.
    for zeros in [2, 8, 64, 512, 4096, sound.len()] {
        let mut torn = sound.clone();
        let start = torn.len() - zeros;
        torn[start..].fill(0);
        std::fs::write(&segment, &torn).unwrap();
        assert!(!opens(&index, &path), "{zeros} zeros at the end");
    }
}

#[test]
fn segments_that_are_not_the_one_that_was_committed_are_refused() {
    let (_folder, path) = small_index();
    let (_other_folder, other) = scratch();
    ingest(&mut WorkIndex::create(&other, &tiny_encoder()).unwrap(), &list_release("1", &["another", "list"]));
    let (segment, foreign) = (only_segment(&path), only_segment(&other));
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    // One under the name of another, complete and correct in itself.
    std::fs::copy(&foreign, &segment).unwrap();
    assert!(!opens(&index, &path));
    assert_found(&index, &segment, "foreign");
    // Two of one index, swapped.
    std::fs::write(&segment, &sound).unwrap();
    let mut writer = WorkIndex::writer(&path).unwrap();
    ingest(&mut writer, &list_release("2", &["sing"]));
    index.refresh().unwrap();
    let names = segment_names(&path);
    let files: Vec<PathBuf> = names.iter().map(|name| path.join("segments").join(name)).collect();
    let aside = path.join("aside");
    for (from, to) in [(&files[0], &aside), (&files[1], &files[0]), (&aside, &files[1])] {
        std::fs::rename(from, to).unwrap();
    }
    for version in ["1", "2"] {
        let error = index.space(&format!("list@{version}/skill/en")).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    files.iter().for_each(|file| assert_found(&index, file, "swapped"));
}

#[test]
fn things_that_are_no_segment_are_refused() {
    let (_folder, path) = small_index();
    let segment = only_segment(&path);
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    std::fs::remove_file(&segment).unwrap();
    assert!(matches!(index.space("list/skill/en"), Err(Error::Io { path, .. }) if path == segment));
    assert_found(&index, &segment, "missing");
    std::fs::create_dir(&segment).unwrap();
    assert!(matches!(index.space("list/skill/en"), Err(Error::Io { path, .. }) if path == segment));
    assert_found(&index, &segment, "a folder");
    std::fs::remove_dir(&segment).unwrap();
    if std::process::Command::new("mkfifo").arg(&segment).status().is_ok_and(|status| status.success()) {
        assert!(matches!(index.space("list/skill/en"), Err(Error::Io { path, .. }) if path == segment));
        std::fs::remove_file(&segment).unwrap();
    }
    // Files of other formats: a text, an archive, this index's own catalog.
    let catalog = std::fs::read(path.join("catalog.redb")).unwrap();
    for other in [&b"id,label\n1,weld\n"[..], b"PK\x03\x04\x14\0\0\0\x08\0", &catalog] {
        std::fs::write(&segment, other).unwrap();
        assert!(matches!(index.space("list/skill/en"), Err(Error::Corrupt { path, .. }) if path == segment));
        assert_found(&index, &segment, "another format");
    }
    let mut newer = sound.clone();
    newer[8..12].copy_from_slice(&3u32.to_le_bytes());
    std::fs::write(&segment, &newer).unwrap();
    let error = index.space("list/skill/en").unwrap_err();
    assert!(matches!(error, Error::Version { found: 3, newest: 2, .. }), "{error}");
    std::fs::write(&segment, &sound).unwrap();
    assert_intact(&index);
}

//! Damage to the catalog.

use std::path::Path;

use workindex::{IngestOptions, Monitor, WorkIndex};

use crate::common::*;
use crate::support::*;

/// How attempts on damaged catalogs ended.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    found: usize,
    harmless: usize,
    /// Whole, but the commit before the last.
    older: usize,
    undetected: usize,
}

/// Opens, asks and verifies an index whose catalog is damaged. After a passed verification it holds what it should.
fn read_damaged(path: &Path, expected: &Held, tally: &mut Tally) {
    let index = match WorkIndex::open(path) {
        Ok(index) => index,
        Err(error) => {
            assert_names_a_file(&error, path);
            tally.refused += 1;
            return;
        }
    };
    let held = Held::by(&index, path);
    match index.verify(&Monitor::silent()) {
        Ok(report) if report.is_intact() && held.as_ref() == Some(expected) => tally.harmless += 1,
        Ok(report) if report.is_intact() && index.info().is_ok_and(|info| info.generation == 0) => tally.older += 1,
        Ok(report) if report.is_intact() => tally.undetected += 1,
        Ok(report) => {
            assert!(report.problems.iter().all(|problem| problem.path.starts_with(path)), "{:?}", report.problems);
            tally.found += 1;
        }
        Err(error) => {
            assert_names_a_file(&error, path);
            tally.found += 1;
        }
    }
}

/// Ingests into an index whose catalog is damaged.
fn write_damaged(path: &Path, tally: &mut Tally) {
    let mut writer = match WorkIndex::writer(path) {
        Ok(writer) => writer,
        Err(error) => {
            assert_names_a_file(&error, path);
            tally.refused += 1;
            return;
        }
    };
    let release = list_release("2", &["sing", "weld"]);
    let ingested = writer.ingest(&release, &IngestOptions::default(), &Monitor::silent());
    let done = ingested.and_then(|_| writer.commit());
    let done = done.and_then(|_| writer.compact(&Monitor::silent()));
    match done {
        Ok(_) => tally.harmless += 1,
        Err(_) => tally.found += 1,
    }
}

/// Places of a catalog: all of the header's, and of the others that are not zero one in `every`.
fn places(catalog: &[u8], every: usize) -> Vec<usize> {
    const HEADER: usize = 320;
    let used = (HEADER..catalog.len()).filter(|&at| catalog[at] != 0);
    (0..HEADER).chain(used.step_by(every)).collect()
}

#[test]
fn reading_a_damaged_catalog_never_panics() {
    be_quiet_about_redb();
    let (_folder, path) = small_index();
    let expected = Held::by(&WorkIndex::open(&path).unwrap(), &path).unwrap();
    let catalog = path.join("catalog.redb");
    let mut damaged = Damaged::new(&catalog);
    let mut tally = Tally::default();
    let places = places(&damaged.sound, one_in(97));
    for &at in &places {
        let before = tally.undetected;
        damaged.with(at, 1 << (at % 8), || read_damaged(&path, &expected, &mut tally));
        if tally.undetected > before {
            eprintln!("byte {at}, {:#04x}, was missed by verification", damaged.sound[at]);
        }
        // A reader that repairs a catalog writes to it.
        if std::fs::read(&catalog).unwrap() != damaged.sound {
            std::fs::write(&catalog, &damaged.sound).unwrap();
        }
    }
    eprintln!("{} of {} bytes flipped, read: {tally:?}", places.len(), damaged.sound.len());
    assert!(tally.refused > 0 && tally.harmless > 0);
    assert_eq!(tally.undetected, 0, "a passed verification means right answers");
    // One bit of redb's header says which of its two commits is the newer one, and nothing vouches for it.
    assert!(tally.older <= 1, "{tally:?}");
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn a_catalog_of_another_length_is_refused_or_found() {
    be_quiet_about_redb();
    let (_folder, path) = small_index();
    let expected = Held::by(&WorkIndex::open(&path).unwrap(), &path).unwrap();
    let catalog = path.join("catalog.redb");
    let sound = std::fs::read(&catalog).unwrap();
    let mut tally = Tally::default();
    let mut read = |bytes: &[u8]| {
        std::fs::write(&catalog, bytes).unwrap();
        read_damaged(&path, &expected, &mut tally);
    };
    (0..sound.len()).step_by(one_in(1499)).for_each(|length| read(&sound[..length]));
    for zeros in [1, 512, 4096, 16_384, sound.len() / 2] {
        let mut torn = sound.clone();
        let start = torn.len() - zeros;
        torn[start..].fill(0);
        read(&torn);
    }
    for more in [1, 4096, 1 << 20] {
        let mut longer = sound.clone();
        longer.resize(sound.len() + more, 0xff);
        read(&longer);
    }
    eprintln!("of another length, read: {tally:?}");
    assert_eq!(tally.undetected + tally.older, 0);
    std::fs::write(&catalog, &sound).unwrap();
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// Complete and correct in itself, but not of this index: what it names is not there.
#[test]
fn the_catalog_of_another_index_is_found() {
    let (_folder, path) = small_index();
    let (_other_folder, other) = scratch();
    ingest(&mut WorkIndex::create(&other, &tiny_encoder()).unwrap(), &list_release("1", &["another", "list"]));
    let catalog = path.join("catalog.redb");
    std::fs::copy(other.join("catalog.redb"), &catalog).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    assert!(!opens(&index, &path));
    assert_found(&index, &path.join("segments").join(only_segment(&other).file_name().unwrap()), "another catalog");
    // A segment is no catalog.
    std::fs::copy(only_segment(&path), &catalog).unwrap();
    let error = WorkIndex::open(&path).unwrap_err();
    assert!(matches!(&error, workindex::Error::Corrupt { path: of, .. } if *of == catalog), "{error}");
}

#[test]
fn writing_to_a_damaged_catalog_never_panics() {
    be_quiet_about_redb();
    let (folder, path) = small_index();
    let sound = std::fs::read(path.join("catalog.redb")).unwrap();
    let mut tally = Tally::default();
    // Fewer, because each is an ingest, a commit and a compaction.
    let places: Vec<usize> = places(&sound, one_in(53)).into_iter().step_by(8).collect();
    for &at in &places {
        // A copy, because a writer changes more than the catalog.
        let copy = folder.path().join("copy.index");
        copy_folder(&path, &copy);
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(copy.join("catalog.redb"), &damaged).unwrap();
        write_damaged(&copy, &mut tally);
        std::fs::remove_dir_all(&copy).unwrap();
    }
    eprintln!("{} of {} bytes flipped, written: {tally:?}", places.len(), sound.len());
    assert!(tally.harmless > places.len() / 2, "most bytes are in pages that hold nothing any more");
}

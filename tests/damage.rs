//! Damage is found and named: whatever happens to the bytes of an index, opening and ranking end in an answer or in a
//! typed error, verification says which file is at fault, and nothing panics.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Once;

use common::*;
use workindex::{Error, Monitor, RankOptions, Ranking, WorkIndex};

const LABELS: [&str; 5] = ["weld", "solder", "teach mathematics", "care for patients", "drive a lorry"];

/// A small index with one segment.
fn small_index() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &LABELS));
    writer.commit().unwrap();
    (folder, path)
}

/// What an attempt to use a space of a damaged index ends in: its answers, or an error that was checked to name a file
/// of the index.
fn attempt(index: &WorkIndex, root: &Path) -> Option<Vec<Ranking>> {
    match index.space("list/skill/en") {
        Ok(space) => Some(answers_of_any_width(&space)),
        Err(error) => {
            assert_names_a_file(&error, root);
            None
        }
    }
}

/// As [`answers`], of rows that may be damaged.
fn answers_of_any_width(space: &workindex::Space) -> Vec<Ranking> {
    let matrix = matrix_of("nurse");
    let ranked = space.rank_matrix(&matrix, &RankOptions::full());
    ranked.map_or_else(|error| panic!("{error}"), |ranking| vec![ranking])
}

fn assert_names_a_file(error: &Error, root: &Path) {
    let path = match error {
        Error::Corrupt { path, .. } | Error::Version { path, .. } | Error::Io { path, .. } => path,
        Error::Catalog { path, .. } | Error::NotAnIndex { path, .. } | Error::Interrupted { path, .. } => path,
        other => panic!("an error about a file expected: {other:?}"),
    };
    assert!(path.starts_with(root), "{}", path.display());
}

/// Asserts that verification finds the file at fault.
fn assert_found(index: &WorkIndex, file: &Path, what: impl std::fmt::Display) {
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.problems.iter().any(|problem| problem.path == file), "{what}: {:?}", report.problems);
}

#[test]
fn every_flipped_byte_of_a_segment_is_found() {
    let (_folder, path) = small_index();
    let segment = only_segment(&path);
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let (mut refused, mut ranked) = (0, 0);
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&segment, &damaged).unwrap();
        match attempt(&index, &path) {
            Some(_) => ranked += 1,
            None => refused += 1,
        }
        assert_found(&index, &segment, format!("byte {at}"));
    }
    std::fs::write(&segment, &sound).unwrap();
    assert_intact(&index);
    eprintln!("{} bytes flipped: {refused} refused when opened, {ranked} found by verification alone", sound.len());
    assert!(refused > 100, "the header, the offsets and the trailer are checked when a segment is opened");
}

#[test]
fn a_segment_of_any_other_length_is_refused() {
    let (_folder, path) = small_index();
    let segment = only_segment(&path);
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let tail = sound.len() - 200;
    let lengths = (0..tail).step_by(37).chain(tail..sound.len());
    for length in lengths {
        std::fs::write(&segment, &sound[..length]).unwrap();
        assert_eq!(attempt(&index, &path), None, "{length} bytes");
    }
    assert_found(&index, &segment, "cut");
    for more in [1, 64, 4096] {
        let mut longer = sound.clone();
        longer.resize(sound.len() + more, 0);
        std::fs::write(&segment, &longer).unwrap();
        assert_eq!(attempt(&index, &path), None, "{more} bytes more");
    }
    // The last byte of a sound file is zero.
    for zeros in [2, 8, 64, 512, 4096, sound.len()] {
        let mut torn = sound.clone();
        let start = torn.len() - zeros;
        torn[start..].fill(0);
        std::fs::write(&segment, &torn).unwrap();
        assert_eq!(attempt(&index, &path), None, "{zeros} zeros at the end");
    }
}

#[test]
fn segments_that_are_not_the_one_that_was_committed_are_refused() {
    let (_folder, path) = small_index();
    let (_other_folder, other) = scratch();
    let mut writer = list_index(&other);
    ingest_list(&mut writer, &list_release("1", &["another", "list"]));
    writer.commit().unwrap();
    let (segment, foreign) = (only_segment(&path), only_segment(&other));
    let sound = std::fs::read(&segment).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    // One under the name of another, complete and correct in itself.
    std::fs::copy(&foreign, &segment).unwrap();
    assert_eq!(attempt(&index, &path), None);
    assert_found(&index, &segment, "foreign");
    // Two of one index, swapped.
    std::fs::write(&segment, &sound).unwrap();
    let mut writer = WorkIndex::writer(&path).unwrap();
    ingest_list(&mut writer, &list_release("2", &["sing"]));
    writer.commit().unwrap();
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
    let mut newer = sound.clone();
    newer[8..12].copy_from_slice(&3u32.to_le_bytes());
    std::fs::write(&segment, &newer).unwrap();
    let error = index.space("list/skill/en").unwrap_err();
    assert!(matches!(error, Error::Version { found: 3, newest: 2, .. }), "{error}");
    std::fs::write(&segment, &sound).unwrap();
    assert_intact(&index);
}

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

/// redb panics on some damaged files, by assertion or by index, and the panics are caught; this keeps them from
/// filling the output of the tests in this file.
fn be_quiet_about_redb() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|location| location.file().contains("redb-")) {
                usual(panic);
            }
        }));
    });
}

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

/// Opens, ranks and verifies an index whose catalog is damaged.
fn read_damaged(path: &Path, expected: &[Ranking], tally: &mut Tally) {
    let index = match WorkIndex::open(path) {
        Ok(index) => index,
        Err(error) => {
            assert_names_a_file(&error, path);
            tally.refused += 1;
            return;
        }
    };
    let found = match index.space("list/skill/en") {
        Ok(space) => Some(answers_of_any_width(&space)),
        Err(Error::UnknownSpace { .. } | Error::InvalidName { .. }) => None,
        Err(error) => {
            assert_names_a_file(&error, path);
            None
        }
    };
    let _ = index.info();
    let _ = index.release("list/skill/en");
    match index.verify(&Monitor::silent()) {
        Ok(report) if report.is_intact() && found.as_deref() == Some(expected) => tally.harmless += 1,
        Ok(report) if report.is_intact() && index.info().is_ok_and(|info| info.generation == 0) => tally.older += 1,
        Ok(report) if report.is_intact() => tally.undetected += 1,
        Ok(_) => tally.found += 1,
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
    let matrices = ["sing", "weld"].map(matrix_of);
    let done = writer.ingest_matrices(&release, &matrices, &Monitor::silent()).and_then(|_| writer.commit());
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

/// How many of the bytes of a catalog that are not zero are flipped: one in so many. All of them take minutes.
fn one_in(default: usize) -> usize {
    std::env::var("WORKINDEX_TEST_ONE_IN").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn reading_a_damaged_catalog_never_panics() {
    be_quiet_about_redb();
    let (_folder, path) = small_index();
    let expected = answers_of_any_width(&WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap());
    let catalog = path.join("catalog.redb");
    let sound = std::fs::read(&catalog).unwrap();
    let mut tally = Tally::default();
    let places = places(&sound, one_in(97));
    for &at in &places {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&catalog, &damaged).unwrap();
        let before = tally.undetected;
        read_damaged(&path, &expected, &mut tally);
        if tally.undetected > before {
            eprintln!("byte {at}, {:#04x}, was missed by verification", sound[at]);
        }
    }
    eprintln!("{} of {} bytes flipped, read: {tally:?}", places.len(), sound.len());
    assert!(tally.refused > 0 && tally.harmless > 0);
    assert_eq!(tally.undetected, 0, "a passed verification means right answers");
    // One bit of redb's header says which of its two commits is the newer one, and nothing vouches for it.
    assert!(tally.older <= 1, "{tally:?}");
    let mut tally = Tally::default();
    for length in (0..sound.len()).step_by(sound.len() / 97 + 1) {
        std::fs::write(&catalog, &sound[..length]).unwrap();
        read_damaged(&path, &expected, &mut tally);
    }
    eprintln!("truncated, read: {tally:?}");
    assert_eq!(tally.undetected, 0);
    std::fs::write(&catalog, &sound).unwrap();
    assert_intact(&WorkIndex::open(&path).unwrap());
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

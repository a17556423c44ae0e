//! An index may be at any place that the system can name; what is not a file where one should be is a typed error, and
//! nothing waits for it.
#![cfg(unix)]

mod common;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use common::*;
use workindex::{Error, Monitor, RankOptions, WorkIndex};

#[test]
fn any_name_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        OsString::from("with spaces and  more"),
        OsString::from("new\nline\ttab"),
        OsString::from("\u{202e}right to left \u{1f9d1}"),
        OsString::from("-starts-with-a-dash."),
        OsString::from_vec(b"not utf-8 \xff\xfe".to_vec()),
    ];
    for name in names {
        let path = folder.path().join(&name).join("work.index");
        let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
        ingest(&mut writer, &mini_esco("1.0.0"));
        drop(writer);
        let index = WorkIndex::open(&path).unwrap();
        index.space("esco/skill/en").unwrap().rank("nurse", &RankOptions::top(3)).unwrap();
        assert_intact(&index);
        let copy = folder.path().join(&name).join("copy");
        index.backup(&copy, &Monitor::silent()).unwrap();
        WorkIndex::writer(&copy).unwrap().compact(&Monitor::silent()).unwrap();
    }
}

#[test]
fn names_that_the_system_refuses_are_typed_errors() {
    let (folder, long) = (tempfile::tempdir().unwrap(), "x".repeat(300));
    let loops = folder.path().join("loop");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [folder.path().join(&long), loops.join("work.index"), file.join("work.index")] {
        for error in [WorkIndex::open(&path).unwrap_err(), WorkIndex::writer(&path).unwrap_err()] {
            assert!(matches!(error, Error::Io { .. } | Error::NotAnIndex { .. }), "{error:?}");
        }
        assert!(matches!(WorkIndex::create(&path, &tiny_encoder()), Err(Error::Io { .. })));
    }
    assert!(matches!(WorkIndex::create(&loops, &tiny_encoder()), Err(Error::AlreadyExists { .. } | Error::Io { .. })));
    assert!(matches!(WorkIndex::create(&file, &tiny_encoder()), Err(Error::AlreadyExists { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

/// What can be where a file should be.
fn put_something_else(path: &Path, what: usize) -> bool {
    std::fs::remove_file(path).unwrap();
    match what {
        0 => std::fs::create_dir(path).is_ok(),
        1 => std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success()),
        2 => std::os::unix::fs::symlink("/dev/zero", path).is_ok(),
        3 => std::os::unix::fs::symlink(path, path).is_ok(),
        _ => std::os::unix::fs::symlink("nowhere", path).is_ok(),
    }
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Folders, pipes, devices and links that lead nowhere, in place of each file of an index in turn.
#[test]
fn what_is_not_a_file_is_an_error_and_nothing_waits() {
    let (_folder, path, index) = mini_index("1.0.0");
    drop(index);
    let mut all = Vec::new();
    files(&path, &mut all);
    assert!(all.len() >= 8, "{all:?}");
    let (mut tried, keep) = (0, path.with_extension("kept"));
    for file in &all {
        for what in 0..5 {
            std::fs::copy(file, &keep).unwrap();
            if !put_something_else(file, what) {
                eprintln!("skipped: no mkfifo");
            } else {
                tried += 1;
                check(&path, file);
            }
            if file.is_dir() && !file.is_symlink() {
                std::fs::remove_dir(file).unwrap()
            } else {
                std::fs::remove_file(file).unwrap()
            }
            std::fs::rename(&keep, file).unwrap();
        }
    }
    eprintln!("{tried} things that are no files");
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// Whatever is done ends, in an error or without; verification finds it. Files that the model does not need (its fingerprint
/// covers them all the same) do not keep anyone from ranking.
fn check(path: &Path, file: &Path) {
    if file.ends_with("catalog.redb") {
        assert!(WorkIndex::open(path).is_err());
        assert!(WorkIndex::writer(path).is_err());
        return;
    }
    let index = WorkIndex::open(path).unwrap();
    let ranked = index.space("esco/skill/en").and_then(|space| space.rank("nurse", &RankOptions::top(3)));
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(!report.is_intact(), "{}: {ranked:?}", file.display());
    assert!(index.backup(path.with_extension("copy"), &Monitor::silent()).is_err(), "{}", file.display());
}

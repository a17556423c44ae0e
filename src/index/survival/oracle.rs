//! Which states an index may be in, and that it is sound.

use std::path::Path;

use super::scenario::{INDEX, Scenario, Stage, matrix};
use crate::error::{Error, Result};
use crate::index::{EncoderInfo, IndexWriter, WorkIndex};
use crate::late_interaction::Rule;
use crate::monitor::Monitor;
use crate::rank::RankOptions;
use crate::storage::Files;

/// What an index that is being made is called for the time being.
pub(super) const MAKING: &str = ".workindex-creating-";

/// What a reader can see of the index in a folder: its releases and encoder, and what its spaces answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State(String);

impl State {
    /// The state of the index in a folder; none where nothing is.
    pub(super) fn of(folder: &Path) -> Self {
        let path = folder.join(INDEX);
        if !path.exists() {
            return Self("none".to_string());
        }
        let index = match WorkIndex::open(&path) {
            Err(Error::Version { .. }) => return Self::of_old(folder),
            opened => opened.unwrap_or_else(|error| panic!("{error}")),
        };
        Self::read(&index).unwrap_or_else(|error| panic!("{error}"))
    }

    /// That of an index of an older version: what a reader would see after an upgrade, of which this is not the state.
    fn of_old(folder: &Path) -> Self {
        let upgraded = scratch();
        copy(folder, upgraded.path());
        WorkIndex::upgrade(upgraded.path().join(INDEX), &Monitor::silent()).unwrap();
        Self(format!("not upgraded: {}", Self::of(upgraded.path()).0))
    }

    /// What a reader sees, if it sees anything.
    pub(super) fn read(index: &WorkIndex) -> Result<Self> {
        let info = index.info()?;
        // Of encoders that nothing is embedded with, collecting leaves nothing.
        let named = |encoder: &&EncoderInfo| {
            encoder.current || info.releases.iter().any(|release| release.encoder == encoder.fingerprint)
        };
        let encoders: Vec<_> = info.encoders.iter().filter(named).collect();
        let mut seen = format!("{:?} {encoders:?}", info.releases);
        for space in info.releases.iter().flat_map(|release| &release.spaces) {
            let space = index.space(&space.name)?;
            for text in ["weld", "nurse"] {
                for rule in [Rule::default(), Rule::mean_pool()] {
                    let options = RankOptions::full().rule(rule);
                    // An index of a model ranks texts, one of made-up matrices those.
                    let ranking = space.rank(text, &options).or_else(|_| space.rank_matrix(&matrix(text), &options));
                    seen += &format!("{:?}", ranking?);
                }
            }
        }
        Ok(Self(blake3::hash(seen.as_bytes()).to_hex().to_string() + &seen))
    }
}

/// The states of a scenario: before it, and after each step.
pub(super) fn states(scenario: &Scenario) -> Vec<State> {
    let folder = scratch();
    (scenario.prepare)(folder.path());
    let mut states = vec![State::of(folder.path())];
    let mut stage = Stage::new(folder.path(), Files::default());
    for step in scenario.steps {
        step(&mut stage).unwrap();
        states.push(State::of(folder.path()));
    }
    states
}

/// The states that may be found when so many steps came to their end: theirs, or the next one's.
pub(super) fn allowed(states: &[State], steps_done: usize) -> &[State] {
    &states[steps_done..(steps_done + 2).min(states.len())]
}

/// Asserts that the index in a folder is in one of the states, intact, and that collecting leaves nothing over.
pub(super) fn assert_survived(folder: &Path, allowed: &[State], what: &str) {
    let found = State::of(folder);
    assert!(allowed.contains(&found), "{what}: another state: {:.2000}", found.0);
    let path = folder.join(INDEX);
    assert_makers_clean_up(folder, what);
    if !path.exists() {
        return;
    }
    let mut found = found;
    if let Err(Error::Version { .. }) = WorkIndex::open(&path) {
        WorkIndex::upgrade(&path, &Monitor::silent()).unwrap();
        found = State::of(folder);
    }
    let index = WorkIndex::open(&path).unwrap();
    assert_intact(&index, what);
    drop(index);
    IndexWriter::open(&path).unwrap().collect().unwrap();
    assert_eq!(State::of(folder), found, "{what}: collecting changed the state");
    assert_nothing_over(&path, what);
}

/// What a creation that was interrupted left beside the index goes with the next one.
fn assert_makers_clean_up(folder: &Path, what: &str) {
    drop(Files::default().make_dir(&folder.join("another")).unwrap());
    assert!(!names(folder).iter().any(|name| name.starts_with(MAKING)), "{what}: {:?}", names(folder));
}

fn assert_intact(index: &WorkIndex, what: &str) {
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.is_intact(), "{what}: {:?}", report.problems);
}

/// Every file in the index is one that its catalog names.
fn assert_nothing_over(path: &Path, what: &str) {
    let index = WorkIndex::open(path).unwrap();
    let info = index.info().unwrap();
    assert_eq!(names(path), ["catalog.redb", "encoders", "segments"], "{what}");
    assert_eq!(names(&path.join("segments")).len() as u64, info.segments, "{what}");
    let with_files = info.encoders.iter().filter(|encoder| encoder.max_tokens.is_some());
    let mut fingerprints: Vec<String> = with_files.map(|encoder| encoder.fingerprint.clone()).collect();
    fingerprints.sort();
    assert_eq!(names(&path.join("encoders")), fingerprints, "{what}");
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder in memory where the system has one, because thousands of indexes are made and none needs to last.
pub(super) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Copies a folder with all that is in it into an empty one.
pub(super) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => {
                std::fs::create_dir(&target).unwrap();
                copy(&entry.path(), &target);
            }
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

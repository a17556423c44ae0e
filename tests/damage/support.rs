//! What the tests of damage share: a small index, what it holds, and ways of damaging its files.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;

use workindex::{Error, IndexInfo, Monitor, RankOptions, Ranking, Release, Rule, WorkIndex};

use crate::common::*;

pub const LABELS: [&str; 5] = ["weld", "solder", "teach mathematics", "care for patients", "drive a lorry"];

/// A small index with one segment and one release, whose texts the tiny encoder embeds.
pub fn small_index() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = scratch();
    ingest(&mut WorkIndex::create(&path, &tiny_encoder()).unwrap(), &list_release("1", &LABELS));
    (folder, path)
}

/// All that an index of one release can be asked.
#[derive(Debug, PartialEq)]
pub struct Held {
    rankings: Vec<Ranking>,
    release: Release,
    info: IndexInfo,
}

impl Held {
    /// What an index gives; an error is checked to name a file of it.
    pub fn by(index: &WorkIndex, root: &Path) -> Option<Self> {
        let held = || -> workindex::Result<Self> {
            let space = index.space("list/skill/en")?;
            let mut rankings = Vec::new();
            for rule in [Rule::default(), Rule::max_sim(), Rule::context_match(), Rule::mean_pool()] {
                rankings.push(space.rank_matrix(&query(), &RankOptions::full().rule(rule))?);
            }
            // A label, so that what it matches exactly is asked too.
            rankings.push(space.rank("Weld", &RankOptions::top(3))?);
            // Its size is no content.
            let info = IndexInfo { catalog_bytes: 0, reclaimable_bytes: 0, ..index.info()? };
            Ok(Self { rankings, release: index.release("list/skill/en")?, info })
        };
        held().inspect_err(|error| assert_names_a_file(error, root)).ok()
    }
}

fn query() -> workindex::TokenMatrix {
    tiny_encoder().encode("nurse").unwrap().matrix
}

/// A space of an index opens; or an error that was checked to name a file of it.
pub fn opens(index: &WorkIndex, root: &Path) -> bool {
    let ranked = index.space("list/skill/en").map(|space| {
        let ranked = space.rank_matrix(&query(), &RankOptions::full());
        ranked.unwrap_or_else(|error| panic!("{error}"))
    });
    ranked.inspect_err(|error| assert_names_a_file(error, root)).is_ok()
}

#[track_caller]
pub fn assert_names_a_file(error: &Error, root: &Path) {
    let path = match error {
        Error::Corrupt { path, .. } | Error::Version { path, .. } | Error::Io { path, .. } => path,
        Error::Catalog { path, .. } | Error::NotAnIndex { path, .. } | Error::Interrupted { path, .. } => path,
        Error::Encoder { path, .. } | Error::Tensor { path, .. } => path,
        // Names are what was damaged.
        Error::UnknownSpace { .. } | Error::InvalidName { .. } => return,
        other => panic!("an error about a file expected: {other:?}"),
    };
    assert!(path.starts_with(root), "{}", path.display());
}

/// Asserts that verification finds the file at fault.
#[track_caller]
pub fn assert_found(index: &WorkIndex, file: &Path, what: impl std::fmt::Display) {
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.problems.iter().any(|problem| problem.path == file), "{what}: {:?}", report.problems);
}

/// How much is damaged: one of so many places. All of them take hours.
pub fn one_in(default: usize) -> usize {
    std::env::var("WORKINDEX_TEST_ONE_IN").ok().and_then(|n| n.parse().ok()).filter(|&n| n > 0).unwrap_or(default)
}

/// A file of which single bytes are damaged and made whole again.
pub struct Damaged {
    file: File,
    pub sound: Vec<u8>,
}

impl Damaged {
    pub fn new(path: &Path) -> Self {
        let file = File::options().write(true).open(path).unwrap();
        Self { file, sound: std::fs::read(path).unwrap() }
    }

    /// Runs with some bits of a byte the other way.
    pub fn with(&mut self, at: usize, bits: u8, run: impl FnOnce()) {
        self.write(at, self.sound[at] ^ bits);
        run();
        self.write(at, self.sound[at]);
    }

    fn write(&mut self, at: usize, byte: u8) {
        self.file.seek(SeekFrom::Start(at as u64)).unwrap();
        self.file.write_all(&[byte]).unwrap();
    }
}

/// redb panics on some damaged files, by assertion or by index, and the panics are caught; this keeps them from
/// filling the output of the tests in this file.
pub fn be_quiet_about_redb() {
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

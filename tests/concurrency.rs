//! Readers in processes and threads, writers that come, die and come again: every answer is that of one committed state,
//! no reader goes back in time, nobody waits for a lock of the dead, and spaces outlive whatever they came from.

mod common;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::children::{child, heard, role, say};
use common::synthetic::Random;
use common::*;
use workindex::{
    Concept, Error, IndexWriter, Kind, Monitor, RankOptions, Release, ReleaseBuilder, Rule, Space, WorkIndex, reference,
};

/// Not a test of its own: what the children of the other tests do.
#[test]
fn child_process() {
    let Some((role, path, step)) = role() else { return };
    match role.as_str() {
        "reader" => read_until_over(&path),
        "writer" => write_on(&path, step),
        "opener" => {
            // Opened at a random moment of a commit, and gone again.
            let index = WorkIndex::open(&path).unwrap();
            Reader::default().ask(&index);
            say("asked");
        }
        "rival" => {
            for _ in 0..RIVAL_COMMITS {
                commit_as_a_rival(&path, &AtomicBool::new(false));
            }
            say("done");
        }
        other => panic!("no role {other}"),
    }
}

/// The one release of a state: its version says what is in it.
fn release_of(version: u64) -> Release {
    let n = 20 + version % 7;
    let labels: Vec<String> = (0..n).map(|at| format!("label {}", (version * 5 + at * at) % 211)).collect();
    list_release(&version.to_string(), &labels.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Goes from a state to the next one: the new release comes and the old one goes, in one commit.
fn advance(writer: &mut IndexWriter, version: u64, old: u64) {
    ingest_list(writer, &release_of(version));
    if old > 0 {
        writer.drop_release(&format!("list@{old}/skill/en")).unwrap();
    }
}

/// Commits state after state, compacting and collecting now and then, until the process is killed.
fn write_on(path: &Path, first: u64) {
    let mut writer = WorkIndex::writer(path).unwrap();
    say("ready");
    for version in first.. {
        if version % 4 == 1 {
            // Never committed, and so never seen.
            ingest_list(&mut writer, &list_release("999999", &["never"]));
            writer.abort();
        }
        advance(&mut writer, version, version - 1);
        match version % 5 {
            2 => drop(writer.collect().unwrap()),
            4 => drop(writer.compact(&Monitor::silent()).unwrap()),
            _ => assert!(writer.commit().unwrap()),
        }
        say(version);
    }
}

/// The version of the newest state.
fn newest(path: &Path) -> u64 {
    version_of(&WorkIndex::open(path).unwrap().space("list/skill/en").unwrap())
}

fn version_of(space: &Space) -> u64 {
    space.name().version().unwrap().parse().unwrap()
}

/// One that asks again and again, and knows what should come.
#[derive(Default)]
struct Reader {
    last: u64,
    asked: u64,
    /// Scores of a state by target, for the query.
    expected: HashMap<u64, Vec<f64>>,
    /// A space of an older state.
    kept: Option<Space>,
}

impl Reader {
    fn ask(&mut self, index: &WorkIndex) {
        let space = index.space("list/skill/en").unwrap();
        let version = version_of(&space);
        assert!(version >= self.last, "{version} after {}", self.last);
        self.check(&space);
        if let Some(kept) = self.kept.take() {
            self.check(&kept);
            self.kept = Some(kept);
        }
        if version > self.last + 3 {
            self.kept = Some(space);
        }
        self.last = version;
        self.asked += 1;
    }

    /// The answers of a space are those of the release that its version says, and so are its concepts.
    fn check(&mut self, space: &Space) {
        let (version, rule, query) = (version_of(space), Rule::default(), matrix_of("nurse"));
        if self.expected.len() > 1000 {
            self.expected.clear();
        }
        let expected = self.expected.entry(version).or_insert_with(|| {
            let release = release_of(version);
            release.concepts().iter().map(|c| reference::score(&rule, &query, &matrix_of(&c.label))).collect()
        });
        assert_eq!(space.len(), expected.len());
        let ranking = space.rank_matrix(&query, &RankOptions::top(8).rule(rule).serial()).unwrap();
        assert_eq!(ranking.len(), 8);
        let release = release_of(version);
        for hit in &ranking {
            assert!((f64::from(hit.score) - expected[hit.target]).abs() < 2e-3, "version {version}: {hit:?}");
            assert_eq!(hit.label, release.concepts()[hit.target].label);
        }
        let worst = f64::from(ranking[7].score);
        let better = expected.iter().filter(|score| **score > worst + 2e-3).count();
        assert!(better <= 7, "version {version}: {ranking:?}");
        let at = ranking[0].target;
        assert_eq!(space.concept(at).unwrap().unwrap(), release.concepts()[at]);
    }
}

/// Two threads ask until the index says that it is over. Says how often they asked.
fn read_until_over(path: &Path) {
    let index = WorkIndex::open(path).unwrap();
    say("ready");
    let asked = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut reader = Reader::default();
                while index.space("over/skill/en").is_err() {
                    index.refresh().unwrap();
                    reader.ask(&index);
                    let lists = index.info().unwrap().releases.iter().filter(|r| r.ontology == "list").count();
                    assert_eq!(lists, 1, "a state has one release");
                }
                asked.fetch_add(reader.asked, Ordering::Relaxed);
            });
        }
    });
    say(asked.into_inner());
}

/// Seconds that readers and writers are let loose on each other.
fn seconds() -> u64 {
    std::env::var("WORKINDEX_TEST_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

fn started(role: &str, path: &Path, step: u64) -> (Child, BufReader<ChildStdout>) {
    let (child, mut out) = child(role, path, step);
    assert_eq!(heard(&mut out).as_deref(), Some("ready"));
    (child, out)
}

#[test]
fn every_answer_is_of_one_committed_state_while_writers_come_and_die() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    advance(&mut writer, 1, 0);
    writer.commit().unwrap();
    drop(writer);
    let mut readers: Vec<_> = (0..2).map(|_| started("reader", &path, 0)).collect();
    let mut random = Random::new(RandomState::new().hash_one(0u64));
    let (start, mut kills) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds()) {
        let before = newest(&path);
        let (mut writer, mut out) = started("writer", &path, before + 1);
        let (mut opener, mut opened) = child("opener", &path, 0);
        std::thread::sleep(Duration::from_micros(random.next() % 300_000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        kills += 1;
        let done = std::iter::from_fn(|| heard(&mut out)).last().map_or(before, |line| line.parse().unwrap());
        // The lock went with its holder, and the state is the last one said, or the one after it.
        let taken = Instant::now();
        drop(WorkIndex::writer(&path).unwrap());
        assert!(taken.elapsed() < Duration::from_secs(5), "{:?}", taken.elapsed());
        let found = newest(&path);
        assert!(found == done || found == done + 1, "{found} after {done}");
        assert_eq!(heard(&mut opened).as_deref(), Some("asked"));
        assert!(opener.wait().unwrap().success());
    }
    let states = newest(&path);
    let mut writer = WorkIndex::writer(&path).unwrap();
    let mut over = ReleaseBuilder::new("over", "1", "en").unwrap();
    over.add(Concept::new("1", Kind::SKILL, "over"), "test", 1);
    ingest_list(&mut writer, &over.finish().0);
    writer.collect().unwrap();
    let asked: Vec<u64> = readers.iter_mut().map(|(_, out)| heard(out).unwrap().parse().unwrap()).collect();
    for (mut reader, _) in readers {
        assert!(reader.wait().unwrap().success());
    }
    eprintln!("{states} states, {kills} writers killed, as many readers opened beside them, {asked:?} answers");
    assert!(asked.iter().all(|&n| n > 20) && states > 10);
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// Verification beside a busy writer reads pages that change under its hands; none of that is damage.
#[test]
fn verification_beside_a_busy_writer_finds_nothing() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    advance(&mut writer, 1, 0);
    writer.commit().unwrap();
    drop(writer);
    let (mut writer, mut out) = started("writer", &path, 2);
    let (start, mut verified, mut compared) = (Instant::now(), 0u32, 0u32);
    let index = WorkIndex::open(&path).unwrap();
    while start.elapsed() < Duration::from_secs(seconds() / 2) || verified < 5 {
        let report = index.verify(&Monitor::silent()).unwrap();
        assert!(report.is_intact(), "{:?}", report.problems);
        verified += 1;
        compared += u32::from(report.catalog_compared);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let commits = std::iter::from_fn(|| heard(&mut out)).count();
    eprintln!("{verified} verifications beside {commits} commits, the pages of {compared} compared");
    assert!(compared > 0 && commits > 5);
}

/// How often each of those that want to write at a time gets to.
const RIVAL_COMMITS: u64 = 10;

/// Tries until it is the writer, and commits the release after the newest one.
fn commit_as_a_rival(path: &Path, writing: &AtomicBool) {
    let mut writer = loop {
        match WorkIndex::writer(path) {
            Ok(writer) => break writer,
            Err(error) => assert!(matches!(error, Error::Locked { .. }), "{error}"),
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    assert!(!writing.swap(true, Ordering::SeqCst), "two writers in one process");
    advance(&mut writer, newest(path) + 1, 0);
    writer.commit().unwrap();
    writing.store(false, Ordering::SeqCst);
}

/// Many that want to write at a time, in two processes and two threads: one gets it, the others are told, and no commit is
/// lost or made twice.
#[test]
fn of_rival_writers_one_writes() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    advance(&mut writer, 1, 0);
    writer.commit().unwrap();
    drop(writer);
    let mut rivals: Vec<_> = (0..2).map(|_| child("rival", &path, 0)).collect();
    let writing = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..RIVAL_COMMITS).for_each(|_| commit_as_a_rival(&path, &writing)));
        }
    });
    for (child, out) in &mut rivals {
        assert_eq!(heard(out).as_deref(), Some("done"));
        assert!(child.wait().unwrap().success());
    }
    // A commit each, and each found the one before it.
    let index = WorkIndex::open(&path).unwrap();
    let info = index.info().unwrap();
    assert_eq!((info.generation, newest(&path)), (1 + 4 * RIVAL_COMMITS, 1 + 4 * RIVAL_COMMITS));
    assert_eq!(info.releases.len() as u64, info.generation);
    assert_intact(&index);
}

/// Spaces rank on while the index and the writer they came beside are dropped, and their release is compacted away.
#[test]
fn spaces_outlive_the_index_and_the_writer() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    advance(&mut writer, 7, 0);
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap().with_threads(2).unwrap();
    let space = index.space("list/skill/en").unwrap();
    let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (space, mut reader) = (space.clone(), Reader::default());
                while !done.load(Ordering::Relaxed) {
                    reader.check(&space);
                    assert_eq!(answers(&space).len(), 9);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let wait_for_answers = || {
            let so_far = asked.load(Ordering::Relaxed);
            let start = Instant::now();
            while asked.load(Ordering::Relaxed) < so_far + 10 {
                assert!(start.elapsed() < Duration::from_secs(60), "the spaces no longer answer");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        wait_for_answers();
        drop(index);
        wait_for_answers();
        advance(&mut writer, 8, 7);
        drop(writer);
        wait_for_answers();
        let mut writer = WorkIndex::writer(&path).unwrap();
        advance(&mut writer, 8, 7);
        writer.compact(&Monitor::silent()).unwrap();
        wait_for_answers();
        drop(writer);
        wait_for_answers();
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(newest(&path), 8);
}

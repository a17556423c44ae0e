//! What happens to an index over the years: it is moved, copied while it is read and while it is written, reached from other
//! working folders, and takes thousands of small commits without growing beyond its content.

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::children::{AS_CHILD, heard, role, say, started, with_role};
use common::*;
use workindex::{Concept, Error, Kind, Monitor, Ranking, Release, ReleaseBuilder, WorkIndex};

/// Not a test of its own: what the children of the other tests do.
#[test]
fn child_process() {
    let Some((role, path, _)) = role() else { return };
    match role.as_str() {
        "relative" => {
            assert!(path.is_relative());
            let index = WorkIndex::open(&path).unwrap();
            let before = answers(&index.space("list/skill/en").unwrap());
            let mut writer = WorkIndex::writer(&path).unwrap();
            ingest_list(&mut writer, &list_release("2", &LABELS[..2]));
            writer.commit().unwrap();
            assert!(index.refresh().unwrap());
            assert_intact(&index);
            say(before.len());
        }
        other => panic!("no role {other}"),
    }
}

const LABELS: [&str; 6] = ["weld", "solder", "braze", "cut", "bend", "drill"];

fn index_of(path: &Path) -> Vec<Ranking> {
    let mut writer = list_index(path);
    ingest_list(&mut writer, &list_release("1", &LABELS));
    writer.commit().unwrap();
    answers(&WorkIndex::open(path).unwrap().space("list/skill/en").unwrap())
}

#[test]
fn a_relative_path_is_that_of_the_working_folder() {
    let (folder, path) = scratch();
    index_of(&path);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(AS_CHILD).current_dir(folder.path());
    with_role(&mut command, "relative", Path::new("work.index"), 0);
    let (mut child, mut out) = started(&mut command).unwrap();
    assert_eq!(heard(&mut out).as_deref(), Some("9"));
    assert!(child.wait().unwrap().success());
    assert_eq!(WorkIndex::open(&path).unwrap().info().unwrap().releases.len(), 2);
}

/// What is open goes on, as its files do; what is opened by the old path says that nothing is there.
#[cfg(unix)]
#[test]
fn an_index_is_moved_under_its_readers() {
    let (folder, path) = scratch();
    let expected = index_of(&path);
    let index = WorkIndex::open(&path).unwrap();
    let space = index.space("list/skill/en").unwrap();
    let moved = folder.path().join("moved.index");
    std::fs::rename(&path, &moved).unwrap();
    assert_eq!(answers(&space), expected);
    assert_eq!(space.concept(1).unwrap().unwrap().label, "solder");
    assert!(!index.refresh().unwrap());
    // Its segment is still mapped; when it is no more, its file is looked for by the old path.
    assert_eq!(answers(&index.space("list/skill/en").unwrap()), expected);
    drop(space);
    let error = index.space("list/skill/en").unwrap_err();
    assert!(matches!(&error, Error::Io { path: missing, .. } if missing.starts_with(&path)), "{error}");
    assert!(matches!(WorkIndex::open(&path), Err(Error::NotAnIndex { .. })));
    assert_eq!(answers(&WorkIndex::open(&moved).unwrap().space("list/skill/en").unwrap()), expected);
}

#[test]
fn a_copy_made_while_readers_rank_is_the_index() {
    let (folder, path) = scratch();
    let expected = index_of(&path);
    let index = WorkIndex::open(&path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    index.refresh().unwrap();
                    assert_eq!(answers(&index.space("list/skill/en").unwrap()), expected);
                }
            });
        }
        for n in 0..5 {
            let copy = folder.path().join(format!("copy-{n}"));
            copy_folder(&path, &copy);
            let index = WorkIndex::open(&copy).unwrap();
            assert_intact(&index);
            assert_eq!(answers(&index.space("list/skill/en").unwrap()), expected);
            WorkIndex::writer(&copy).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Not a procedure that anyone should rely on: but what comes of it is whole, or is refused, or verification says so.
#[test]
fn a_copy_made_while_a_writer_commits_is_whole_or_found_out() {
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    let done = AtomicBool::new(false);
    let (mut whole, mut refused, mut found) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut version = 0u64;
            while !done.load(Ordering::Relaxed) {
                version += 1;
                ingest_list(&mut writer, &release_of(version, 30));
                if version > 3 {
                    writer.drop_release(&format!("list@{}/skill/en", version - 3)).unwrap();
                }
                writer.commit().unwrap();
                if version.is_multiple_of(10) {
                    writer.compact(&Monitor::silent()).unwrap();
                }
            }
        });
        for n in 0..40 {
            let copy = folder.path().join(format!("copy-{n}"));
            // A file that is listed may be gone before it is copied.
            let copied = std::panic::catch_unwind(|| copy_folder(&path, &copy));
            match WorkIndex::open(&copy).and_then(|index| Ok((index.verify(&Monitor::silent())?, index))) {
                Ok((report, index)) if report.is_intact() => {
                    for release in index.info().unwrap().releases {
                        let stored = index.release(&release.spaces[0].name).unwrap();
                        assert_eq!(stored, release_of(release.version.parse().unwrap(), 30));
                    }
                    whole += 1;
                }
                Ok(_) => found += 1,
                Err(_) => refused += 1,
            }
            drop(copied);
        }
        done.store(true, Ordering::Relaxed);
    });
    eprintln!("40 copies beside a busy writer: {whole} whole, {found} found out by verification, {refused} refused");
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// A release of which the next one keeps all but one label.
fn release_of(version: u64, n: u64) -> Release {
    let mut builder = ReleaseBuilder::new("list", &version.to_string(), "en").unwrap();
    for at in version..version + n {
        let mut concept =
            Concept::new(format!("id-{at}"), Kind::SKILL, format!("do {at} things of kind {}", at * at % 7919));
        concept.alternative_labels = vec![format!("thing {at}"), format!("{at} things")];
        concept.description = Some(format!("{at} is a number, and to do so many things is a skill"));
        builder.add(concept, "life", at);
    }
    builder.finish().0
}

/// How many small commits are made; 10,000 of them take minutes.
fn commits() -> u64 {
    std::env::var("WORKINDEX_TEST_COMMITS").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

#[test]
fn thousands_of_small_commits_stay_within_a_factor_of_their_content() {
    const KEPT: u64 = 3;
    let ((folder, path), n) = (scratch(), commits());
    let mut writer = list_index(&path);
    let (mut tenths, mut start, mut largest) = (Vec::new(), Instant::now(), 0);
    for version in 1..=n {
        ingest_list(&mut writer, &release_of(version, 40));
        if version > KEPT {
            writer.drop_release(&format!("list@{}/skill/en", version - KEPT)).unwrap();
        }
        match version % 25 {
            // Commits too.
            0 => drop(writer.collect().unwrap()),
            _ => assert!(writer.commit().unwrap()),
        }
        if version % (n / 10) == 0 {
            tenths.push(std::mem::replace(&mut start, Instant::now()).elapsed() / (n / 10) as u32);
            largest = largest.max(size_of_folder(&path));
        }
    }
    writer.collect().unwrap();
    let collected = size_of_folder(&path);
    writer.compact(&Monitor::silent()).unwrap();
    let compacted = size_of_folder(&path);
    assert_intact(&WorkIndex::open(&path).unwrap());
    // The same content, written at once.
    let fresh_path = folder.path().join("fresh.index");
    let mut fresh = list_index(&fresh_path);
    (n - KEPT + 1..=n).for_each(|version| drop(ingest_list(&mut fresh, &release_of(version, 40))));
    fresh.compact(&Monitor::silent()).unwrap();
    let content = size_of_folder(&fresh_path);
    let times: Vec<String> = tenths.iter().map(|time: &Duration| format!("{:.1}", time.as_secs_f64() * 1e3)).collect();
    eprintln!(
        "{n} commits: {content} bytes of content, {collected} collected, {compacted} compacted, {largest} at most; ms a commit: {}",
        times.join(" ")
    );
    assert!(compacted <= content + content / 4, "{compacted} bytes of {content}");
    // Each commit leaves a segment of its own, of which a release keeps one text: what compaction is for.
    assert!(collected <= 12 * content, "{collected} bytes of {content}");
}

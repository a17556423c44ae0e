//! Processes beside each other: one writes, the others read on; a second writer is told so at once; and a writer that
//! is killed at any moment leaves the old state or the new one, which opens by itself.

mod common;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

use common::children::{child, heard, role, say};
use common::*;
use workindex::{Error, IndexWriter, Monitor, Release, WorkIndex};

/// Not a test of its own: what the children of the other tests do.
#[test]
fn child_process() {
    let Some((role, path, step)) = role() else { return };
    match role.as_str() {
        "second-writer" => match WorkIndex::writer(&path) {
            Err(Error::Locked { .. }) => say("locked"),
            other => say(format!("{other:?}")),
        },
        "peek" => say(versions(&WorkIndex::open(&path).unwrap())),
        "reader" => read_on(&path),
        "writer" => write_on(&path, step),
        "creator" => {
            for n in 0.. {
                drop(list_index(&path.join(format!("{n}.index"))));
                say(n);
            }
        }
        "idle-writer" => {
            let mut writer = WorkIndex::writer(&path).unwrap();
            ingest_list(&mut writer, &list_release("uncommitted", &["nothing"]));
            say("ready");
            std::thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no role {other}"),
    }
}

fn versions(index: &WorkIndex) -> String {
    let releases = index.info().unwrap().releases;
    releases.into_iter().map(|release| release.version).collect::<Vec<_>>().join(",")
}

/// Ranks and refreshes until the newest release is the last one, saying each version that it met.
fn read_on(path: &Path) {
    let index = WorkIndex::open(path).unwrap();
    say("ready");
    let mut last = usize::MAX;
    loop {
        let space = index.space("list/skill/en").unwrap();
        let version: usize = space.name().version().unwrap().parse().unwrap();
        // Release n has n + 1 concepts: a mixture of two states would show.
        assert!(answers(&space).iter().all(|ranking| ranking.len() == version + 1));
        if version != last {
            say(version);
            last = version;
        }
        if version == LAST_VERSION {
            return;
        }
        index.refresh().unwrap();
    }
}

const LAST_VERSION: usize = 8;
const LABELS: [&str; 9] = ["weld", "solder", "braze", "cut", "bend", "drill", "mill", "turn", "saw"];

#[test]
fn readers_in_other_processes_follow_the_commits() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("0", &LABELS[..1]));
    writer.commit().unwrap();
    let mut readers: Vec<_> = (0..2).map(|_| child("reader", &path, 0)).collect();
    for (_, out) in &mut readers {
        assert_eq!(heard(out).as_deref(), Some("ready"));
        assert_eq!(heard(out).as_deref(), Some("0"));
    }
    for version in 1..=LAST_VERSION {
        ingest_list(&mut writer, &list_release(&version.to_string(), &LABELS[..=version]));
        if version == 1 {
            let (mut peek, mut out) = child("peek", &path, 0);
            assert_eq!(heard(&mut out).as_deref(), Some("0"), "another process sees nothing before the commit");
            assert!(peek.wait().unwrap().success());
        }
        writer.drop_release(&format!("list@{}/skill/en", version - 1)).unwrap();
        writer.commit().unwrap();
        if version.is_multiple_of(2) {
            writer.compact(&Monitor::silent()).unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for (mut reader, mut out) in readers {
        let seen: Vec<usize> = std::iter::from_fn(|| heard(&mut out)).map(|line| line.parse().unwrap()).collect();
        assert!(reader.wait().unwrap().success(), "{seen:?}");
        assert!(seen.is_sorted() && seen.last() == Some(&LAST_VERSION), "{seen:?}");
    }
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn a_second_writer_is_told_at_once() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    assert!(matches!(WorkIndex::writer(&path), Err(Error::Locked { .. })), "in the same process");
    ingest_list(&mut writer, &list_release("1", &["weld"]));
    let start = Instant::now();
    let (mut second, mut out) = child("second-writer", &path, 0);
    assert_eq!(heard(&mut out).as_deref(), Some("locked"));
    assert!(second.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // The first one is not disturbed, and the lock goes with it.
    writer.commit().unwrap();
    drop(writer);
    WorkIndex::writer(&path).unwrap();
}

/// What an index should hold: for each version the seed of its labels.
type State = BTreeMap<String, u64>;

/// What the writer does at a step, as far as a reader can see it.
fn apply(state: &mut State, step: u64) {
    match step % 5 {
        0 => drop(state.insert(format!("{step:06}"), step)),
        // One commit of two releases: a new one, and the oldest with other content.
        1 => {
            if let Some(seed) = state.values_mut().next() {
                *seed = step;
            }
            state.insert(format!("{step:06}"), step);
        }
        3 if state.len() > 2 => drop(state.pop_first()),
        // Collects, or compacts.
        _ => {}
    }
}

fn state_after(steps: u64) -> State {
    let mut state = State::new();
    (0..steps).for_each(|step| apply(&mut state, step));
    state
}

fn release_of(version: &str, seed: u64) -> Release {
    let labels: Vec<String> = (0..12).map(|n| format!("label {}", (seed * 7 + n * n) % 97)).collect();
    list_release(version, &labels.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Brings the index from the state after `step` steps to the next, for ever; says each step when it is done.
fn write_on(path: &Path, first: u64) {
    let mut writer = WorkIndex::writer(path).unwrap();
    let mut state = state_after(first);
    say("ready");
    for step in first.. {
        write_step(&mut writer, &mut state, step);
        say(step);
    }
}

fn write_step(writer: &mut IndexWriter, state: &mut State, step: u64) {
    let before = std::mem::take(state);
    *state = before.clone();
    apply(state, step);
    for gone in before.keys().filter(|version| !state.contains_key(*version)) {
        writer.drop_release(&format!("list@{gone}/skill/en")).unwrap();
    }
    for (version, seed) in state.iter().filter(|(version, seed)| before.get(*version) != Some(seed)) {
        ingest_list(writer, &release_of(version, *seed));
    }
    match step % 5 {
        2 => writer.collect().map(drop).unwrap(),
        4 => writer.compact(&Monitor::silent()).map(drop).unwrap(),
        _ => writer.commit().map(drop).unwrap(),
    }
}

/// The releases of an index as a [`State`], its contents compared with what each seed makes.
fn state_of(index: &WorkIndex, candidates: &[&State]) -> State {
    let mut state = State::new();
    for release in index.info().unwrap().releases {
        let name = format!("list@{}/skill/en", release.version);
        let stored = index.release(&name).unwrap();
        let seeds = candidates.iter().filter_map(|candidate| candidate.get(&release.version));
        let seed = seeds.copied().find(|seed| release_of(&release.version, *seed) == stored);
        state.insert(release.version, seed.unwrap_or(u64::MAX));
        answers(&index.space(&name).unwrap());
    }
    state
}

/// SIGKILL at a random moment of a loop of ingests, drops, commits, collections and compactions. After each the index
/// opens by itself, holds exactly the last commit that returned or the one that was under way, and is intact.
#[test]
fn a_killed_writer_leaves_the_old_state_or_the_new_one() {
    // In about four seconds on two cores.
    const KILLS: usize = 25;
    let start = Instant::now();
    let (folder, path) = scratch();
    drop(list_index(&path));
    let copy = folder.path().join("crashed");
    let (mut done, mut interrupted, mut steps) = (0u64, 0, 0);
    let mut random = RandomState::new().hash_one(0u64);
    for kill in 0..KILLS {
        if start.elapsed() > Duration::from_secs(40) {
            eprintln!("stopped after {kill} kills: this machine is busy");
            assert!(kill >= 5);
            break;
        }
        let (mut writer, mut out) = child("writer", &path, done);
        assert_eq!(heard(&mut out).as_deref(), Some("ready"));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_micros((random >> 33) % 120_000);
        std::thread::sleep(wait);
        writer.kill().unwrap();
        writer.wait().unwrap();
        while let Some(step) = heard(&mut out) {
            done = step.parse::<u64>().unwrap() + 1;
            steps += 1;
        }
        // A process that may not write, or another machine, finds the same as the one that repairs.
        if kill == 0 {
            copy_folder(&path, &copy);
        }
        let (old, new) = (state_after(done), state_after(done + 1));
        let index = WorkIndex::open(&path).unwrap_or_else(|error| panic!("kill {kill} after {wait:?}: {error}"));
        let found = state_of(&index, &[&old, &new]);
        assert!(found == old || found == new, "kill {kill} after {wait:?}, step {done}: {found:?}");
        assert_intact(&index);
        interrupted += usize::from(found != old);
        if found == new && old != new {
            done += 1;
        }
        let mut writer = WorkIndex::writer(&path).unwrap();
        writer.collect().unwrap();
        index.refresh().unwrap();
        let names = segment_names(&path);
        assert_eq!(names.len() as u64, index.info().unwrap().segments, "{names:?}");
        assert!(names.iter().all(|name| name.ends_with(".seg")), "{names:?}");
        assert_eq!(state_of(&index, &[&found]), found);
        assert_intact(&index);
    }
    assert_intact(&WorkIndex::open(&copy).unwrap());
    eprintln!("{KILLS} kills, {steps} steps done, {interrupted} commits durable but not yet reported");
}

/// SIGKILL while indexes are being created one after the other: each is there whole, or not at all.
#[test]
fn a_killed_creation_leaves_an_index_or_none() {
    for kill in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let (mut creator, mut out) = child("creator", folder.path(), 0);
        assert_eq!(heard(&mut out).as_deref(), Some("0"));
        std::thread::sleep(Duration::from_millis(7 * kill + 3));
        creator.kill().unwrap();
        creator.wait().unwrap();
        let said = std::iter::from_fn(|| heard(&mut out)).last().map_or(0, |line| line.parse().unwrap());
        let mut found = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_str().unwrap().starts_with(".workindex-creating-") {
                continue;
            }
            assert_intact(&WorkIndex::open(entry.path()).unwrap());
            ingest_list(&mut WorkIndex::writer(entry.path()).unwrap(), &list_release("1", &["weld"]));
            found += 1;
        }
        assert!(found == said + 1 || found == said + 2, "{found} indexes, {said} said");
    }
}

/// Readers outlive the writer; new ones open at once after it, and so does the next writer.
#[test]
fn readers_go_on_when_the_writer_dies() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    drop(writer);
    let index = WorkIndex::open(&path).unwrap();
    let space = index.space("list/skill/en").unwrap();
    let before = answers(&space);
    let (mut writer, mut out) = child("idle-writer", &path, 0);
    assert_eq!(heard(&mut out).as_deref(), Some("ready"));
    let beside = WorkIndex::open(&path).unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    for index in [&index, &beside] {
        assert_eq!(answers(&index.space("list/skill/en").unwrap()), before);
        index.refresh().unwrap();
    }
    let after = WorkIndex::open(&path).unwrap();
    assert_eq!(versions(&after), "1");
    assert_intact(&after);
    assert_eq!(answers(&space), before);
    let mut writer = WorkIndex::writer(&path).unwrap();
    assert!(segment_names(&path).iter().all(|name| name.ends_with(".seg")));
    ingest_list(&mut writer, &list_release("2", &["sing"]));
    writer.commit().unwrap();
    for index in [&index, &beside, &after] {
        assert!(index.refresh().unwrap());
        assert_eq!(versions(index), "1,2");
    }
}

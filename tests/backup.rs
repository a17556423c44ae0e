//! A backup is a committed state, whole and intact, whatever a writer does meanwhile; and one that cannot be made leaves
//! nothing behind.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use workindex::{CancelToken, Error, Monitor, Stage, WorkIndex};

fn back_up(from: &Path, to: &Path) -> workindex::BackupReport {
    WorkIndex::open(from).unwrap().backup(to, &Monitor::silent()).unwrap()
}

#[test]
fn a_backup_is_an_index_with_the_same_answers_and_a_life_of_its_own() {
    let (folder, path, index) = mini_index("1.0.0");
    let copy = folder.path().join("deep/er/copy.index");
    let report = back_up(&path, &copy);
    assert_eq!((report.releases, report.segments, report.generation), (1, 1, 1));
    let copied = WorkIndex::open(&copy).unwrap();
    assert_intact(&copied);
    for name in ["esco/skill/en", "esco/occupation/en"] {
        let options = workindex::RankOptions::full();
        let texts = ["nurse", "data engineer"];
        let [old, new] = [&index, &copied].map(|index| index.space(name).unwrap());
        let rank = |space: &workindex::Space| space.rank_batch(&texts, &options, &Monitor::silent()).unwrap();
        assert_eq!(rank(&old), rank(&new));
        assert_eq!(index.release(name).unwrap(), copied.release(name).unwrap());
    }
    // The catalog of the copy is no larger than that of the index, and the rest is as large.
    assert!(report.bytes <= size_of_folder(&path), "{} of {}", report.bytes, size_of_folder(&path));
    // Neither follows the other.
    std::fs::remove_dir_all(&path).unwrap();
    let mut writer = WorkIndex::writer(&copy).unwrap();
    ingest(&mut writer, &mini_esco("1.1.0"));
    copied.refresh().unwrap();
    assert_eq!(copied.info().unwrap().releases.len(), 2);
    assert_intact(&copied);
}

#[test]
fn a_place_that_is_taken_is_refused_and_an_empty_folder_is_filled() {
    let (folder, path, _) = mini_index("1.0.0");
    let index = WorkIndex::open(&path).unwrap();
    let taken = index.backup(&path, &Monitor::silent());
    assert!(matches!(taken, Err(Error::AlreadyExists { path: at }) if at == path));
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    index.backup(&empty, &Monitor::silent()).unwrap();
    assert_intact(&WorkIndex::open(&empty).unwrap());
    assert_eq!(names(folder.path()), ["empty", "work.index"]);
}

#[test]
fn what_is_damaged_is_not_copied_and_nothing_is_left() {
    let (folder, path, _) = mini_index("1.0.0");
    let segment = only_segment(&path);
    let model = std::fs::read_dir(path.join("encoders")).unwrap().next().unwrap().unwrap().path().join("config.json");
    for file in [segment, model] {
        let sound = std::fs::read(&file).unwrap();
        let mut damaged = sound.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let copied = WorkIndex::open(&path).unwrap().backup(folder.path().join("copy"), &Monitor::silent());
        // The file of the index, not of the copy that is no more.
        match copied {
            Err(Error::Corrupt { path: at, .. }) => {
                assert!(file.starts_with(&at), "{} for {}", at.display(), file.display())
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(names(folder.path()), ["work.index"]);
        std::fs::write(&file, &sound).unwrap();
    }
    back_up(&path, &folder.path().join("copy"));
}

#[test]
fn a_cancelled_backup_leaves_nothing() {
    let (folder, path, index) = mini_index("1.0.0");
    for stage in [Stage::Writing, Stage::Verifying] {
        let cancel = CancelToken::new();
        let raised = cancel.clone();
        let monitor = Monitor::new(
            move |progress| {
                if progress.stage == stage {
                    raised.cancel()
                }
            },
            cancel,
        );
        assert!(matches!(index.backup(folder.path().join("copy"), &monitor), Err(Error::Cancelled)));
        assert_eq!(names(folder.path()), ["work.index"]);
    }
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// Release n has the labels 0 to n, so that its version says what it must hold.
fn numbered(version: usize) -> workindex::Release {
    let labels: Vec<String> = (0..=version % 5).map(|n| format!("label {version} {n}")).collect();
    list_release(&version.to_string(), &labels.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn backups_beside_a_busy_writer_are_committed_states() {
    const COPIES: usize = 12;
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &numbered(0));
    writer.commit().unwrap();
    let (done, root) = (AtomicBool::new(false), folder.path());
    let (done, path) = (&done, &path);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for version in (1..).take_while(|_| !done.load(Ordering::Relaxed)) {
                // Always exactly one release in a committed state.
                ingest_list(&mut writer, &numbered(version));
                writer.drop_release(&format!("list@{}/skill/en", version - 1)).unwrap();
                match version % 3 {
                    0 => drop(writer.collect().unwrap()),
                    1 => drop(writer.compact(&Monitor::silent()).unwrap()),
                    _ => drop(writer.commit().unwrap()),
                }
            }
        });
        let mut versions = Vec::new();
        for copy in 0..COPIES {
            let to = root.join(format!("copy-{copy}"));
            back_up(path, &to);
            let copied = WorkIndex::open(&to).unwrap();
            assert_intact(&copied);
            let releases = copied.info().unwrap().releases;
            assert_eq!(releases.len(), 1, "{releases:?}");
            let version: usize = releases[0].version.parse().unwrap();
            assert_eq!(copied.release("list/skill/en").unwrap(), numbered(version));
            answers(&copied.space("list/skill/en").unwrap());
            versions.push(version);
        }
        done.store(true, Ordering::Relaxed);
        assert!(versions.is_sorted(), "{versions:?}");
    });
}

/// Copies of the files themselves, made while a writer works, in any order: they open as a committed state, or are refused, or
/// verification finds them out. (A `backup` is always good.)
#[test]
fn plain_copies_made_while_something_writes_are_states_or_found_out() {
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &numbered(0));
    writer.commit().unwrap();
    let done = AtomicBool::new(false);
    let (done, path, root) = (&done, &path, folder.path());
    let (mut good, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for version in (1..).take_while(|_| !done.load(Ordering::Relaxed)) {
                ingest_list(&mut writer, &numbered(version));
                writer.drop_release(&format!("list@{}/skill/en", version - 1)).unwrap();
                writer.collect().unwrap();
            }
        });
        for copy in 0..30 {
            let to = root.join(format!("copy-{copy}"));
            match copied_and_opened(path, &to, copy % 2 == 0) {
                Some(version) => {
                    good += 1;
                    let copied = WorkIndex::open(&to).unwrap();
                    assert_eq!(copied.release("list/skill/en").unwrap(), numbered(version));
                    answers(&copied.space("list/skill/en").unwrap());
                }
                None => refused += 1,
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    eprintln!("{good} copies were a state, {refused} were refused or found damaged");
}

/// The version in a plain copy, if it opens and is verified.
fn copied_and_opened(from: &Path, to: &Path, catalog_first: bool) -> Option<usize> {
    std::fs::create_dir_all(to.join("segments")).unwrap();
    std::fs::create_dir_all(to.join("encoders")).unwrap();
    let catalog = || std::fs::copy(from.join("catalog.redb"), to.join("catalog.redb")).unwrap();
    if catalog_first {
        catalog();
    }
    for name in segment_names(from) {
        // It may go while it is looked for.
        let _ = std::fs::copy(from.join("segments").join(&name), to.join("segments").join(&name));
    }
    if !catalog_first {
        catalog();
    }
    let index = WorkIndex::open(to).ok()?;
    let report = index.verify(&Monitor::silent()).ok()?;
    let releases = index.info().ok()?.releases;
    if !report.is_intact() || releases.len() != 1 {
        return None;
    }
    releases[0].version.parse().ok()
}

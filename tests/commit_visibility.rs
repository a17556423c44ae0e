//! A commit is the one moment at which changes become visible: nothing before it, everything with it, and whoever
//! holds an older state keeps it.

mod common;

use common::*;
use workindex::{CancelToken, Error, IngestOptions, Monitor, Progress, Stage, WorkIndex};

#[test]
fn nothing_is_visible_before_the_commit() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let before = WorkIndex::open(&path).unwrap();
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    ingest_list(&mut writer, &list_release("2", &["weld", "sing"]));
    for index in [&before, &WorkIndex::open(&path).unwrap()] {
        assert!(!index.refresh().unwrap());
        assert!(matches!(index.space("list/skill/en"), Err(Error::UnknownSpace { .. })));
        assert_eq!(index.info().unwrap().segments, 0);
    }
    assert!(writer.commit().unwrap());
    // A handle stays where it is until it is told to move on; a new one sees the commit.
    assert!(matches!(before.space("list/skill/en"), Err(Error::UnknownSpace { .. })));
    assert_eq!(WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap().len(), 2);
    assert!(before.refresh().unwrap());
    assert!(!before.refresh().unwrap());
    // Both releases came with the one commit.
    let info = before.info().unwrap();
    assert_eq!((info.generation, info.releases.len()), (1, 2));
    assert_eq!(before.space("list@1/skill/en").unwrap().len(), 2);
    assert!(!writer.commit().unwrap(), "nothing is left to commit");
    assert_intact(&before);
}

#[test]
fn aborting_and_dropping_the_writer_discard() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld"]));
    writer.commit().unwrap();
    let files = segment_names(&path);
    ingest_list(&mut writer, &list_release("2", &["sing"]));
    writer.drop_release("list@1/skill/en").unwrap();
    assert!(segment_names(&path).len() > files.len(), "the new segment is staged");
    writer.abort();
    assert_eq!(segment_names(&path), files);
    assert!(!writer.commit().unwrap());
    // The writer goes on after an abort; what it leaves uncommitted goes with it.
    ingest_list(&mut writer, &list_release("3", &["dance"]));
    drop(writer);
    assert_eq!(segment_names(&path), files);
    let index = WorkIndex::open(&path).unwrap();
    let versions: Vec<String> = index.info().unwrap().releases.into_iter().map(|release| release.version).collect();
    assert_eq!(versions, ["1"]);
    assert_intact(&index);
}

#[test]
fn a_space_keeps_its_answers_whatever_happens_to_its_release() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let mut release = list_release("1", &["weld", "solder", "braze"]);
    ingest_list(&mut writer, &release);
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let space = index.space("list/skill/en").unwrap();
    let before = answers(&space);
    writer.drop_release("list@1/skill/en").unwrap();
    writer.collect().unwrap();
    release = list_release("2", &["teach", "sing"]);
    ingest_list(&mut writer, &release);
    writer.commit().unwrap();
    writer.compact(&Monitor::silent()).unwrap();
    index.refresh().unwrap();
    assert_eq!(answers(&space), before);
    assert_eq!(space.concept(2).unwrap().unwrap().label, "braze");
    assert_eq!(index.space("list/skill/en").unwrap().len(), 2);
    assert!(matches!(index.space("list@1/skill/en"), Err(Error::UnknownSpace { .. })));
}

/// A handle that pinned a state before its segments were collected finds the newest state instead of a missing file.
#[test]
fn a_handle_whose_segments_were_collected_moves_on() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let clones = [index.clone(), index.clone()];
    ingest_list(&mut writer, &list_release("2", &["teach"]));
    writer.drop_release("list@1/skill/en").unwrap();
    writer.collect().unwrap();
    assert_intact(&index);
    assert_eq!(index.space("list/skill/en").unwrap().name().version(), Some("2"));
    assert!(matches!(clones[0].space("list@1/skill/en"), Err(Error::UnknownSpace { .. })));
    assert_eq!(clones[1].space("list/skill/en").unwrap().len(), 1);
}

#[test]
fn a_writer_that_could_not_write_refuses_to_go_on_and_the_last_commit_stands() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    let segments = path.join("segments");
    std::fs::rename(&segments, path.join("away")).unwrap();
    let release = list_release("2", &["weld", "sing"]);
    let matrices: Vec<_> = release.concepts().iter().map(|concept| matrix_of(&concept.label)).collect();
    let failed = writer.ingest_matrices(&release, &matrices, &Monitor::silent()).unwrap_err();
    assert!(matches!(failed, Error::Io { .. }), "{failed}");
    std::fs::rename(path.join("away"), &segments).unwrap();
    assert!(matches!(writer.commit().unwrap_err(), Error::Poisoned { .. }));
    drop(writer);
    let mut writer = WorkIndex::writer(&path).unwrap();
    ingest_list(&mut writer, &release);
    assert!(writer.commit().unwrap());
    assert_eq!(WorkIndex::open(&path).unwrap().info().unwrap().generation, 2);
}

#[test]
fn a_cancelled_ingest_leaves_the_old_state_and_no_file() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &mini_esco_dutch());
    let files = segment_names(&path);
    let release = mini_esco("1.0.0");
    for stage in [Stage::Encoding, Stage::Writing] {
        let cancel = CancelToken::new();
        let raise = cancel.clone();
        let at_stage = move |progress: Progress| {
            if progress.stage == stage {
                raise.cancel();
            }
        };
        let result = writer.ingest(&release, &IngestOptions::default(), &Monitor::new(at_stage, cancel));
        match result {
            Err(error) => assert!(matches!(error, Error::Cancelled), "{error}"),
            // Cancelled after the last check: then it is whole, and goes with an abort.
            Ok(report) => assert!(stage == Stage::Writing && !report.unchanged),
        }
        writer.abort();
        assert_eq!(segment_names(&path), files, "{stage:?}");
    }
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.info().unwrap().releases.len(), 1);
    assert_intact(&index);
    // The same writer does it right the next time.
    assert!(ingest(&mut writer, &release).embedded > 500);
    assert!(index.refresh().unwrap());
    assert_intact(&index);
}

#[test]
fn readers_in_threads_see_old_or_new_and_never_go_back() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("0", &["weld"]));
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    index.refresh().unwrap();
                    let space = index.space("list/skill/en").unwrap();
                    // Release n has n + 1 concepts, and releases come in order.
                    let version: usize = space.name().version().unwrap().parse().unwrap();
                    assert_eq!(space.len(), version + 1);
                    assert!(version >= last, "{version} after {last}");
                    assert!(answers(&space).iter().all(|ranking| ranking.len() == version + 1));
                    last = version;
                }
            });
        }
        let labels = ["weld", "solder", "braze", "cut", "bend", "drill", "mill", "turn", "saw", "file"];
        for version in 1..labels.len() {
            ingest_list(&mut writer, &list_release(&version.to_string(), &labels[..=version]));
            writer.drop_release(&format!("list@{}/skill/en", version - 1)).unwrap();
            writer.commit().unwrap();
            match version % 3 {
                0 => writer.compact(&Monitor::silent()).map(drop).unwrap(),
                1 => writer.collect().map(drop).unwrap(),
                _ => {}
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_intact(&index);
}

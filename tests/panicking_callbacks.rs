//! A progress callback of the application panics: the panic comes through, nothing hangs, what was committed stays as it is,
//! and a writer that was interrupted so commits nothing more.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use common::*;
use workindex::{
    Error, IndexInfo, IndexWriter, IngestOptions, Monitor, Progress, RankOptions, Result, Stage, WorkIndex,
};

/// Two segments in an index with an encoder.
fn index_of_two_segments() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &mini_esco_dutch());
    ingest(&mut writer, &list_release("1", &["weld"]));
    (folder, path)
}

/// A callback that panics at a stage; without a word, so that the output of the tests stays readable.
fn panics_at(stage: Stage) -> Monitor {
    let at_stage = move |progress: Progress| {
        if progress.stage == stage {
            resume_unwind(Box::new("the callback panics"));
        }
    };
    Monitor::new(at_stage, Default::default())
}

fn assert_panics<T>(work: impl FnOnce() -> Result<T>) {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(work()))).expect_err("the callback panics");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the callback panics"));
}

/// Interrupts a writer; afterwards the index is what it was, and the next writer does what this one should have done.
fn assert_old_state_after(path: &Path, interrupted: impl Fn(&mut IndexWriter)) {
    let (index, files) = (WorkIndex::open(path).unwrap(), segment_names(path));
    // But for the size of the catalog: closing it gives pages back.
    let held = || IndexInfo { catalog_bytes: 0, reclaimable_bytes: 0, ..index.info().unwrap() };
    let before = held();
    let mut writer = WorkIndex::writer(path).unwrap();
    interrupted(&mut writer);
    assert!(matches!(writer.commit(), Err(Error::Poisoned { .. })));
    assert!(matches!(writer.collect(), Err(Error::Poisoned { .. })));
    assert!(
        matches!(WorkIndex::writer(path), Err(Error::Locked { .. })),
        "the lock is the writer's until it is dropped"
    );
    drop(writer);
    assert!(!index.refresh().unwrap());
    assert_eq!(held(), before);
    assert_eq!(segment_names(path), files);
    assert_intact(&index);
}

#[test]
fn while_ingesting() {
    let (_folder, path) = index_of_two_segments();
    let release = mini_esco("1.0.0");
    for stage in [Stage::Encoding, Stage::Writing] {
        assert_old_state_after(&path, |writer| {
            assert_panics(|| writer.ingest(&release, &IngestOptions::default(), &panics_at(stage)));
        });
    }
    assert!(ingest(&mut WorkIndex::writer(&path).unwrap(), &release).embedded > 500);
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn while_compacting() {
    let (_folder, path) = index_of_two_segments();
    assert_old_state_after(&path, |writer| assert_panics(|| writer.compact(&panics_at(Stage::Writing))));
    WorkIndex::writer(&path).unwrap().compact(&Monitor::silent()).unwrap();
    only_segment(&path);
    assert_intact(&WorkIndex::open(&path).unwrap());
}

#[test]
fn while_ranking_and_verifying() {
    let (_folder, path) = index_of_two_segments();
    let index = WorkIndex::open(&path).unwrap().with_threads(2).unwrap();
    let space = index.space("esco/skill/nl").unwrap();
    let queries = ["lassen", "verpleegkundige", "leraar"];
    let rank = |monitor: &Monitor| space.rank_batch(&queries, &RankOptions::top(3), monitor);
    let before = rank(&Monitor::silent()).unwrap();
    for stage in [Stage::Encoding, Stage::Ranking] {
        assert_panics(|| rank(&panics_at(stage)));
        assert_eq!(rank(&Monitor::silent()).unwrap(), before);
    }
    assert_panics(|| index.verify(&panics_at(Stage::Verifying)));
    assert_intact(&index);
}

//! The operating system refuses a reader's n-th operation: it gets a typed error or right answers, and the index is as it
//! was. The same where the writer before it was killed, so that the reader first brings the catalog to its last commit.

use std::path::Path;
use std::sync::Arc;

use super::faults::assert_says_what_failed;
use super::one_in;
use super::oracle::{State, assert_survived, copy, scratch};
use super::scenario::{INDEX, Stage, drop_first, with_three};
use crate::error::Result;
use crate::index::WorkIndex;
use crate::monitor::Monitor;
use crate::storage::simulated::{Fault, FaultAt, gated};
use crate::storage::{Files, Paths};

#[test]
fn a_refused_reader_answers_rightly_or_not_at_all() {
    let mut tried = 0;
    for (dirty, before) in [(false, at_rest()), (true, interrupted())] {
        let expected = State::of(copied(before.path()).path());
        for fault in Fault::ALL {
            for lasts in [false, true].into_iter().filter(|lasts| fault != Fault::Signal || !lasts) {
                for n in (0..).step_by(one_in(3)) {
                    let folder = copied(before.path());
                    let gate = Arc::new(FaultAt::new(fault, n, lasts));
                    let what = format!("{fault:?} at {n}, lasts: {lasts}, after a crash: {dirty}");
                    match read(folder.path(), &gate) {
                        Ok(state) => assert_eq!(state, expected, "{what}"),
                        Err(error) => assert_says_what_failed(&error, folder.path()),
                    }
                    if !gate.struck() {
                        break;
                    }
                    tried += 1;
                    assert_survived(folder.path(), std::slice::from_ref(&expected), &what);
                }
            }
        }
    }
    eprintln!("{tried} operations of readers refused");
    assert!(tried > 50);
}

/// All that a reader does: opens, looks, ranks, verifies.
fn read(folder: &Path, gate: &Arc<FaultAt>) -> Result<State> {
    let index = WorkIndex::open_at(Paths::through(&folder.join(INDEX), gated(gate.clone())))?;
    let state = State::read(&index)?;
    // What cannot be read is in the report; whether it is depends on where the fault struck.
    index.verify(&Monitor::silent())?;
    index.refresh()?;
    Ok(state)
}

fn at_rest() -> tempfile::TempDir {
    let folder = scratch();
    with_three(folder.path());
    folder
}

/// An index as a killed writer leaves it: its catalog marked as in use.
fn interrupted() -> tempfile::TempDir {
    let (folder, crashed) = (at_rest(), scratch());
    let mut stage = Stage::new(folder.path(), Files::default());
    drop_first(&mut stage).unwrap();
    copy(folder.path(), crashed.path());
    crashed
}

fn copied(from: &Path) -> tempfile::TempDir {
    let folder = scratch();
    copy(from, folder.path());
    folder
}

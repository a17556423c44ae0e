//! The operating system refuses the n-th operation: an I/O error, a full medium, too many files, no permission. The error
//! is typed, the writer does not go on as if nothing had been, and the index is in the old state or the new one.

use std::path::Path;
use std::sync::Arc;

use super::one_in;
use super::oracle::{MAKING, State, allowed, assert_survived, copy, names, scratch, states};
use super::scenario::{INDEX, SCENARIOS, SOURCE, Scenario, Stage};
use crate::error::Error;
use crate::storage::STAGED;
use crate::storage::simulated::{Fault, FaultAt, gated};

#[test]
fn any_refused_operation_leaves_the_old_state_or_the_new_one() {
    let (mut tried, mut failed) = (0, 0);
    for scenario in SCENARIOS {
        let states = states(scenario);
        let before = scratch();
        (scenario.prepare)(before.path());
        for (turn, fault) in Fault::ALL.into_iter().enumerate() {
            // A signal that comes at every read and write would keep anyone from going on.
            for lasts in [false, true].into_iter().filter(|lasts| fault != Fault::Signal || !lasts) {
                let step = one_in(7);
                for n in (turn % step..).step_by(step) {
                    let folder = scratch();
                    copy(before.path(), folder.path());
                    let gate = Arc::new(FaultAt::new(fault, n, lasts));
                    let ended = attempt(scenario, folder.path(), &gate);
                    if !gate.struck() {
                        break;
                    }
                    tried += 1;
                    failed += usize::from(ended.failed);
                    assert!(fault != Fault::Signal || !ended.failed, "{}: a signal is no failure", scenario.name);
                    let what = format!("{}, {fault:?} at {n}, lasts: {lasts}", scenario.name);
                    if fault == Fault::Full {
                        assert_space_is_given_back(folder.path(), &what);
                    }
                    check(folder.path(), &ended, &states, &what);
                }
            }
        }
    }
    eprintln!("{tried} operations refused; {failed} times the step failed, else it did without");
    assert!(failed > 50);
}

/// How far a scenario came.
struct Ended {
    steps: usize,
    failed: bool,
}

fn attempt(scenario: &Scenario, folder: &Path, gate: &Arc<FaultAt>) -> Ended {
    let mut stage = Stage::new(folder, gated(gate.clone()));
    for (steps, step) in scenario.steps.iter().enumerate() {
        if let Err(error) = step(&mut stage) {
            assert_says_what_failed(&error, folder);
            assert_does_not_go_on(&mut stage);
            return Ended { steps, failed: true };
        }
    }
    Ended { steps: scenario.steps.len(), failed: false }
}

/// An error about a file, with the operating system's reason: not damage, and not a panic in disguise.
pub(super) fn assert_says_what_failed(error: &Error, folder: &Path) {
    let path = match error {
        Error::Io { path, .. } | Error::Catalog { path, .. } | Error::Encoder { path, .. } => path,
        Error::Interrupted { path, .. } => path,
        other => panic!("an error about a file expected: {other:?}"),
    };
    assert!(path.starts_with(folder) || path.starts_with(env!("CARGO_MANIFEST_DIR")), "{}", path.display());
}

/// What was begun before the failure is never committed after it.
fn assert_does_not_go_on(stage: &mut Stage) {
    if let Some(writer) = stage.open_writer() {
        match writer.commit() {
            Ok(false) | Err(Error::Poisoned { .. } | Error::Io { .. } | Error::Catalog { .. }) => {}
            other => panic!("a writer went on after a failure: {other:?}"),
        }
    }
}

/// A writer that failed has removed what it had staged, so that a full medium is not full of it.
fn assert_space_is_given_back(folder: &Path, what: &str) {
    let segments = folder.join(INDEX).join("segments");
    // What a writer before it left behind goes when the next one is opened, which may have failed.
    let staged = |name: &String| name.starts_with(STAGED) && name != ".staged-7";
    if segments.exists() {
        assert!(!names(&segments).iter().any(staged), "{what}: {:?}", names(&segments));
    }
}

fn check(folder: &Path, ended: &Ended, states: &[State], what: &str) {
    assert_survived(folder, allowed(states, ended.steps), what);
    // The folders of failed creations went away, or could not be removed; nothing else is beside the index.
    let beside = names(folder);
    let known = |name: &String| [INDEX, SOURCE].contains(&name.as_str()) || name.starts_with(MAKING);
    assert!(beside.iter().all(known), "{what}: {beside:?}");
}

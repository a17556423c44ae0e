//! The machine stops at any moment: what was synchronised is on the medium; of the rest any part may be, in any combination,
//! and writes may be torn.

use std::sync::Arc;

use super::oracle::{State, allowed, assert_survived, scratch, states};
use super::scenario::{SCENARIOS, Scenario, Stage};
use super::{of_environment, one_in};
use crate::storage::simulated::{Image, Images, Medium, Operation, Trace, gated};

/// What a scenario does to files: the medium before, the operations, and how many there were when each step had ended.
pub(super) struct Recording {
    pub(super) folder: tempfile::TempDir,
    pub(super) before: Medium,
    pub(super) trace: Vec<Operation>,
    pub(super) ends: Vec<usize>,
}

pub(super) fn record(scenario: &Scenario) -> Recording {
    let folder = scratch();
    (scenario.prepare)(folder.path());
    let before = Medium::of(folder.path());
    let trace = Arc::new(Trace::default());
    let mut stage = Stage::new(folder.path(), gated(trace.clone()));
    let mut ends = Vec::new();
    for step in scenario.steps {
        step(&mut stage).unwrap();
        ends.push(trace.len());
    }
    // Closing the catalog is part of it.
    drop(stage);
    Recording { folder, before, trace: trace.take(), ends }
}

/// How many steps had ended after so many operations.
fn steps_done(ends: &[usize], operations: usize) -> usize {
    ends.iter().filter(|&&end| end <= operations).count()
}

#[test]
fn any_crash_leaves_the_old_state_or_the_new_one() {
    let (mut points, mut tried, mut images) = (0, 0, 0);
    for scenario in SCENARIOS {
        let states = states(scenario);
        let Recording { folder, before, trace, ends } = record(scenario);
        points += trace.len();
        let promised = |operations| steps_done(&ends, operations);
        Images::new(before, folder.path(), trace, of_environment("WORKINDEX_TEST_SUBSETS", 12)).each(
            promised,
            |image| {
                images += 1;
                if images % one_in(4) == 0 {
                    tried += 1;
                    check(scenario, &image, allowed(&states, promised(image.done)));
                }
            },
        );
    }
    eprintln!("{points} operations that write, {images} different images after a crash, {tried} of them opened");
    assert!(tried > 100);
}

fn check(scenario: &Scenario, image: &Image, allowed: &[State]) {
    let folder = scratch();
    image.tree.write(folder.path());
    assert_survived(folder.path(), allowed, &format!("{}, crash after operation {}", scenario.name, image.done));
}

//! The process is killed (SIGKILL) at the n-th operation on files, and, where `strace` is there, at the n-th system call of each
//! kind that writes.
#![cfg(unix)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use super::one_in;
use super::oracle::{State, allowed, assert_survived, copy, scratch, states};
use super::scenario::{SCENARIOS, Scenario, Stage};
use crate::storage::Files;
use crate::storage::simulated::{Kill, gated};

const SCENARIO: &str = "WORKINDEX_TEST_SCENARIO";
const FOLDER: &str = "WORKINDEX_TEST_FOLDER";
const KILL_AT: &str = "WORKINDEX_TEST_KILL_AT";
/// A file beside the folder of the index, as long as the steps that a child has ended.
const PROGRESS: &str = "progress";

/// Not a test of its own: what the killed processes do.
#[test]
fn child_process() {
    let Ok(number) = std::env::var(SCENARIO) else { return };
    let scenario = &SCENARIOS[number.parse::<usize>().unwrap()];
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let kill_at: Option<usize> = std::env::var(KILL_AT).ok().and_then(|n| n.parse().ok());
    let files = kill_at.map_or_else(Files::default, |n| gated(Arc::new(Kill::at(n))));
    let mut stage = Stage::new(&folder.join("watched"), files);
    for step in scenario.steps {
        step(&mut stage).unwrap();
        let progress = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(PROGRESS));
        progress.unwrap().write_all(b"1").unwrap();
    }
}

/// A process of a scenario, in `folder`.
fn child(command: &mut Command, scenario: usize, folder: &Path) -> ExitStatus {
    command.args(["index::survival::kills::child_process", "--exact", "--test-threads", "1"]);
    command.env(SCENARIO, scenario.to_string()).env(FOLDER, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}

/// Runs a scenario in a process that may be killed, and asserts that the index survived; whether it was killed.
fn survives(number: usize, before: &Path, states: &[State], command: &mut Command, what: &str) -> bool {
    let folder = scratch();
    let watched = folder.path().join("watched");
    std::fs::create_dir(&watched).unwrap();
    copy(before, &watched);
    let status = child(command, number, folder.path());
    // A process that was killed may have ended one step more than it could say.
    let steps = std::fs::read(folder.path().join(PROGRESS)).map_or(0, |said| said.len());
    assert_survived(&watched, allowed(states, steps), what);
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9) || status.code() == Some(137);
    assert!(killed || status.success(), "{what}: {status}");
    killed
}

#[test]
fn a_process_killed_at_any_operation_leaves_the_old_state_or_the_new_one() {
    let mut kills = 0;
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let (states, before) = prepared(scenario);
        for n in (number..).step_by(one_in(7)) {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let what = format!("{}, killed at operation {n}", scenario.name);
            if !survives(number, before.path(), &states, command.env(KILL_AT, n.to_string()), &what) {
                break;
            }
            kills += 1;
        }
    }
    eprintln!("{kills} processes killed at an operation that writes");
    assert!(kills > 10);
}

/// The system calls of Linux that create, write, synchronise, rename, remove.
const CALLS: [&str; 14] = [
    "write",
    "pwrite64",
    "writev",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "rmdir",
    "fallocate",
];

#[test]
fn a_process_killed_at_any_system_call_that_writes_leaves_the_old_state_or_the_new_one() {
    if !can_trace() {
        eprintln!("skipped: no strace, or tracing is not allowed here");
        return;
    }
    let mut kills = 0;
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let (states, before) = prepared(scenario);
        for call in CALLS {
            for n in (1 + number..).step_by(one_in(11)) {
                let mut command = Command::new("strace");
                // Of a system call that this machine does not have, strace knows nothing: `?`.
                command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace=?{call}")]);
                command.args(["-e", &format!("inject=?{call}:signal=KILL:when={n}")]);
                command.arg(std::env::current_exe().unwrap());
                let what = format!("{}, killed at {call} {n}", scenario.name);
                if !survives(number, before.path(), &states, &mut command, &what) {
                    break;
                }
                kills += 1;
            }
        }
    }
    eprintln!("{kills} processes killed at a system call that writes");
    assert!(kills > 5);
}

fn can_trace() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn prepared(scenario: &Scenario) -> (Vec<State>, tempfile::TempDir) {
    let before = scratch();
    (scenario.prepare)(before.path());
    (states(scenario), before)
}

//! Ctrl-C: the program stops soon, at once when it is asked twice, and the index is what it was or what it should become.
#![cfg(unix)]

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;

/// Whether this process, and so its children, ignores interruptions or hang-ups: as under `nohup`.
fn ignores_signals() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit n - 1 stands for signal n: 1 hang-up, 2 interruption, 15 termination.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0x4003 != 0)
}

/// A list that takes longer to ingest than any test waits.
fn long_list(folder: &std::path::Path) -> String {
    let table = folder.join("long.txt");
    let labels: String = (0..400_000).map(|n| format!("label number {n} of a very long list of labels\n")).collect();
    std::fs::write(&table, labels).unwrap();
    table.display().to_string()
}

fn ingesting(index: &Fresh, table: &str) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("workindex"));
    command.args(["ingest", "table", index.path(), table, "--space", "ours/skill/en"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// What a child leaves that has some seconds to end.
fn ended(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// The program works on more than it can finish, and gets Ctrl-C.
#[test]
fn an_interrupted_ingest_changes_nothing() {
    if ignores_signals() {
        eprintln!("skipped: signals are ignored here");
        return;
    }
    let (index, folder) = (Fresh::new(), tempfile::tempdir().unwrap());
    let before = ok(&["info", index.path(), "--json"]);
    let mut child = ingesting(&index, &long_list(folder.path()));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "it should still be at work");
    interrupt(&child);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("nothing was changed"), "{}", stderr(&output));
    assert_eq!(ok(&["info", index.path(), "--json"]), before);
    ok(&["compact", index.path()]);
}

/// The second Ctrl-C does not wait for what the first one waits for.
#[test]
fn a_second_interruption_ends_the_program_at_once() {
    if ignores_signals() {
        eprintln!("skipped: signals are ignored here");
        return;
    }
    let (index, folder) = (Fresh::new(), tempfile::tempdir().unwrap());
    let before = ok(&["info", index.path(), "--json"]);
    let table = long_list(folder.path());
    let mut at_once = 0;
    for _ in 0..3 {
        let mut child = ingesting(&index, &table);
        std::thread::sleep(Duration::from_millis(1200));
        assert!(child.try_wait().unwrap().is_none(), "it should still be at work");
        interrupt(&child);
        interrupt(&child);
        let start = Instant::now();
        let output = ended(child);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(output.status.code(), Some(130));
        at_once += usize::from(!stderr(&output).contains("nothing was changed"));
        // Whatever it left is of no commit.
        assert_eq!(ok(&["info", index.path(), "--json"]), before);
        assert!(ok(&["verify", index.path()]).contains("is intact"));
    }
    eprintln!("{at_once} of 3 ended by the second interruption, the others by the first");
    ok(&["compact", index.path()]);
}

/// Whenever it comes, the program ends with a status that says so, or was done; and the index is whole.
#[test]
fn an_interruption_at_any_time_leaves_the_old_state_or_the_new_one() {
    if ignores_signals() {
        eprintln!("skipped: signals are ignored here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut done, mut interrupted, mut killed) = (0, 0, 0);
    for turn in 0..12u64 {
        let index = Fresh::new();
        let table = folder.path().join("short.txt");
        std::fs::write(&table, (0..300).map(|n| format!("label {n} of turn {turn}\n")).collect::<String>()).unwrap();
        let child = ingesting(&index, table.to_str().unwrap());
        std::thread::sleep(Duration::from_millis(turn * 17));
        interrupt(&child);
        let output = ended(child);
        let releases = json(&["info", index.path(), "--json"])["releases"].as_array().unwrap().len();
        match output.status.code() {
            Some(0) => {
                assert_eq!(releases, 1);
                done += 1;
            }
            Some(130) => {
                assert_eq!(releases, 0, "{}", stderr(&output));
                interrupted += 1;
            }
            // Before the handler was there: the system ends it.
            None => {
                assert_eq!(releases, 0);
                killed += 1;
            }
            other => panic!("{other:?}: {}", stderr(&output)),
        }
        assert!(ok(&["verify", index.path()]).contains("is intact"));
    }
    eprintln!("{done} done, {interrupted} interrupted, {killed} before they listened");
    assert!(interrupted + killed > 0);
}

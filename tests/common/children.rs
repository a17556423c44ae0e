//! Child processes of a test: its own binary, started again with a role in the environment. The binary has a test called
//! `child_process` that plays the role, and does nothing without one.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "WORKINDEX_TEST_ROLE";
const INDEX: &str = "WORKINDEX_TEST_INDEX";
const STEP: &str = "WORKINDEX_TEST_STEP";

/// What a child is to do: the role, the index, and where to begin.
pub fn role() -> Option<(String, PathBuf, u64)> {
    let step = std::env::var(STEP).ok()?.parse().ok()?;
    Some((std::env::var(ROLE).ok()?, PathBuf::from(std::env::var_os(INDEX)?), step))
}

/// The arguments that make a test binary play a role.
pub const AS_CHILD: [&str; 5] = ["child_process", "--exact", "--nocapture", "--test-threads", "1"];

/// Tells a command the role to play.
pub fn with_role<'a>(command: &'a mut Command, role: &str, index: &Path, step: u64) -> &'a mut Command {
    command.env(ROLE, role).env(INDEX, index).env(STEP, step.to_string())
}

/// Starts this binary again in a role.
pub fn child(role: &str, index: &Path, step: u64) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_role(command.args(AS_CHILD), role, index, step);
    started(&mut command).unwrap()
}

/// Starts a command that plays a role.
pub fn started(command: &mut Command) -> std::io::Result<(Child, BufReader<ChildStdout>)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let out = BufReader::new(child.stdout.take().unwrap());
    Ok((child, out))
}

/// The next line that a child says to its parent, after what the test harness says; none when it is gone.
pub fn heard(out: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    while out.read_line(&mut line).ok()? > 0 {
        // The harness writes `test child_process ... ` without a line end before the first one.
        if let Some((_, said)) = line.split_once("says: ") {
            return Some(said.trim_end().to_string());
        }
        line.clear();
    }
    None
}

/// Says a line to the parent.
pub fn say(line: impl std::fmt::Display) {
    println!("says: {line}");
    std::io::stdout().flush().unwrap();
}

//! What the tests of the command line share.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use serde_json::Value;

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

/// The encoder of all tests.
pub fn tiny() -> String {
    fixture("encoder/tiny-bert")
}

/// The program, with nothing of the user's in its environment.
pub fn program() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("workindex"));
    for variable in ["WORKINDEX_ENCODER", "NO_COLOR", "HF_HOME"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program.
pub fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

/// Runs the program, which must succeed, and returns what it printed.
#[track_caller]
pub fn ok(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}\n{}", stderr(&output));
    stdout(&output)
}

/// As [`ok`], for what prints JSON.
#[track_caller]
pub fn json(args: &[&str]) -> Value {
    serde_json::from_str(&ok(args)).unwrap()
}

/// Runs the program, which must fail with a status, and returns its complaint.
#[track_caller]
pub fn fails(status: i32, args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(status), "{args:?}\n{}", stderr(&output));
    stderr(&output)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An empty index of its own.
pub struct Fresh {
    _folder: tempfile::TempDir,
    path: String,
}

impl Fresh {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.index").display().to_string();
        ok(&["init", &path, "--encoder", &tiny()]);
        Self { _folder: folder, path }
    }

    pub fn path(&self) -> &str {
        &self.path
    }
}

/// An index with mini-esco 1.1.0 in it, all labels embedded, that no test changes.
pub fn shared() -> &'static str {
    static INDEX: OnceLock<String> = OnceLock::new();
    INDEX.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("shared.index").display().to_string();
        ok(&["init", &path, "--encoder", &tiny()]);
        ok(&["ingest", "esco", &path, &fixture("mini-esco/1.1.0"), "--forms", "all"]);
        path
    })
}

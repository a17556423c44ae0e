//! The command line: any arguments are parsed; commands that only read an index are run.
//!
//! Input: a bundle. Its options are the arguments, one a line, after the program's name; its files are put into the current
//! folder (`queries.txt`, `matrices.safetensors`), where `i` is an index of token matrices and `m` one with a tiny model.
#![no_main]
#![allow(dead_code, unused_imports)] // what only the commands that are not run use

// The program's own files, as main.rs has them: they name each other as modules of the crate.
#[path = "../../src/bin/workindex/args.rs"]
mod args;
#[path = "../../src/bin/workindex/backup.rs"]
mod backup;
#[path = "../../src/bin/workindex/cache.rs"]
mod cache;
#[path = "../../src/bin/workindex/compact.rs"]
mod compact;
#[path = "../../src/bin/workindex/compare.rs"]
mod compare;
#[path = "../../src/bin/workindex/console.rs"]
mod console;
#[path = "../../src/bin/workindex/diff.rs"]
mod diff;
#[path = "../../src/bin/workindex/drop.rs"]
mod drop;
#[path = "../../src/bin/workindex/encoder/mod.rs"]
mod encoder;
#[path = "../../src/bin/workindex/eval/mod.rs"]
mod eval;
#[path = "../../src/bin/workindex/explain/mod.rs"]
mod explain;
#[path = "../../src/bin/workindex/failure.rs"]
mod failure;
#[path = "../../src/bin/workindex/file.rs"]
mod file;
#[path = "../../src/bin/workindex/info.rs"]
mod info;
#[path = "../../src/bin/workindex/ingest/mod.rs"]
mod ingest;
#[path = "../../src/bin/workindex/init.rs"]
mod init;
#[path = "../../src/bin/workindex/interrupt.rs"]
mod interrupt;
#[path = "../../src/bin/workindex/json.rs"]
mod json;
#[path = "../../src/bin/workindex/layout.rs"]
mod layout;
#[path = "../../src/bin/workindex/progress.rs"]
mod progress;
#[path = "../../src/bin/workindex/quickstart/mod.rs"]
mod quickstart;
#[path = "../../src/bin/workindex/rank/mod.rs"]
mod rank;
#[path = "../../src/bin/workindex/reindex.rs"]
mod reindex;
#[path = "../../src/bin/workindex/score.rs"]
mod score;
#[path = "../../src/bin/workindex/settings.rs"]
mod settings;
#[path = "../../src/bin/workindex/train.rs"]
mod train;
#[path = "../../src/bin/workindex/units.rs"]
mod units;
#[path = "../../src/bin/workindex/upgrade.rs"]
mod upgrade;
#[path = "../../src/bin/workindex/verify.rs"]
mod verify;

use std::path::Path;
use std::sync::OnceLock;

use args::{Cli, Command};
use clap::Parser;
use libfuzzer_sys::fuzz_target;
use workindex::CancelToken;
use workindex_fuzz::{Bundle, abort_on_own_panics, copy_folder, list_index, mini_index, new_folder};

/// A folder with the two indexes, made once.
fn sound() -> &'static Path {
    static SOUND: OnceLock<tempfile::TempDir> = OnceLock::new();
    SOUND
        .get_or_init(|| {
            let folder = new_folder();
            list_index(&folder.path().join("i"));
            mini_index(&folder.path().join("m"));
            folder
        })
        .path()
}

/// The current folder, made once, with copies of what is in the indexes.
fn current() -> &'static Path {
    static CURRENT: OnceLock<tempfile::TempDir> = OnceLock::new();
    CURRENT
        .get_or_init(|| {
            let folder = new_folder();
            copy_folder(sound(), folder.path());
            std::env::set_current_dir(folder.path()).unwrap();
            folder
        })
        .path()
}

/// Whether the arguments lead to files outside the current folder, or write any: inputs must not depend on each other.
fn leads_away(arguments: &[&str]) -> bool {
    arguments
        .iter()
        .any(|text| text.starts_with(['/', '~']) || text.contains("=/") || text.contains("..") || text.contains("--ht"))
}

fn run(command: Command) -> failure::Outcome {
    let console = console::Console::new(true, CancelToken::new());
    match command {
        Command::Rank(args) => rank::run(&args, &console),
        Command::Explain(args) => explain::run(&args, &console),
        Command::Info(args) => info::run(&args, &console),
        Command::Diff(args) => diff::run(&args, &console),
        Command::Verify(args) => verify::run(&args, &console),
        // They write, or go online; parsing them is what is tried here.
        Command::Quickstart(_)
        | Command::Init(_)
        | Command::Ingest(_)
        | Command::Reindex(_)
        | Command::Backup(_)
        | Command::Upgrade(_)
        | Command::Drop(_)
        | Command::Compact(_)
        | Command::Encoder(_)
        | Command::Eval(_)
        | Command::Compare(_)
        | Command::Score(_)
        | Command::Train(_) => Ok(()),
    }
}

/// What takes time is made before inputs are timed.
fn prepare() {
    abort_on_own_panics();
    let _ = current();
}

fuzz_target!(init: prepare(), |data: &[u8]| {
    let current = current();
    let bundle = Bundle::new(data);
    let text = String::from_utf8_lossy(bundle.options);
    let arguments: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let Ok(cli) = Cli::try_parse_from(std::iter::once("workindex").chain(arguments.iter().copied())) else { return };
    if leads_away(&arguments) {
        return;
    }
    for name in ["queries.txt", "matrices.safetensors"] {
        let content = bundle.files.iter().find(|(given, _)| given == name);
        std::fs::write(current.join(name), content.map_or(&b"nurse\n"[..], |(_, content)| content)).unwrap();
    }
    let _ = run(cli.command);
});

//! The command line of workindex: one file per command, over the library's public interface.

mod args;
mod backup;
mod cache;
mod compact;
#[cfg(feature = "workbench")]
mod compare;
mod console;
mod diff;
mod drop;
mod encoder;
#[cfg(feature = "workbench")]
mod eval;
mod explain;
mod failure;
mod file;
mod info;
mod ingest;
mod init;
mod interrupt;
mod json;
mod layout;
mod progress;
mod quickstart;
mod rank;
mod reindex;
#[cfg(feature = "workbench")]
mod score;
mod settings;
#[cfg(feature = "train")]
mod train;
mod units;
mod upgrade;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use console::Console;
use failure::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(cli.quiet, interrupt::install());
    match run(cli.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, console: &Console) -> Outcome {
    match command {
        Command::Quickstart(args) => quickstart::run(&args, console),
        Command::Init(args) => init::run(&args, console),
        Command::Ingest(args) => ingest::run(&args.source, console),
        Command::Reindex(args) => reindex::run(&args, console),
        Command::Rank(args) => rank::run(&args, console),
        Command::Explain(args) => explain::run(&args, console),
        Command::Info(args) => info::run(&args, console),
        Command::Diff(args) => diff::run(&args, console),
        Command::Verify(args) => verify::run(&args, console),
        Command::Drop(args) => drop::run(&args, console),
        Command::Compact(args) => compact::run(&args, console),
        Command::Backup(args) => backup::run(&args, console),
        Command::Upgrade(args) => upgrade::run(&args, console),
        Command::Encoder(args) => encoder::run(&args.action, console),
        #[cfg(feature = "workbench")]
        Command::Eval(args) => eval::run(&args, console),
        #[cfg(feature = "workbench")]
        Command::Compare(args) => compare::run(&args, console),
        #[cfg(feature = "workbench")]
        Command::Score(args) => score::run(&args, console),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args, console),
    }
}

//! `workindex encoder`: getting and looking at encoders.

mod choice;
pub mod fetch;
mod info;

use clap::Subcommand;

pub use choice::{BUILT_IN, Choice, shown};

use crate::console::Console;
use crate::failure::Outcome;

/// Get an encoder, or look at one.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    Fetch(fetch::Args),
    Info(info::Args),
}

pub fn run(action: &Action, console: &Console) -> Outcome {
    match action {
        Action::Fetch(args) => fetch::run(args, console),
        Action::Info(args) => info::run(args),
    }
}

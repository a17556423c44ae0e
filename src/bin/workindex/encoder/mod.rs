//! `workindex encoder`: getting encoders, looking at them, and making one of several.

mod choice;
pub mod fetch;
mod info;
#[cfg(feature = "train")]
mod mix;

use clap::Subcommand;

pub use choice::{BUILT_IN, Choice, shown};

use crate::console::Console;
use crate::failure::Outcome;

/// Get an encoder, look at one, or make one of several.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    Fetch(fetch::Args),
    Info(info::Args),
    #[cfg(feature = "train")]
    Mix(mix::Args),
}

pub fn run(action: &Action, console: &Console) -> Outcome {
    match action {
        Action::Fetch(args) => fetch::run(args, console),
        Action::Info(args) => info::run(args),
        #[cfg(feature = "train")]
        Action::Mix(args) => mix::run(args),
    }
}

//! `workindex compact`: gives disk space back.

use std::path::PathBuf;
use std::time::Instant;

use workindex::WorkIndex;

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::units;

/// Remove what no release needs any more, and join small segments. Readers are not disturbed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The index.
    index: PathBuf,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let start = Instant::now();
    let reclaimed = WorkIndex::writer(&args.index)?.compact(&console.monitor())?;
    print(format_args!(
        "compacted {}: {} given back, {} and {} removed, {}",
        args.index.display(),
        units::bytes(reclaimed.bytes),
        units::counted(reclaimed.segments as usize, "old segment"),
        units::counted(reclaimed.leftovers as usize, "leftover"),
        units::duration(start.elapsed()),
    ))
}

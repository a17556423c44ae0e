//! `workindex backup`: a copy of an index, made while a writer may go on.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use workindex::WorkIndex;

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::{json, units};

/// Copy the state committed last to another place, and verify the copy. Readers and a writer are not disturbed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// Where the copy goes: nothing may be there, or an empty folder.
    to: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let start = Instant::now();
    let report = WorkIndex::open(&args.index)?.backup(&args.to, &console.monitor())?;
    if args.json {
        return json::print(&json!({
            "generation": report.generation,
            "releases": report.releases,
            "segments": report.segments,
            "bytes": report.bytes,
        }));
    }
    print(format_args!(
        "copied {} to {} and verified it: {}, {}, {}, {}",
        args.index.display(),
        args.to.display(),
        units::counted(report.releases as usize, "release"),
        units::counted(report.segments as usize, "segment"),
        units::bytes(report.bytes),
        units::duration(start.elapsed()),
    ))
}

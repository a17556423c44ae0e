//! `workindex upgrade`: from an older format to this version's.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use workindex::WorkIndex;

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::{json, units};

/// Bring an index that an older version of workindex made to this version's format. Nothing is embedded again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let start = Instant::now();
    let report = WorkIndex::upgrade(&args.index, &console.monitor())?;
    if args.json {
        return json::print(&json!({"from": report.from, "to": report.to, "segments": report.segments}));
    }
    let index = args.index.display();
    if report.from == report.to {
        return print(format_args!("{index} has this version's format {} already", report.to));
    }
    print(format_args!(
        "upgraded {index} from format {} to {}: {} written anew, {}",
        report.from,
        report.to,
        units::counted(report.segments as usize, "segment"),
        units::duration(start.elapsed()),
    ))
}

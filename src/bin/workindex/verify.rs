//! `workindex verify`: reads and checks everything.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use workindex::{VerifyReport, WorkIndex};

use crate::console::{Console, print};
use crate::failure::{Failure, Outcome};
use crate::{json, units};

/// Read and check every file of an index. Exit status 1 and a list when something is wrong.
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
    let report = WorkIndex::open(&args.index)?.verify(&console.monitor())?;
    match args.json {
        true => json::print(&as_json(&report))?,
        false => print(describe(args, &report, start.elapsed()))?,
    }
    if report.is_intact() { Ok(()) } else { Err(Failure::BadNews) }
}

fn describe(args: &Args, report: &VerifyReport, time: Duration) -> String {
    let index = args.index.display();
    let read = format!(
        "{}, {}, {} read in {}",
        units::counted(report.segments as usize, "segment"),
        units::counted(report.releases as usize, "release"),
        units::bytes(report.bytes),
        units::duration(time)
    );
    if report.is_intact() {
        let busy = match report.catalog_compared {
            true => "",
            false => "; a writer kept committing, so that the checksums of the catalog's pages were not compared",
        };
        return format!("{index} is intact: {read}{busy}");
    }
    let mut text = format!("{index} is damaged: {}; {read}", units::counted(report.problems.len(), "problem"));
    for problem in &report.problems {
        let path = problem.path.display().to_string();
        match problem.problem.contains(&path) {
            true => _ = write!(text, "\n  {}", problem.problem),
            false => _ = write!(text, "\n  {path}: {}", problem.problem),
        }
    }
    text
}

fn as_json(report: &VerifyReport) -> serde_json::Value {
    let problem = |p: &workindex::Problem| json!({"path": p.path.display().to_string(), "problem": p.problem});
    json!({
        "intact": report.is_intact(),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "segments": report.segments,
        "releases": report.releases,
        "bytes": report.bytes,
        "catalog_compared": report.catalog_compared,
    })
}

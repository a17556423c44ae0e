//! `workindex compare`: results of several evaluations in one table and one plot.

use std::path::{Path, PathBuf};

use workindex::workbench::Run;

use crate::console::{Console, print};
use crate::eval::{self, Intervals};
use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  workindex compare results/minilm results/trained --out results/comparison
  workindex compare base=results/minilm ours=results/trained --metric rp@10

Where two runs judged the same queries, report.md gives the differences to the first system with intervals of their own: these are of
the same draws, and so far narrower than those of the values.";

/// Put the results of several evaluations side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folders of results, as `workindex eval --out` makes them; NAME=DIR gives one another name than its folder's.
    #[arg(required = true, value_name = "[NAME=]DIR")]
    runs: Vec<String>,
    /// A folder for report.md, results.json and plot.svg of the comparison.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    intervals: Intervals,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let mut runs: Vec<(String, Run)> = Vec::new();
    for run in &args.runs {
        console.check()?;
        let (name, path) = named(run);
        if runs.iter().any(|(other, _)| *other == name) {
            let hint = "give each a name of its own: NAME=DIR";
            return Err(Failure::new(format!("two runs are called {name}"), hint));
        }
        let run = Run::read(&path)?;
        if run.records.is_empty() {
            return Err(Failure::new(
                format!("{} holds no judged set", path.display()),
                "run `workindex eval` into it again",
            ));
        }
        runs.push((name, run));
    }
    let report = args.intervals.report(runs);
    if let Some(out) = &args.out {
        eval::write_files(&report, out)?;
    }
    print(eval::table::of_systems(&report.table(report.metrics()[0])))?;
    if let Some(out) = &args.out {
        console.note(format_args!("{} has report.md, results.json and plot.svg", out.display()));
    }
    Ok(())
}

/// The name and the folder of a run.
fn named(run: &str) -> (String, PathBuf) {
    if let Some((name, path)) = run.split_once('=')
        && !name.is_empty()
        && !Path::new(run).exists()
    {
        return (name.to_string(), path.into());
    }
    let name = Path::new(run).file_name().map(|name| name.to_string_lossy().into_owned());
    (name.unwrap_or_else(|| run.to_string()), run.into())
}

//! `workindex reindex`: embeds everything with another encoder.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use workindex::{Backend, Encoder, ReindexOptions, ReindexReport, WorkIndex};

use crate::console::{Console, print};
use crate::encoder::{BUILT_IN, Choice};
use crate::failure::Outcome;
use crate::settings::{Means, Settings};
use crate::{info, json, units};

const EXAMPLES: &str = "\
Example:
  workindex reindex work.index --encoder ~/.cache/workindex/encoders/JobBERT-v2 && workindex compact work.index";

/// Embed all texts of an index with another encoder, and switch to it in one step.
///
/// Readers rank with the old encoder until it is done, and nothing is changed unless all of it succeeds. Texts that the new
/// encoder has embedded before are not embedded again. What the old one leaves behind stays on disk until
/// `workindex compact`: until then the way back costs little.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// The new encoder: a model directory in the sentence-transformers layout; `built-in` for the one that this program comes with.
    #[arg(long, value_name = "MODEL_DIR", default_value = BUILT_IN)]
    encoder: Choice,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    means: Means,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    // Opened first: a second writer should learn of the first before it loads a model.
    let mut writer = WorkIndex::writer(&args.index)?;
    let encoder = args.settings.open(&args.encoder, console)?;
    let Means { backend, memory } = args.means;
    let encoder = if backend == Backend::Cpu { encoder } else { encoder.on(backend)? };
    let start = Instant::now();
    let report = writer.reindex(&encoder, &ReindexOptions { memory }, &console.monitor())?;
    console.check()?;
    writer.commit()?;
    drop(writer);
    let done = Done { args, encoder: &encoder, report: &report, time: start.elapsed() };
    if !report.unchanged {
        console.note(format_args!("`workindex compact {}` gives the old encoder's space back", args.index.display()));
    }
    match args.json {
        true => json::print(&done.as_json()?),
        false => print(done.as_text()),
    }
}

/// A re-indexing that was committed.
struct Done<'a> {
    args: &'a Args,
    encoder: &'a Encoder,
    report: &'a ReindexReport,
    time: Duration,
}

impl Done<'_> {
    fn as_text(&self) -> String {
        let Self { args, encoder, report, time } = self;
        let index = args.index.display();
        if report.unchanged {
            return format!("unchanged: {index} has this very encoder already ({})", encoder.name());
        }
        let mut text = format!(
            "re-indexed {index} from {} to {}: {}, {}, {} embedded in {}: {:.0} texts/s",
            report.previous,
            encoder.name(),
            units::counted(report.releases, "release"),
            units::counted(report.surface_forms as usize, "surface form"),
            units::counted(report.embedded, "text"),
            units::duration(*time),
            units::rate(report.embedded, *time),
        );
        if report.truncated > 0 {
            let truncated = units::count(report.truncated as u64);
            let _ = write!(text, "; {truncated} longer than the encoder reads, and cut");
        }
        text
    }

    fn as_json(&self) -> Outcome<Value> {
        let Self { args, encoder, report, time } = self;
        let index_bytes = info::total_bytes(&WorkIndex::open(&args.index)?.info()?);
        Ok(json!({
            "unchanged": report.unchanged,
            "previous": report.previous,
            "encoder": encoder.name(),
            "fingerprint": encoder.fingerprint().to_string(),
            "releases": report.releases,
            "surface_forms": report.surface_forms,
            "embedded": report.embedded,
            "truncated": report.truncated,
            "seconds": time.as_secs_f64(),
            "index_bytes": index_bytes,
        }))
    }
}

//! `workindex quickstart`: from nothing to rankings, with what is built in.
//!
//! | file | what |
//! |---|---|
//! | `ontology.rs` | the small ontology that is built in |
//! | `build.rs` | the encoder, and the index, found or made |
//! | `show.rs` | texts, rankings, and what to do next |

mod build;
mod ontology;
mod show;

use std::path::PathBuf;

use crate::console::{Console, print};
use crate::encoder::shown;
use crate::failure::Outcome;
use crate::units;

const NOTES: &str = "\
Environment:
  WORKINDEX_ENCODER   a model directory to use instead of the encoder that is built in
  XDG_CACHE_HOME      where the index is kept, in workindex/; otherwise ~/.cache

Nothing is fetched. A second run finds the index there.";

/// Start here: build a small index from an ontology that is built in, with the encoder that is, and rank some texts.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// The folder of the index, instead of one in the user's cache. It is left there, to be tried out.
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let choice = build::encoder();
    let encoder = choice.open()?;
    print(format_args!(
        "1. The encoder turns each token of a text into a vector.\n   {}: {} layers, {} values per token\n   {}\n",
        encoder.name(),
        encoder.checkpoint().layers(),
        encoder.dim(),
        shown(&choice)
    ))?;
    let built = build::index(&encoder, args.index.as_deref(), console)?;
    print(format_args!(
        "2. The index holds the token vectors of every label of an ontology.\n   \
         {}: {}, {}\n   {}\n   {}\n",
        built.name,
        units::counted(built.concepts, "concept"),
        units::counted(built.relations, "relation"),
        built.embedded(),
        built.dir.display()
    ))?;
    show::rankings(&built.dir, console)?;
    print(show::next_steps(&choice, &built.dir))
}

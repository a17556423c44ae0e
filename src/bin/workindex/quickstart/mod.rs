//! `workindex quickstart`: from nothing to rankings, with what is built in.
//!
//! | file | what |
//! |---|---|
//! | `ontology.rs` | the small ontology that is built in |
//! | `build.rs` | the encoder and the index, got or made |
//! | `show.rs` | texts, rankings, and what to do next |

mod build;
mod ontology;
mod show;

use std::path::PathBuf;

use workindex::Encoder;

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::units;

const NOTES: &str = "\
Environment:
  WORKINDEX_ENCODER   a model directory to use; otherwise all-MiniLM-L6-v2 is fetched (91 MB), once
  XDG_CACHE_HOME      where the encoder and the index are kept, in workindex/; otherwise ~/.cache

A second run finds both there, and is done in a second.";

/// Start here: get an encoder, build a small index from an ontology that is built in, and rank some texts.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// The folder of the index, instead of one in the user's cache. It is left there, to be tried out.
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let dir = build::encoder_dir(console)?;
    let encoder = Encoder::open(&dir)?;
    print(format_args!(
        "1. The encoder turns each token of a text into a vector.\n   {}: {} layers, {} values per token\n   {}\n",
        encoder.name(),
        encoder.checkpoint().layers(),
        encoder.dim(),
        dir.display()
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
    print(show::next_steps(&dir, &built.dir))
}

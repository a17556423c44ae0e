//! `workindex init`: makes an empty index around an encoder.

use std::path::PathBuf;

use workindex::{DeclaredEncoder, WorkIndex};

use crate::console::{Console, print};
use crate::encoder::Choice;
use crate::failure::Outcome;
use crate::settings::Settings;
use crate::units;

const EXAMPLES: &str = "\
Examples:
  workindex init work.index                                     # with the encoder that is built in
  workindex init work.index --encoder ~/.cache/workindex/encoders/all-MiniLM-L6-v2
  workindex init work.index --encoder my-model --max-tokens 128
  workindex init ours.index --declare house-model-7 --dim 128   # token matrices come from elsewhere";

/// Make an empty index: a folder with a copy of the encoder, so that it travels whole.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder to make; it may be there already if it is empty.
    index: PathBuf,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    settings: Settings,
    /// Values per token row of the declared encoder.
    #[arg(long, value_name = "D", requires = "declare")]
    dim: Option<usize>,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Which {
    /// A model directory in the sentence-transformers layout: config.json, tokenizer.json, model.safetensors. [default: built-in, the
    /// encoder that this program comes with]
    #[arg(long, value_name = "MODEL_DIR")]
    encoder: Option<Choice>,
    /// Instead: the name of an encoder that runs elsewhere. Such an index takes token matrices only (`--matrices`).
    #[arg(
        long,
        value_name = "NAME",
        requires = "dim",
        conflicts_with_all = ["max_tokens", "keep_special_tokens", "precision"]
    )]
    declare: Option<String>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    match (&args.which.encoder, &args.which.declare) {
        (None, Some(name)) => declared(args, name),
        (encoder, _) => with_encoder(args, encoder.as_ref().unwrap_or(&Choice::BuiltIn), console),
    }
}

fn with_encoder(args: &Args, encoder: &Choice, console: &Console) -> Outcome {
    let encoder = args.settings.open(encoder, console)?;
    console.check()?;
    WorkIndex::create(&args.index, &encoder)?.commit()?;
    let tokens = encoder.settings().max_tokens;
    let (name, dim) = (encoder.name(), encoder.dim());
    print(format_args!(
        "made {} with {name}: {} per text, {dim} values per token",
        args.index.display(),
        units::counted(tokens, "token")
    ))
}

fn declared(args: &Args, name: &str) -> Outcome {
    // `--declare` requires `--dim`.
    let encoder = DeclaredEncoder::new(name, args.dim.unwrap_or_default())?;
    WorkIndex::create_declared(&args.index, &encoder)?.commit()?;
    print(format_args!(
        "made {} for token matrices of {name}: {} values per token",
        args.index.display(),
        encoder.dim()
    ))
}

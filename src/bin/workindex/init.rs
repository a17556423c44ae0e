//! `workindex init`: makes an empty index around an encoder.

use std::path::PathBuf;

use workindex::{Checkpoint, DeclaredEncoder, Encoder, EncoderSettings, Precision, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::units;

const EXAMPLES: &str = "\
Examples:
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
    /// Tokens per text, special tokens included; the end of longer texts is left out. At most what the model takes.
    /// [default: what the model says, else 64, or what it takes]
    #[arg(long, value_name = "N", conflicts_with = "declare")]
    max_tokens: Option<usize>,
    /// Keep the rows of [CLS] and [SEP], too. An untrained encoder ranks better without them; of PyLate models they are kept
    /// anyway.
    #[arg(long, conflicts_with = "declare")]
    keep_special_tokens: bool,
    /// How the encoder's linear layers are computed. It changes embeddings a little, and is kept with the index.
    #[arg(long, value_name = "P", conflicts_with = "declare")]
    precision: Option<PrecisionArg>,
    /// Values per token row of the declared encoder.
    #[arg(long, value_name = "D", requires = "declare")]
    dim: Option<usize>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PrecisionArg {
    /// As the model's authors run it.
    F32,
    /// Weights and inputs rounded to 8 bits of mantissa: half the memory for the layers' weights.
    Bf16,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// A model directory in the sentence-transformers layout: config.json, tokenizer.json, model.safetensors.
    #[arg(long, value_name = "MODEL_DIR")]
    encoder: Option<PathBuf>,
    /// Instead: the name of an encoder that runs elsewhere. Such an index takes token matrices only (`--matrices`).
    #[arg(long, value_name = "NAME", requires = "dim")]
    declare: Option<String>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    match (&args.which.encoder, &args.which.declare) {
        (Some(dir), _) => with_encoder(args, dir, console),
        (None, Some(name)) => declared(args, name),
        // One of the two is required.
        (None, None) => Ok(()),
    }
}

fn with_encoder(args: &Args, dir: &std::path::Path, console: &Console) -> Outcome {
    let checkpoint = Checkpoint::open(dir)?;
    let default = checkpoint.default_settings();
    let max_tokens = args.max_tokens.unwrap_or(default.max_tokens);
    let special_tokens = args.keep_special_tokens || default.special_tokens;
    let precision = args.precision.map_or(default.precision, Precision::from);
    let settings = EncoderSettings { max_tokens, special_tokens, precision };
    let encoder = Encoder::from_checkpoint(checkpoint, settings)?;
    console.check()?;
    WorkIndex::create(&args.index, &encoder)?.commit()?;
    let tokens = encoder.settings().max_tokens;
    if tokens < max_tokens {
        console.note(format_args!("the model reads at most {tokens} tokens per text"));
    }
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

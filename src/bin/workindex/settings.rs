//! What is chosen about an encoder when an index is made or re-indexed, and about embedding.

use workindex::{Backend, Encoder, EncoderSettings, Precision};

use crate::console::Console;
use crate::encoder::Choice;
use crate::failure::Outcome;
use crate::units;

/// The settings of an encoder, as arguments.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Tokens per text, special tokens included; the end of longer texts is left out. At most what the model takes.
    /// [default: what the model says, else 64, or what it takes]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Keep the rows of [CLS] and [SEP], too. An untrained encoder ranks better without them; of PyLate models they are kept
    /// anyway.
    #[arg(long)]
    keep_special_tokens: bool,
    /// How the encoder's linear layers are computed. It changes embeddings a little, and is kept with the index.
    #[arg(long, value_name = "P")]
    precision: Option<PrecisionArg>,
}

/// By what means texts are embedded. It changes embeddings by rounding at most, and nothing of it is kept with the index.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Means {
    /// What new texts are embedded with: `cpu`, `candle` (the reference, slower), `cuda[:N]` or `metal[:N]` where the program was
    /// built with that feature. The embeddings are the same to within rounding.
    #[arg(long, value_name = "B", default_value_t = Backend::Cpu)]
    pub backend: Backend,
    /// What the program stays below in memory while it embeds, model and release included: 512MB, 2GiB. [default: as is fastest]
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    pub memory: Option<u64>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PrecisionArg {
    /// As the model's authors run it.
    F32,
    /// Weights and inputs rounded to 8 bits of mantissa: half the memory for the layers' weights.
    Bf16,
    /// Weights and inputs as whole numbers of 8 bits with scales: a quarter of the memory for the layers' weights, the least time.
    I8,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::Bf16 => Self::Bf16,
            PrecisionArg::I8 => Self::I8,
        }
    }
}

impl Settings {
    /// Loads a model with these settings; what is not said is as the model has it.
    pub fn open(&self, encoder: &Choice, console: &Console) -> Outcome<Encoder> {
        let checkpoint = encoder.checkpoint()?;
        let default = checkpoint.default_settings();
        let max_tokens = self.max_tokens.unwrap_or(default.max_tokens);
        let special_tokens = self.keep_special_tokens || default.special_tokens;
        let precision = self.precision.map_or(default.precision, Precision::from);
        let encoder = Encoder::from_checkpoint(checkpoint, EncoderSettings { max_tokens, special_tokens, precision })?;
        let tokens = encoder.settings().max_tokens;
        if tokens < max_tokens {
            console.note(format_args!("the model reads at most {tokens} tokens per text"));
        }
        Ok(encoder)
    }
}

//! What is read of a checkpoint to embed texts.

use super::checkpoint::Checkpoint;
use super::head::Dense;
use super::loaded_side::LoadedSide;
use super::model::{Backend, Model};
use super::settings::EncoderSettings;
use super::tokenizer::TextTokenizer;
use crate::error::Result;

/// A model in memory.
pub(super) struct Loaded {
    /// Those in force, which may be lower than those asked for.
    pub(super) settings: EncoderSettings,
    pub(super) tokenizer: TextTokenizer,
    pub(super) model: Model,
    /// What each row goes through behind the transformer.
    pub(super) token_layers: Vec<Dense>,
    /// What each side does.
    pub(super) sides: Vec<LoadedSide>,
}

impl Loaded {
    pub(super) fn read(checkpoint: &Checkpoint, settings: EncoderSettings, backend: Backend) -> Result<Self> {
        settings.check(checkpoint.max_positions())?;
        let settings = settings.limited_to(checkpoint.max_seq_length());
        let tokenizer = TextTokenizer::read(&checkpoint.tokenizer_path(), settings.max_tokens)?;
        let model = Model::load(checkpoint, &settings, backend)?;
        let layers = checkpoint.profile().modules().token_layers.iter();
        let token_layers = layers.map(|layer| Dense::load(checkpoint.dir(), layer)).collect::<Result<_>>()?;
        let sides = LoadedSide::load_all(checkpoint, &tokenizer, settings.max_tokens)?;
        Ok(Self { settings, tokenizer, model, token_layers, sides })
    }
}

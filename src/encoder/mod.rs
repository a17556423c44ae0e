//! Text in, token matrices out: a transformer read from a model directory, run on the CPU.
//!
//! [`Encoder`] is all that other rooms need. Inside: [`checkpoint`] reads and hashes a model directory, [`tokenizer`]
//! cuts a text into pieces, [`architecture`] holds the differentiable models of all families and [`batch`] runs many texts
//! without padding, so that a text's embedding does not depend on what it was encoded together with.

mod architecture;
mod batch;
mod beside;
mod checkpoint;
mod config;
mod declared;
mod files;
mod fingerprint;
mod modules;
mod settings;
mod tokenizer;
mod tokenizer_limits;
mod weights;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::token_matrix::TokenMatrix;
use architecture::Architecture;
use tokenizer::{TextTokenizer, Tokenized};
use weights::Weights;

pub use checkpoint::Checkpoint;
pub use declared::{DeclaredEncoder, read_matrices};
pub use fingerprint::Fingerprint;
pub use modules::Pooling;
pub use settings::EncoderSettings;
pub use tokenizer::Token;

/// What an encoder makes of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The last hidden states of the tokens that the settings keep, and the pooled vector of the text.
    pub matrix: TokenMatrix,
    /// Whether the text was longer than [`EncoderSettings::max_tokens`] and its end was left out.
    pub truncated: bool,
    /// Tokens that come from the text itself, after truncation. With 0 (an empty text, or one of control characters
    /// only) the rows are those of the special tokens and mean nothing; the caller decides what to do.
    pub content_tokens: usize,
}

/// A tokenizer and a transformer that make token matrices. Clones share the weights.
///
/// ```no_run
/// let encoder = workindex::Encoder::open("all-MiniLM-L6-v2".as_ref())?;
/// let encoded = encoder.encode("Senior data engineer")?;
/// assert_eq!(encoded.matrix.dim(), encoder.dim());
/// # Ok::<(), workindex::Error>(())
/// ```
#[derive(Clone)]
pub struct Encoder {
    inner: Arc<Inner>,
}

struct Inner {
    checkpoint: Checkpoint,
    settings: EncoderSettings,
    fingerprint: Fingerprint,
    tokenizer: TextTokenizer,
    model: Box<dyn Architecture>,
}

/// What is read of a model with certain settings, which may be lower than those asked for.
struct Loaded {
    settings: EncoderSettings,
    tokenizer: TextTokenizer,
    model: Box<dyn Architecture>,
}

impl Loaded {
    fn read(checkpoint: &Checkpoint, settings: EncoderSettings) -> Result<Self> {
        settings.check(checkpoint.max_positions())?;
        let settings = settings.limited_to(checkpoint.max_seq_length());
        let tokenizer = TextTokenizer::read(&checkpoint.tokenizer_path(), settings.max_tokens)?;
        let wanted = checkpoint.config().parameters();
        let weights = Weights::read(&checkpoint.weight_files()?, &wanted)?;
        let model = architecture::load(checkpoint.config(), &weights)?;
        Ok(Self { settings, tokenizer, model })
    }
}

impl Encoder {
    /// Opens a model directory with the default settings, lowered to the model's own limit of tokens if need be.
    ///
    /// # Errors
    /// [`Error::Encoder`] when a part is missing, damaged, contradictory or of a kind that is not supported,
    /// [`Error::Tensor`] when the weights do not fit the configuration, [`Error::Io`] when a file cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let load = |checkpoint: &Checkpoint| Loaded::read(checkpoint, checkpoint.default_settings());
        let (checkpoint, loaded) = Checkpoint::open_beside(dir, load)?;
        Ok(Self::of(checkpoint, loaded))
    }

    /// Opens a model directory with the given settings. `max_tokens` is lowered to the `max_seq_length` of the
    /// checkpoint, as sentence-transformers does; [`settings`](Self::settings) tells the result.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::InvalidOption`] when the model has fewer positions than `max_tokens` or
    /// `max_tokens` leaves no room for a token of the text.
    pub fn open_with(dir: &Path, settings: EncoderSettings) -> Result<Self> {
        let (checkpoint, loaded) = Checkpoint::open_beside(dir, |checkpoint| Loaded::read(checkpoint, settings))?;
        Ok(Self::of(checkpoint, loaded))
    }

    /// Loads a model directory that was opened as a [`Checkpoint`] before, without hashing its files again.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn from_checkpoint(checkpoint: Checkpoint, settings: EncoderSettings) -> Result<Self> {
        let loaded = Loaded::read(&checkpoint, settings)?;
        Ok(Self::of(checkpoint, loaded))
    }

    fn of(checkpoint: Checkpoint, Loaded { settings, tokenizer, model }: Loaded) -> Self {
        let fingerprint = checkpoint.fingerprint(&settings);
        Self { inner: Arc::new(Inner { checkpoint, settings, fingerprint, tokenizer, model }) }
    }

    /// Values per row of the matrices.
    pub fn dim(&self) -> usize {
        self.inner.checkpoint.config().hidden_size
    }

    /// Identifies the embeddings: encoders with equal fingerprints make equal token matrices of equal texts.
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    /// The settings in force.
    pub fn settings(&self) -> EncoderSettings {
        self.inner.settings
    }

    /// The model directory the encoder was read from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.inner.checkpoint
    }

    /// The name to show for this encoder; see [`Checkpoint::name`].
    pub fn name(&self) -> &str {
        self.inner.checkpoint.name()
    }

    /// Encodes one text, as it is, on the calling thread.
    ///
    /// # Errors
    /// [`Error::EmptyText`] when the model has no special tokens and the text makes no token; [`Error::Encoder`] and
    /// [`Error::Matrix`] when the checkpoint contradicts itself (a token without an embedding, overflowing weights).
    pub fn encode(&self, text: &str) -> Result<Encoded> {
        let tokenized = self.inner.tokenize(text)?;
        let mut encoded = batch::forward(&self.inner, &[&tokenized])?;
        encoded.pop().ok_or_else(|| self.inner.fault("the model returned no rows"))
    }

    /// Encodes many texts, in parallel on the current rayon pool; the results are in the order of `texts`.
    ///
    /// A text's result is the same at every thread count, and within 1e-6 of what it is alone or among other texts. All
    /// results are held in memory (`tokens × dim × 4` bytes each): give very long lists in parts.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), for the whole call; [`Error::Cancelled`] when the monitor says so.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T], monitor: &Monitor) -> Result<Vec<Encoded>> {
        batch::encode(&self.inner, texts, true, monitor)
    }

    /// As [`encode_batch`](Self::encode_batch), to the bit, batch after batch from the calling thread.
    pub(crate) fn encode_batch_serially<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        monitor: &Monitor,
    ) -> Result<Vec<Encoded>> {
        batch::encode(&self.inner, texts, false, monitor)
    }

    /// The tokens behind the rows of [`encode`](Self::encode)'s matrix, one for one and in the same order.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        let tokens = self.inner.tokenizer.tokens(text)?;
        let special: Vec<bool> = tokens.iter().map(|token| token.special).collect();
        let keep = kept_rows(&special, self.inner.settings.special_tokens);
        Ok(tokens.into_iter().zip(keep).filter_map(|(token, keep)| keep.then_some(token)).collect())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { checkpoint, settings, fingerprint, .. } = &*self.inner;
        f.debug_struct("Encoder")
            .field("checkpoint", &checkpoint.dir())
            .field("settings", settings)
            .field("fingerprint", fingerprint)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Tokenizes, and proves that every token has an embedding and that there is at least one.
    fn tokenize(&self, text: &str) -> Result<Tokenized> {
        let tokenized = self.tokenizer.tokenize(text)?;
        if tokenized.ids.is_empty() {
            let text = text.chars().take(40).collect();
            return Err(Error::EmptyText { text, position: None, problem: "the tokenizer makes no token of it" });
        }
        let rows = self.checkpoint.config().vocab_size;
        match tokenized.ids.iter().find(|&&id| id as usize >= rows) {
            None => Ok(tokenized),
            Some(id) => {
                Err(self
                    .fault(format!("tokenizer.json makes token id {id}, but config.json has a vocabulary of {rows}")))
            }
        }
    }

    fn fault(&self, problem: impl Into<String>) -> Error {
        Error::Encoder { path: self.checkpoint.dir().to_path_buf(), problem: problem.into() }
    }
}

/// Which tokens become rows: those of the text, all of them with `special_tokens`, and all of them where the text has none
/// of its own, so that there is always a row.
fn kept_rows(special: &[bool], special_tokens: bool) -> Vec<bool> {
    let keep_all = special_tokens || special.iter().all(|&special| special);
    special.iter().map(|&special| keep_all || !special).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone>() {}
        shared::<Encoder>();
    }

    #[test]
    fn special_tokens_are_rows_when_asked_for_or_when_there_is_nothing_else() {
        assert_eq!(kept_rows(&[true, false, true], false), [false, true, false]);
        assert_eq!(kept_rows(&[true, false, true], true), [true; 3]);
        assert_eq!(kept_rows(&[true, true], false), [true; 2]);
    }
}

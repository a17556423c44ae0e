//! Text in, token matrices out: a transformer read from a model directory, run on the CPU.
//!
//! [`Encoder`] is all that other rooms need. Inside: [`checkpoint`] reads and hashes a model directory, [`tokenizer`]
//! cuts a text into pieces, [`inference`] runs the transformer fast and [`architecture`] differentiably, [`model`] chooses between
//! them, and [`batch`] runs many texts without padding, so that a text's embedding does not depend on what it was encoded together
//! with. What comes before and behind the transformer: [`modules`] says which layers there are, [`head`] computes them, [`sides`] tells apart kinds of text
//! that a model treats differently, and [`profile`] puts all of it together without loading a model.

mod architecture;
mod batch;
mod beside;
#[cfg(feature = "built-in")]
mod built_in;
mod checkpoint;
mod config;
mod declared;
mod files;
mod fingerprint;
mod head;
mod inference;
mod loaded;
mod loaded_side;
mod model;
mod modules;
mod profile;
mod settings;
mod sides;
mod tokenizer;
mod tokenizer_limits;
mod weights;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::token_matrix::TokenMatrix;
use loaded::Loaded;
use loaded_side::LoadedSide;
use tokenizer::Tokenized;

// What training has in common with inference.
#[cfg(all(test, feature = "train"))]
pub(crate) use architecture::load as load_architecture;
#[cfg(feature = "train")]
pub(crate) use architecture::{position_rows::position_rows, relative_bucket::relative_bucket};
pub use checkpoint::Checkpoint;
#[cfg(all(test, feature = "train"))]
pub(crate) use config::Family;
#[cfg(feature = "train")]
pub(crate) use config::{Activation, LayerNames, ModelConfig, RELATIVE_BIAS};
pub use declared::{DeclaredEncoder, read_matrices};
#[cfg(feature = "train")]
pub(crate) use files::encoder_error;
pub use fingerprint::Fingerprint;
#[cfg(feature = "train")]
pub(crate) use fingerprint::slashed;
#[cfg(feature = "train")]
pub(crate) use inference::erf;
pub use model::Backend;
pub use modules::Pooling;
pub(crate) use profile::Profile;
pub use settings::{EncoderSettings, Precision};
#[cfg(feature = "train")]
pub(crate) use sides::Frame;
pub use sides::Side;
pub(crate) use sides::{DirectionWord, InteractionWord, RuleChoice, WeightsWord};
pub use tokenizer::Token;
#[cfg(feature = "train")]
pub(crate) use tokenizer::{TextTokenizer, Tokenized as TokenIds};
#[cfg(all(test, feature = "train"))]
pub(crate) use weights::Weights;
#[cfg(feature = "train")]
pub(crate) use weights::{SCALE, WeightFiles};

/// What an encoder makes of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The last hidden states of the tokens that the settings keep, each through the model's layers for tokens (PyLate), and
    /// the pooled vector of the text. Of a model with layers behind the pooling (`Dense`, as in JobBERT) it is one row, what
    /// comes out of them, which is the pooled vector too: so every rule is the cosine that the model was trained for. Rows and
    /// pooled vector are as they come, not normalised.
    pub matrix: TokenMatrix,
    /// Whether the text was longer than [`EncoderSettings::max_tokens`] and its end was left out.
    pub truncated: bool,
    /// Tokens that come from the text itself (not those of a prompt), after truncation. With 0 (an empty text, or one of control characters
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
    fingerprint: Fingerprint,
    loaded: Loaded,
}

impl Encoder {
    /// Opens a model directory with the default settings, lowered to the model's own limit of tokens if need be.
    ///
    /// The weights' files stay mapped as long as the encoder lives: replace a model by new files (removing or renaming the old
    /// ones is fine), never by writing into those that are open.
    ///
    /// # Errors
    /// [`Error::Encoder`] when a part is missing, damaged, contradictory or of a kind that is not supported,
    /// [`Error::Tensor`] when the weights do not fit the configuration, [`Error::Io`] when a file cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let load = |checkpoint: &Checkpoint| Loaded::read(checkpoint, checkpoint.default_settings(), Backend::Cpu);
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
        Self::open_on(dir, settings, Backend::Cpu)
    }

    /// As [`open_with`](Self::open_with), on a backend.
    pub(crate) fn open_on(dir: &Path, settings: EncoderSettings, backend: Backend) -> Result<Self> {
        let load = |checkpoint: &Checkpoint| Loaded::read(checkpoint, settings, backend);
        let (checkpoint, loaded) = Checkpoint::open_beside(dir, load)?;
        Ok(Self::of(checkpoint, loaded))
    }

    /// Loads a model directory that was opened as a [`Checkpoint`] before, without hashing its files again.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn from_checkpoint(checkpoint: Checkpoint, settings: EncoderSettings) -> Result<Self> {
        let loaded = Loaded::read(&checkpoint, settings, Backend::Cpu)?;
        Ok(Self::of(checkpoint, loaded))
    }

    /// The same encoder on another backend, read from its files again: on a GPU, or with candle, the reference.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is no such device or the crate was built without it; as [`open_with`](Self::open_with).
    pub fn on(&self, backend: Backend) -> Result<Self> {
        let Inner { checkpoint, loaded, .. } = &*self.inner;
        let loaded = Loaded::read(checkpoint, loaded.settings, backend)?;
        Ok(Self::of(checkpoint.clone(), loaded))
    }

    /// What it runs on: the name of a kernel (`AVX-512`), or candle and its device.
    pub fn runs_on(&self) -> String {
        self.inner.loaded.model.runs_on()
    }

    fn of(checkpoint: Checkpoint, loaded: Loaded) -> Self {
        let fingerprint = checkpoint.fingerprint(&loaded.settings);
        Self { inner: Arc::new(Inner { checkpoint, fingerprint, loaded }) }
    }

    /// The side that queries are embedded on; of a model with a head for each kind of text, that of the query's kind
    /// (`occupation`, `skill`) where it is known.
    pub fn query_side(&self, kind: Option<&str>) -> Side {
        self.inner.checkpoint.profile().sides().query(kind)
    }

    /// The side that concepts of a kind are embedded on.
    pub fn target_side(&self, kind: &str) -> Side {
        self.inner.checkpoint.profile().sides().target(kind)
    }

    /// Values per row of the matrices.
    pub fn dim(&self) -> usize {
        self.inner.checkpoint.dim()
    }

    /// Identifies the embeddings: encoders with equal fingerprints make equal token matrices of equal texts, to within the rounding
    /// of what they [run on](Self::on).
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    /// The settings in force.
    pub fn settings(&self) -> EncoderSettings {
        self.inner.loaded.settings
    }

    /// The model directory the encoder was read from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.inner.checkpoint
    }

    /// The name to show for this encoder; see [`Checkpoint::name`].
    pub fn name(&self) -> &str {
        self.inner.checkpoint.name()
    }

    /// Encodes one text, as it is, on the calling thread; on the side of queries whose kind is not known.
    ///
    /// # Errors
    /// [`Error::EmptyText`] when the model has no special tokens and the text makes no token; [`Error::Encoder`] and
    /// [`Error::Matrix`] when the checkpoint contradicts itself (a token without an embedding, overflowing weights).
    pub fn encode(&self, text: &str) -> Result<Encoded> {
        self.encode_on(text, self.query_side(None))
    }

    /// As [`encode`](Self::encode), on one of this encoder's sides.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and [`Error::Encoder`] for the side of another encoder that has more of them.
    pub fn encode_on(&self, text: &str, side: Side) -> Result<Encoded> {
        let tokenized = self.inner.tokenize(text, side)?;
        let mut encoded = batch::forward(&self.inner, side, &[&tokenized])?;
        encoded.pop().ok_or_else(|| self.inner.fault("the model returned no rows"))
    }

    /// Encodes many texts, in parallel on the current rayon pool; the results are in the order of `texts`.
    ///
    /// A text's result is the same at every thread count, alone and among other texts: to the bit, or within 1e-6 where
    /// candle computes it. All results are held in memory (`tokens × dim × 4` bytes each): give very long lists in parts.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), for the whole call; [`Error::Cancelled`] when the monitor says so.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T], monitor: &Monitor) -> Result<Vec<Encoded>> {
        self.encode_batch_on(texts, self.query_side(None), monitor)
    }

    /// As [`encode_batch`](Self::encode_batch), on one of this encoder's sides.
    ///
    /// # Errors
    /// As [`encode_batch`](Self::encode_batch) and [`encode_on`](Self::encode_on).
    pub fn encode_batch_on<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        side: Side,
        monitor: &Monitor,
    ) -> Result<Vec<Encoded>> {
        batch::encode(&self.inner, texts, side, true, monitor)
    }

    /// As [`encode_batch_on`](Self::encode_batch_on), to the bit, batch after batch from the calling thread.
    pub(crate) fn encode_batch_serially_on<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        side: Side,
        monitor: &Monitor,
    ) -> Result<Vec<Encoded>> {
        batch::encode(&self.inner, texts, side, false, monitor)
    }

    /// The tokens behind the rows of [`encode`](Self::encode)'s matrix, one for one and in the same order. Where that is one
    /// row for the whole text, the text as one token.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        self.tokens_on(text, self.query_side(None))
    }

    /// As [`tokens`](Self::tokens), on one of this encoder's sides.
    ///
    /// # Errors
    /// As [`encode_on`](Self::encode_on).
    pub fn tokens_on(&self, text: &str, side: Side) -> Result<Vec<Token>> {
        let loaded = self.inner.side(side)?;
        let ids = self.inner.tokenize(text, side)?.ids;
        if loaded.head.is_some() {
            return Ok(vec![Token { text: text.to_string(), start: 0, end: text.len(), special: false }]);
        }
        let tokens = self.inner.loaded.tokenizer.tokens(text, &loaded.frame)?;
        let special: Vec<bool> = tokens.iter().map(|token| token.special).collect();
        let keep = kept_rows(&special, &loaded.skipped(&ids), self.inner.loaded.settings.special_tokens);
        Ok(tokens.into_iter().zip(keep).filter_map(|(token, keep)| keep.then_some(token)).collect())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { checkpoint, loaded, fingerprint } = &*self.inner;
        f.debug_struct("Encoder")
            .field("checkpoint", &checkpoint.dir())
            .field("settings", &loaded.settings)
            .field("runs_on", &loaded.model.runs_on())
            .field("fingerprint", fingerprint)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Tokenizes, and proves that every token has an embedding and that there is at least one.
    fn tokenize(&self, text: &str, side: Side) -> Result<Tokenized> {
        let tokenized = self.loaded.tokenizer.tokenize(text, &self.side(side)?.frame)?;
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

    fn side(&self, side: Side) -> Result<&LoadedSide> {
        self.loaded.sides.get(side.at()).ok_or_else(|| self.fault("the side is one of another encoder"))
    }

    fn fault(&self, problem: impl Into<String>) -> Error {
        Error::Encoder { path: self.checkpoint.dir().to_path_buf(), problem: problem.into() }
    }
}

/// Which tokens become rows: those of the text, all of them with `special_tokens`, but none that are skipped; and all of them
/// where that leaves none, so that there is always a row.
fn kept_rows(special: &[bool], skipped: &[bool], special_tokens: bool) -> Vec<bool> {
    let keep = |(special, skipped): (&bool, &bool)| (special_tokens || !special) && !skipped;
    let keep: Vec<bool> = special.iter().zip(skipped).map(keep).collect();
    if keep.contains(&true) { keep } else { vec![true; special.len()] }
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
        let none = [false; 3];
        assert_eq!(kept_rows(&[true, false, true], &none, false), [false, true, false]);
        assert_eq!(kept_rows(&[true, false, true], &none, true), [true; 3]);
        assert_eq!(kept_rows(&[true; 3], &none, false), [true; 3]);
        assert_eq!(kept_rows(&[true, false, false], &[false, true, false], true), [true, false, true]);
        assert_eq!(kept_rows(&[true, false, true], &[false, true, false], false), [true; 3]);
    }
}

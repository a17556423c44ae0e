//! The model that is trained: texts to token rows, and derivatives by token rows to gradients of its parameters.

use std::ops::Range;
use std::path::Path;

use super::token_rows::TokenRows;
use super::transformer::{Gradients, Parameters, Tape, backward, forward};
use crate::encoder::{Checkpoint, Frame, TextTokenizer, TokenIds};
use crate::error::{Error, Result};

/// Tokens that go through the model together: enough for matrix products at full speed.
const CHUNK_TOKENS: usize = 1024;

/// A checkpoint's transformer and tokenizer, ready to be trained.
pub(crate) struct Trainee {
    pub(crate) parameters: Parameters,
    tokenizer: TextTokenizer,
    frame: Frame,
    /// What forward kept of each chunk; kept between steps, too.
    tapes: Vec<Tape>,
    /// Chunks whose tapes are kept between forward and backward. Of more, forward is repeated.
    kept_tapes: usize,
}

/// The texts of a batch in the model's tokens, and the chunks that they go through it in.
pub(crate) struct Tokens {
    texts: Vec<TokenIds>,
    chunks: Vec<Range<usize>>,
}

impl Tokens {
    /// All tokens, special ones included.
    pub(crate) fn count(&self) -> usize {
        self.texts.iter().map(|text| text.ids.len()).sum()
    }
}

impl Trainee {
    /// Reads a checkpoint. `max_tokens` of a text are read, special ones included; `memory` is what may be kept between forward and
    /// backward, in bytes.
    ///
    /// # Errors
    /// [`Error::Encoder`] for a checkpoint with heads, prompts or marks, or of a family without a backward pass; as
    /// [`Encoder::open`](crate::Encoder::open).
    pub(crate) fn read(checkpoint: &Checkpoint, max_tokens: usize, memory: u64) -> Result<Self> {
        let refuse =
            |problem: &str| Error::Encoder { path: checkpoint.dir().to_path_buf(), problem: problem.to_string() };
        if !checkpoint.profile().is_plain() {
            return Err(refuse(
                "it has layers behind the transformer, prompts or marks; only plain transformers are trained",
            ));
        }
        let config = checkpoint.config();
        if config.modern.is_some() {
            return Err(refuse("ModernBERT is not trained; BERT, RoBERTa, XLM-RoBERTa, MPNet and DistilBERT are"));
        }
        let max_tokens = max_tokens.min(checkpoint.max_positions());
        let files = checkpoint.weight_files()?;
        let parameters = Parameters::read(config, |name, shape| files.tensor(name, shape)?.to_f32())?;
        let tokenizer = TextTokenizer::read(&checkpoint.tokenizer_path(), max_tokens)?;
        // Floats of a token in a layer: eight rows, two wide ones, and its attention weights, about.
        let floats = config.num_hidden_layers * (9 * config.hidden_size + 2 * config.intermediate_size + 512);
        let kept_tapes = (memory / (4 * floats * CHUNK_TOKENS) as u64).clamp(1, 1 << 10) as usize;
        Ok(Self { parameters, tokenizer, frame: Frame::plain(max_tokens), tapes: Vec::new(), kept_tapes })
    }

    /// Values per token row.
    pub(crate) fn dim(&self) -> usize {
        self.parameters.config.hidden_size
    }

    /// Texts in the model's tokens.
    ///
    /// # Errors
    /// [`Error::Encoder`] for a token that the model has no row for.
    pub(crate) fn tokenize(&self, texts: &[String]) -> Result<Tokens> {
        let tokenized = |text: &String| {
            let tokens = self.tokenizer.tokenize(text, &self.frame)?;
            match tokens.ids.iter().find(|id| **id as usize >= self.parameters.config.vocab_size) {
                None => Ok(tokens),
                Some(id) => Err(Error::Encoder {
                    path: Path::new("tokenizer.json").to_path_buf(),
                    problem: format!("token {id} of {text:?} has no row in the model"),
                }),
            }
        };
        let texts = texts.iter().map(tokenized).collect::<Result<Vec<_>>>()?;
        let mut chunks: Vec<Range<usize>> = Vec::new();
        let mut tokens = 0;
        for (at, text) in texts.iter().enumerate() {
            tokens += text.ids.len();
            match chunks.last_mut().filter(|_| tokens <= CHUNK_TOKENS) {
                Some(chunk) => chunk.end = at + 1,
                None => {
                    chunks.push(at..at + 1);
                    tokens = text.ids.len();
                }
            }
        }
        Ok(Tokens { texts, chunks })
    }

    /// The rows of all texts, those of special tokens left out.
    pub(crate) fn rows(&mut self, tokens: &Tokens) -> TokenRows {
        let mut rows = TokenRows::new(self.dim());
        let keeps = self.keeps(tokens);
        for (at, chunk) in tokens.chunks.iter().enumerate() {
            let texts = &tokens.texts[chunk.clone()];
            let tape = self.run(if keeps { at } else { 0 }, texts);
            let dim = rows.dim();
            for (text, place) in texts.iter().zip(tape.texts()) {
                let hidden = tape.hidden()[place.start * dim..place.end * dim].chunks_exact(dim);
                let content: Vec<f32> = hidden
                    .zip(&text.special)
                    .filter(|(_, special)| !**special)
                    .flat_map(|(row, _)| row)
                    .copied()
                    .collect();
                rows.push(&content);
            }
        }
        rows
    }

    /// Adds the gradients of the parameters, given derivatives by the rows of the same texts.
    pub(crate) fn add_gradients(&mut self, tokens: &Tokens, by_rows: &TokenRows, gradients: &mut Gradients) {
        let (keeps, dim) = (self.keeps(tokens), self.dim());
        for (at, chunk) in tokens.chunks.iter().enumerate() {
            let texts = &tokens.texts[chunk.clone()];
            let mut by_hidden = Vec::new();
            for (text, place) in texts.iter().zip(chunk.clone()) {
                let mut content = by_rows.text(place).chunks_exact(dim);
                for special in &text.special {
                    match (!special).then(|| content.next()).flatten() {
                        Some(row) => by_hidden.extend_from_slice(row),
                        None => by_hidden.resize(by_hidden.len() + dim, 0.0),
                    }
                }
            }
            if !keeps {
                self.run(0, texts);
            }
            if let Some(tape) = self.tapes.get(if keeps { at } else { 0 }) {
                backward(&self.parameters, tape, by_hidden, gradients);
            }
        }
    }

    fn keeps(&self, tokens: &Tokens) -> bool {
        tokens.chunks.len() <= self.kept_tapes
    }

    fn run(&mut self, at: usize, texts: &[TokenIds]) -> &Tape {
        if self.tapes.len() <= at {
            self.tapes.resize_with(at + 1, Tape::default);
        }
        let ids: Vec<&[u32]> = texts.iter().map(|text| text.ids.as_slice()).collect();
        forward(&self.parameters, &ids, &mut self.tapes[at]);
        &self.tapes[at]
    }
}

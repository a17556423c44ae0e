//! The model that is trained: texts to token rows, and derivatives by token rows to gradients of its parameters.

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::teacher::Spans;
use super::token_rows::TokenRows;
use super::transformer::{Gradients, Parameters, Tape, backward, forward};
use crate::encoder::{Frame, TextTokenizer, TokenIds};
use crate::error::{Error, Result};
use crate::simd::product::{Matrix, product};

/// Tokens that go through the model together: enough for matrix products at full speed.
const CHUNK_TOKENS: usize = 1024;

/// A transformer and its tokenizer, ready to be trained.
pub(crate) struct Trainee {
    pub(crate) parameters: Parameters,
    tokenizer: TextTokenizer,
    frame: Frame,
    /// What forward kept of each chunk; kept between steps, too.
    tapes: Vec<Tape>,
    /// Chunks whose tapes are kept between forward and backward. Of more, forward is repeated.
    kept_tapes: usize,
    /// The rows that went into the linear layer behind the transformer, where there is one.
    hidden: TokenRows,
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
    /// Parameters with a tokenizer. `max_tokens` of a text are read, special ones included; `memory` is what may be kept between forward and
    /// backward, in bytes.
    pub(crate) fn new(parameters: Parameters, tokenizer: TextTokenizer, max_tokens: usize, memory: u64) -> Self {
        let config = &parameters.config;
        // Floats of a token in a layer: eight rows, two wide ones, and its attention weights, about.
        let floats = config.num_hidden_layers * (9 * config.hidden_size + 2 * config.intermediate_size + 512);
        let kept_tapes = (memory / (4 * floats * CHUNK_TOKENS) as u64).clamp(1, 1 << 10) as usize;
        let (frame, hidden) = (Frame::plain(max_tokens), TokenRows::new(config.hidden_size));
        Self { parameters, tokenizer, frame, tapes: Vec::new(), kept_tapes, hidden }
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

    /// Where in the texts the rows of [`rows`](Self::rows) come from.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the tokenizer fails.
    pub(crate) fn spans(&self, texts: &[String]) -> Result<Vec<Spans>> {
        let of_text = |text: &String| -> Result<Spans> {
            let tokens = self.tokenizer.tokens(text, &self.frame)?;
            Ok(tokens.iter().filter(|token| !token.special).map(|token| token.start..token.end).collect())
        };
        texts.par_iter().map(of_text).collect()
    }

    /// The rows of all texts, those of special tokens left out.
    pub(crate) fn rows(&mut self, tokens: &Tokens) -> TokenRows {
        let hidden = self.hidden_rows(tokens);
        let Some((dim, dense)) = self.parameters.dense() else { return hidden };
        let (n, width) = (hidden.n_rows(), hidden.dim());
        let mut values = vec![0.0; n * dim];
        product(&mut values, false, Matrix::new(hidden.values(), n, width), Matrix::new(dense, dim, width).t());
        self.hidden = hidden;
        self.hidden.with_values(dim, values)
    }

    fn hidden_rows(&mut self, tokens: &Tokens) -> TokenRows {
        let mut rows = TokenRows::new(self.parameters.config.hidden_size);
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
        let Some((dim, dense)) = self.parameters.dense() else { return self.add_hidden(tokens, by_rows, gradients) };
        let (n, width) = (self.hidden.n_rows(), self.hidden.dim());
        let by_output = Matrix::new(by_rows.values(), n, dim);
        product(gradients.dense(), true, by_output.t(), Matrix::new(self.hidden.values(), n, width));
        let mut by_hidden = vec![0.0; n * width];
        product(&mut by_hidden, false, by_output, Matrix::new(dense, dim, width));
        let by_hidden = self.hidden.with_values(width, by_hidden);
        self.add_hidden(tokens, &by_hidden, gradients);
    }

    fn add_hidden(&mut self, tokens: &Tokens, by_rows: &TokenRows, gradients: &mut Gradients) {
        let (keeps, dim) = (self.keeps(tokens), by_rows.dim());
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::encoder::Checkpoint;

    const MAX_TOKENS: usize = 32;
    const DIM: usize = 7;

    fn base() -> Checkpoint {
        Checkpoint::open(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert")).unwrap()
    }

    /// A model with a linear layer of some values behind it.
    fn trainee() -> Trainee {
        let base = base();
        let files = base.weight_files().unwrap();
        let parameters = Parameters::read(base.config(), |name, shape| files.tensor(name, shape)?.to_f32()).unwrap();
        let n = DIM * base.config().hidden_size;
        let parameters = parameters.with_dense(DIM, (0..n).map(|at| (at as f32 * 0.37).sin() * 0.3).collect());
        Trainee::new(parameters, TextTokenizer::read(&base.tokenizer_path(), MAX_TOKENS).unwrap(), MAX_TOKENS, 1 << 20)
    }

    fn texts() -> Vec<String> {
        ["data engineer", "weld stainless steel", "nurse"].map(String::from).to_vec()
    }

    /// Some derivative by each value of the rows.
    fn derivative(rows: &TokenRows) -> TokenRows {
        rows.with_values(DIM, (0..rows.values().len()).map(|at| (at as f32 * 0.7).cos()).collect())
    }

    #[test]
    fn gradients_through_the_linear_layer_are_those_of_the_rows() {
        let mut trainee = trainee();
        let tokens = trainee.tokenize(&texts()).unwrap();
        let rows = trainee.rows(&tokens);
        assert_eq!((rows.dim(), rows.len()), (DIM, 3));
        let by_rows = derivative(&rows);
        let mut gradients = Gradients::new(&trainee.parameters);
        trainee.add_gradients(&tokens, &by_rows, &mut gradients);
        let loss = |trainee: &mut Trainee| -> f64 {
            let rows = trainee.rows(&tokens);
            rows.values().iter().zip(by_rows.values()).map(|(row, by)| f64::from(row * by)).sum()
        };
        // Against the gradient of each parameter by itself: the derivative along it is its squared length.
        for (at, name) in trainee.parameters.names.clone().iter().enumerate() {
            let gradient = gradients.values[at].clone();
            let square: f64 = gradient.iter().map(|x| f64::from(x * x)).sum();
            if square < 1e-6 {
                continue;
            }
            let step = 1e-2 / square.sqrt();
            let mut moved = |by: f64| {
                let values = &mut trainee.parameters.values[at];
                let before = values.clone();
                values.iter_mut().zip(&gradient).for_each(|(value, along)| *value += by as f32 * along);
                let loss = loss(&mut trainee);
                trainee.parameters.values[at] = before;
                loss
            };
            let numeric = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((numeric / square - 1.0).abs() < 0.02, "{name}: {numeric} {square}");
        }
        assert!(gradients.dense().iter().all(|x| x.is_finite() && *x != 0.0));
    }

    #[test]
    fn rows_come_from_where_their_tokens_are() {
        let mut trainee = trainee();
        let tokens = trainee.tokenize(&texts()).unwrap();
        let (rows, spans) = (trainee.rows(&tokens), trainee.spans(&texts()).unwrap());
        for (at, (spans, text)) in spans.iter().zip(texts()).enumerate() {
            assert_eq!(spans.len(), rows.rows_of(at).len());
            let joined: String = spans.iter().map(|span| &text[span.clone()]).collect();
            assert_eq!(joined, text.replace(' ', ""));
        }
    }
}

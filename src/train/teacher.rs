//! The base as a teacher: its token rows are what those of a smaller model are to become.

use std::ops::Range;

use rayon::prelude::*;

use super::corpus::Corpus;
use super::principal_axes::principal_axes;
use super::token_rows::TokenRows;
use crate::encoder::{Checkpoint, Encoder, EncoderSettings, Precision};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::simd::product::{Matrix, product};

/// Texts of the corpus whose rows the axes are taken of.
const SAMPLE: usize = 4000;

/// Where the rows of a text come from: ranges of its bytes.
pub(crate) type Spans = Vec<Range<usize>>;

/// An encoder that is learned from.
pub(crate) struct Teacher {
    encoder: Encoder,
    /// Directions that rows are shortened to, row-major; none where they are taken whole.
    axes: Option<Vec<f32>>,
    dim: usize,
}

impl Teacher {
    /// Opens the base.
    ///
    /// # Errors
    /// As [`Encoder::open_with`].
    pub(crate) fn open(base: &Checkpoint, max_tokens: usize) -> Result<Self> {
        let max_tokens = max_tokens.min(base.max_positions());
        let settings = EncoderSettings { max_tokens, special_tokens: false, precision: Precision::F32 };
        let encoder = Encoder::from_checkpoint(base.clone(), settings)?;
        let dim = encoder.dim();
        Ok(Self { encoder, axes: None, dim })
    }

    /// The same with rows of `dim` values: along the axes.
    pub(crate) fn along(self, axes: Vec<f32>, dim: usize) -> Self {
        Self { axes: Some(axes), dim, ..self }
    }

    /// The `dim` principal axes of the rows of texts that are spread evenly over the corpus.
    ///
    /// # Errors
    /// As [`Encoder::encode_batch`].
    pub(crate) fn axes(&self, corpus: &Corpus, dim: usize) -> Result<Vec<f32>> {
        let texts: Vec<&str> = corpus.texts().collect();
        let step = texts.len().div_ceil(SAMPLE).max(1);
        let sample: Vec<&str> = texts.into_iter().step_by(step).collect();
        let encoded = self.encoder.encode_batch(&sample, &Monitor::silent())?;
        let rows: Vec<f32> = encoded.iter().flat_map(|text| text.matrix.values()).copied().collect();
        Ok(principal_axes(&rows, self.encoder.dim(), dim))
    }

    /// For each text the rows that a student's are to become, unit vectors: for a row from a range of the text's bytes, the mean direction of
    /// the teacher's rows of tokens that share a byte with it. Zero where there is none: such rows teach nothing.
    ///
    /// # Errors
    /// As [`Encoder::encode_batch`].
    pub(crate) fn targets(&self, texts: &[String], spans: &[Spans]) -> Result<TokenRows> {
        let encoded = self.encoder.encode_batch(texts, &Monitor::silent())?;
        let of_text = |((text, encoded), spans): ((&String, &crate::encoder::Encoded), &Spans)| -> Result<Vec<f32>> {
            let own: Spans = self.encoder.tokens(text)?.iter().map(|token| token.start..token.end).collect();
            Ok(self.of_spans(&self.unit_rows(encoded.matrix.values()), &own, spans))
        };
        let rows: Vec<Vec<f32>> = texts.par_iter().zip(&encoded).zip(spans).map(of_text).collect::<Result<_>>()?;
        let mut targets = TokenRows::new(self.dim);
        rows.iter().for_each(|rows| targets.push(rows));
        Ok(targets)
    }

    /// Rows as unit vectors, along the axes.
    fn unit_rows(&self, rows: &[f32]) -> Vec<f32> {
        let hidden = self.encoder.dim();
        let mut short = match &self.axes {
            None => rows.to_vec(),
            Some(axes) => {
                let n = rows.len() / hidden.max(1);
                let mut short = vec![0.0; n * self.dim];
                product(&mut short, false, Matrix::new(rows, n, hidden), Matrix::new(axes, self.dim, hidden).t());
                short
            }
        };
        short.chunks_exact_mut(self.dim).for_each(to_unit);
        short
    }

    fn of_spans(&self, rows: &[f32], own: &Spans, spans: &Spans) -> Vec<f32> {
        let mut targets = vec![0.0; spans.len() * self.dim];
        for (target, span) in targets.chunks_exact_mut(self.dim).zip(spans) {
            for (row, of_row) in rows.chunks_exact(self.dim).zip(own) {
                if of_row.start < span.end && span.start < of_row.end {
                    target.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
            }
            to_unit(target);
        }
        targets
    }
}

/// To length 1; what has none stays zero.
fn to_unit(row: &mut [f32]) {
    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 1e-12 {
        row.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn teacher() -> Teacher {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert");
        Teacher::open(&Checkpoint::open(&dir).unwrap(), 32).unwrap()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn targets_are_the_mean_directions_of_what_shares_a_byte_with_them() {
        let (teacher, text) = (teacher(), "data engineer".to_string());
        let own: Spans = teacher.encoder.tokens(&text).unwrap().iter().map(|token| token.start..token.end).collect();
        let rows = teacher.encoder.encode(&text).unwrap().matrix.values().to_vec();
        let dim = teacher.dim;
        // Its own tokens: its own rows.
        let targets = teacher.targets(std::slice::from_ref(&text), std::slice::from_ref(&own)).unwrap();
        for (row, target) in rows.chunks_exact(dim).zip(targets.values().chunks_exact(dim)) {
            assert!((cosine(row, target) - 1.0).abs() < 1e-5);
        }
        // The whole text, a letter of the first token, and the blank between the words.
        let spans: Spans = vec![0..text.len(), 0..1, 4..5];
        let targets = teacher.targets(&[text], &[spans]).unwrap();
        let unit = teacher.unit_rows(&rows);
        let mean: Vec<f32> = (0..dim).map(|at| unit.chunks_exact(dim).map(|row| row[at]).sum()).collect();
        let target = |at: usize| &targets.values()[at * dim..(at + 1) * dim];
        assert!((cosine(&mean, target(0)) - 1.0).abs() < 1e-5 && (cosine(&rows[..dim], target(1)) - 1.0).abs() < 1e-5);
        assert!(target(2).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn rows_along_axes_keep_their_cosines_as_far_as_the_axes_reach() {
        let (teacher, texts) = (teacher(), ["data engineer".to_string()]);
        let own: Spans =
            teacher.encoder.tokens(&texts[0]).unwrap().iter().map(|token| token.start..token.end).collect();
        let dim = teacher.dim;
        let whole = teacher.targets(&texts, std::slice::from_ref(&own)).unwrap();
        let rows = teacher.encoder.encode(&texts[0]).unwrap().matrix.values().to_vec();
        let k = own.len();
        // As many axes as there are rows span them.
        let short = teacher.along(principal_axes(&rows, dim, k), k).targets(&texts, &[own]).unwrap();
        for (a, b) in [(0, 1), (0, k - 1)] {
            let of = |rows: &TokenRows, dim: usize| {
                cosine(&rows.values()[a * dim..][..dim], &rows.values()[b * dim..][..dim])
            };
            assert!((of(&whole, dim) - of(&short, k)).abs() < 1e-3);
        }
    }
}

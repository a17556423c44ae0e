//! Different titles and sentences of equal length, so that the work of a query is known.

use std::path::PathBuf;

use workindex::{Encoder, Kind, TokenMatrix};

use super::lists::{self, DistinctTexts};
use super::{Cache, Sources};

/// Token rows of a title and of a sentence.
const TITLE_ROWS: usize = 7;
const SENTENCE_ROWS: usize = 20;
/// Queries of a batch, and of a file of matrices.
const BATCH: usize = 64;
/// Titles that are kept, for `examples/resident.rs`.
const TITLES: usize = 1024;

/// The queries: 64 titles of about 7 token rows, 64 sentences of about 20.
pub struct Queries {
    pub titles: Vec<TokenMatrix>,
    pub sentences: Vec<TokenMatrix>,
    texts: Vec<String>,
}

impl Queries {
    /// Chooses and encodes. All titles that are chosen are kept as files of 64 token matrices.
    pub fn choose(sources: &Sources, encoder: &Encoder, cache: &Cache) -> Self {
        let release = sources.newest_esco();
        let (mut titles, mut sentences) = (DistinctTexts::default(), DistinctTexts::default());
        sources.titles.iter().for_each(|column| titles.add(lists::column(column)));
        titles.add(lists::labels(&release, &Kind::OCCUPATION));
        sources.sentences.iter().for_each(|column| sentences.add(lists::column(column)));
        sentences.add(lists::descriptions(&release));
        let titles = nearest(encoder, titles.finish(), TITLE_ROWS, TITLES);
        let sentences = nearest(encoder, sentences.finish(), SENTENCE_ROWS, BATCH);
        let files: Vec<PathBuf> = titles.chunks(BATCH).map(|part| cache.encode("titles", encoder, part)).collect();
        let sentence_file = cache.encode("sentences", encoder, &sentences);
        Self {
            titles: workindex::read_matrices(&files[0]).expect("kept token matrices"),
            sentences: workindex::read_matrices(&sentence_file).expect("kept token matrices"),
            texts: titles.into_iter().chain(sentences).collect(),
        }
    }

    /// The texts of all queries that were chosen.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// The `n` texts whose number of token rows is nearest to `rows`, earlier ones first.
fn nearest(encoder: &Encoder, texts: Vec<String>, rows: usize, n: usize) -> Vec<String> {
    let distance = |text: &String| encoder.tokens(text).expect("tokens").len().abs_diff(rows);
    let mut near: Vec<(usize, String)> = texts.into_iter().map(|text| (distance(&text), text)).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(n).map(|(_, text)| text).collect()
}

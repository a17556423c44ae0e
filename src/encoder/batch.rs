//! Many texts through the model, several at a time, and nothing is ever padded.

use std::borrow::Cow;
use std::sync::Mutex;

use rayon::prelude::*;

use super::architecture::SHARED_POOL_ELEMENTS;
use super::sides::Side;
use super::tokenizer::Tokenized;
use super::{Encoded, Inner, kept_rows};
use crate::error::Result;
use crate::monitor::{Monitor, Stage};
use crate::token_matrix::TokenMatrix;

/// Tokens that go through the model together, at most: enough to make good use of each pass over the weights.
const MAX_BATCH_TOKENS: usize = 128;

/// Encodes `texts`; what [`Encoder::encode_batch`](super::Encoder::encode_batch) promises. The batches are the same ones, and so
/// the bits, when it is not `parallel`.
pub(super) fn encode<T: AsRef<str> + Sync>(
    inner: &Inner,
    texts: &[T],
    side: Side,
    parallel: bool,
    monitor: &Monitor,
) -> Result<Vec<Encoded>> {
    let total = texts.len() as u64;
    monitor.check()?;
    monitor.report(Stage::Encoding, 0, Some(total));
    let tokenize = |(place, text): (usize, &T)| {
        monitor.check().and_then(|()| inner.tokenize(text.as_ref(), side)).map_err(|error| error.in_batch(place))
    };
    let tokenized: Vec<Tokenized> = match parallel {
        true => texts.par_iter().enumerate().map(tokenize).collect::<Result<_>>()?,
        false => texts.iter().enumerate().map(tokenize).collect::<Result<_>>()?,
    };
    let done = Mutex::new(0u64);
    let run = |batch: &Vec<usize>| -> Result<Vec<(usize, Encoded)>> {
        monitor.check()?;
        let encoded = forward(inner, side, &batch.iter().map(|&i| &tokenized[i]).collect::<Vec<_>>())?;
        // Counted and reported under one lock, so that the count never falls from the callback's view.
        let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *done += batch.len() as u64;
        monitor.report(Stage::Encoding, *done, Some(total));
        Ok(batch.iter().copied().zip(encoded).collect())
    };
    // One batch at a time per thread, the costly ones first.
    let batches = plan(&tokenized, &Limits::of(inner));
    let encoded: Vec<Vec<(usize, Encoded)>> = match parallel {
        true => batches.par_iter().with_max_len(1).map(run).collect::<Result<_>>()?,
        false => batches.iter().map(run).collect::<Result<_>>()?,
    };
    let mut encoded: Vec<(usize, Encoded)> = encoded.into_iter().flatten().collect();
    encoded.sort_unstable_by_key(|(i, _)| *i);
    Ok(encoded.into_iter().map(|(_, encoded)| encoded).collect())
}

/// Indices into `texts`, in batches of at most as many tokens as the model can make use of (or one text), longest texts first; texts
/// of equal length only, unless the model mixes lengths. Depends on the texts and the model, never on the threads.
fn plan(texts: &[Tokenized], limits: &Limits) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let length = |i: usize| texts[i].ids.len();
    order.sort_by_key(|&i| std::cmp::Reverse(length(i)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for i in order {
        // The first text of a batch is its longest.
        let longest = batches.last().and_then(|batch| batch.first()).map(|&first| length(first));
        tokens += length(i);
        let fits = |longest| tokens <= limits.tokens(longest) && (limits.mixed || longest == length(i));
        match batches.last_mut() {
            Some(batch) if longest.is_some_and(fits) => batch.push(i),
            _ => {
                tokens = length(i);
                batches.push(vec![i]);
            }
        }
    }
    batches
}

/// What may go through a model together.
struct Limits {
    mixed: bool,
    hidden_size: usize,
    heads: usize,
}

impl Limits {
    fn of(inner: &Inner) -> Self {
        let config = inner.checkpoint.config();
        let mixed = inner.loaded.model.mixes_lengths();
        Self { mixed, hidden_size: config.hidden_size, heads: config.num_attention_heads }
    }

    /// The most tokens of a batch whose longest text has `length`. With candle neither hidden states nor attention scores may
    /// reach [`SHARED_POOL_ELEMENTS`].
    fn tokens(&self, length: usize) -> usize {
        if self.mixed {
            return MAX_BATCH_TOKENS;
        }
        let widest = self.hidden_size.max(length.saturating_mul(self.heads));
        MAX_BATCH_TOKENS.min((SHARED_POOL_ELEMENTS - 1) / widest.max(1))
    }
}

/// Runs texts of at least one token through the model.
pub(super) fn forward(inner: &Inner, side: Side, texts: &[&Tokenized]) -> Result<Vec<Encoded>> {
    let hidden = inner.loaded.model.hidden(texts);
    let hidden = hidden.map_err(|e| inner.fault(format!("the computation failed: {e}")))?;
    let dim = inner.checkpoint.config().hidden_size;
    let mut rest = hidden.as_slice();
    let assembled = texts.iter().map(|text| {
        let (rows, after) = rest.split_at_checked(text.ids.len() * dim).unwrap_or((rest, &[]));
        rest = after;
        assemble(inner, side, text, rows)
    });
    assembled.collect()
}

/// From the last hidden states of a text to what the model makes of them.
fn assemble(inner: &Inner, side: Side, text: &Tokenized, hidden: &[f32]) -> Result<Encoded> {
    let rows = inner.loaded.token_layers.iter().fold(Cow::Borrowed(hidden), |rows, layer| layer.apply(&rows).into());
    let dim = rows.len() / text.ids.len().max(1);
    let side = inner.side(side)?;
    let pooled = side.pooled(text, dim, &rows);
    let content_tokens = text.special.iter().filter(|special| !**special).count();
    let matrix = match &side.head {
        Some(head) => {
            let vector = head.apply(pooled);
            TokenMatrix::with_pooled(vector.len(), vector.clone(), vector)?
        }
        None => {
            let keep = kept_rows(&text.special, &side.skipped(&text.ids), inner.loaded.settings.special_tokens);
            let kept = rows.chunks_exact(dim.max(1)).zip(keep).filter(|(_, keep)| *keep);
            TokenMatrix::with_pooled(dim, kept.flat_map(|(row, _)| row.iter().copied()).collect(), pooled)?
        }
    };
    Ok(Encoded { matrix, truncated: text.truncated, content_tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(length: usize) -> Tokenized {
        Tokenized { ids: vec![1; length], special: vec![false; length], attended: length, truncated: false }
    }

    fn limits(mixed: bool, hidden_size: usize, heads: usize) -> Limits {
        Limits { mixed, hidden_size, heads }
    }

    #[test]
    fn batches_keep_within_the_cap_and_hold_every_text_once() {
        let lengths: Vec<usize> = (0..500).map(|i| 1 + (i * 37) % 23).chain([MAX_BATCH_TOKENS * 2; 2]).collect();
        let texts: Vec<Tokenized> = lengths.iter().map(|&n| of_length(n)).collect();
        for mixed in [true, false] {
            let batches = plan(&texts, &limits(mixed, 384, 12));
            let tokens = |batch: &Vec<usize>| batch.iter().map(|&i| lengths[i]).sum::<usize>();
            for batch in &batches {
                assert!(mixed || batch.iter().all(|&i| lengths[i] == lengths[batch[0]]));
                assert!(batch.len() == 1 || tokens(batch) <= MAX_BATCH_TOKENS);
            }
            let full = batches.iter().filter(|batch| tokens(batch) > MAX_BATCH_TOKENS - 23).count();
            assert!(if mixed { full + 1 >= batches.len() } else { full > 0 });
            let mut all: Vec<usize> = batches.concat();
            all.sort_unstable();
            assert_eq!(all, (0..texts.len()).collect::<Vec<_>>());
        }
        assert!(plan(&[], &limits(true, 384, 12)).is_empty());
    }

    #[test]
    fn with_candle_wide_models_and_long_texts_make_smaller_batches() {
        assert_eq!(limits(false, 384, 12).tokens(8), MAX_BATCH_TOKENS.min(170));
        assert_eq!(limits(false, 768, 12).tokens(8), 85);
        assert_eq!(limits(false, 384, 12).tokens(100), 54);
        assert_eq!(limits(false, 1 << 16, 1).tokens(8), 0);
        assert_eq!(limits(true, 1 << 16, 1).tokens(8), MAX_BATCH_TOKENS);
    }
}

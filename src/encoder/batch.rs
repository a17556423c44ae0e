//! Many texts through the model: texts of equally many tokens together, so that nothing is ever padded or masked.

use std::borrow::Cow;
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::architecture::SHARED_POOL_ELEMENTS;
use super::config::ModelConfig;
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
    let tokenize = |text: &T| monitor.check().and_then(|()| inner.tokenize(text.as_ref(), side));
    let tokenized: Vec<Tokenized> = match parallel {
        true => texts.par_iter().map(tokenize).collect::<Result<_>>()?,
        false => texts.iter().map(tokenize).collect::<Result<_>>()?,
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
    let batches = plan(&tokenized, inner.checkpoint.config());
    let encoded: Vec<Vec<(usize, Encoded)>> = match parallel {
        true => batches.par_iter().with_max_len(1).map(run).collect::<Result<_>>()?,
        false => batches.iter().map(run).collect::<Result<_>>()?,
    };
    let mut encoded: Vec<(usize, Encoded)> = encoded.into_iter().flatten().collect();
    encoded.sort_unstable_by_key(|(i, _)| *i);
    Ok(encoded.into_iter().map(|(_, encoded)| encoded).collect())
}

/// Indices into `texts`, in batches of equally long texts, as many as [`max_tokens`] allows (or one text). Longest first.
/// Depends on the texts and the model only, never on the threads.
fn plan(texts: &[Tokenized], config: &ModelConfig) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let length = |&i: &usize| texts[i].ids.len();
    order.sort_by_key(|i| std::cmp::Reverse(length(i)));
    let same_length = order.chunk_by(|a, b| length(a) == length(b));
    same_length
        .flat_map(|group| {
            let longest = group.first().map_or(1, length).max(1);
            group.chunks((max_tokens(longest, config) / longest).max(1)).map(<[usize]>::to_vec)
        })
        .collect()
}

/// The most tokens of a batch of texts of `length` tokens: neither hidden states nor attention scores may reach
/// [`SHARED_POOL_ELEMENTS`].
fn max_tokens(length: usize, config: &ModelConfig) -> usize {
    let widest = config.hidden_size.max(length.saturating_mul(config.num_attention_heads));
    MAX_BATCH_TOKENS.min((SHARED_POOL_ELEMENTS - 1) / widest.max(1))
}

/// Runs texts of one and the same number of tokens, at least 1, through the model.
pub(super) fn forward(inner: &Inner, side: Side, texts: &[&Tokenized]) -> Result<Vec<Encoded>> {
    let hidden = last_hidden(inner, texts).map_err(|e| inner.fault(format!("the computation failed: {e}")))?;
    let per_text = hidden.len() / texts.len().max(1);
    texts
        .iter()
        .zip(hidden.chunks_exact(per_text.max(1)))
        .map(|(text, rows)| assemble(inner, side, text, rows))
        .collect()
}

/// The last hidden states of all tokens of all texts, row-major.
fn last_hidden(inner: &Inner, texts: &[&Tokenized]) -> candle_core::Result<Vec<f32>> {
    let length = texts.first().map_or(0, |text| text.ids.len());
    let ids: Vec<u32> = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
    let ids = Tensor::from_vec(ids, (texts.len(), length), &Device::Cpu)?;
    let mask = attention_mask(texts, length)?;
    inner.model.forward(&ids, mask.as_ref())?.flatten_all()?.to_vec1()
}

/// 1 for each token that may be attended to; none where all may.
fn attention_mask(texts: &[&Tokenized], length: usize) -> candle_core::Result<Option<Tensor>> {
    if texts.iter().all(|text| text.attended >= length) {
        return Ok(None);
    }
    let mask = texts.iter().flat_map(|text| (0..length).map(|at| u32::from(at < text.attended)));
    Tensor::from_vec(mask.collect::<Vec<u32>>(), (texts.len(), length), &Device::Cpu).map(Some)
}

/// From the last hidden states of a text to what the model makes of them.
fn assemble(inner: &Inner, side: Side, text: &Tokenized, hidden: &[f32]) -> Result<Encoded> {
    let rows = inner.token_layers.iter().fold(Cow::Borrowed(hidden), |rows, layer| layer.apply(&rows).into());
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
            let keep = kept_rows(&text.special, &side.skipped(&text.ids), inner.settings.special_tokens);
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

    fn config(hidden_size: usize, num_attention_heads: usize) -> ModelConfig {
        let value = serde_json::json!({
            "model_type": "bert", "vocab_size": 10, "num_hidden_layers": 1,
            "hidden_size": hidden_size, "intermediate_size": 4 * hidden_size,
            "num_attention_heads": num_attention_heads, "max_position_embeddings": 512,
        });
        ModelConfig::from_json(&value).unwrap()
    }

    #[test]
    fn batches_hold_equal_lengths_within_the_cap_and_every_text_once() {
        let config = config(384, 12);
        let lengths: Vec<usize> = (0..500).map(|i| 1 + (i * 37) % 23).chain([MAX_BATCH_TOKENS * 2; 2]).collect();
        let texts: Vec<Tokenized> = lengths.iter().map(|&n| of_length(n)).collect();
        let batches = plan(&texts, &config);
        for batch in &batches {
            assert!(batch.iter().all(|&i| lengths[i] == lengths[batch[0]]));
            assert!(batch.len() == 1 || batch.len() * lengths[batch[0]] <= MAX_BATCH_TOKENS);
        }
        assert!(batches.iter().any(|batch| batch.len() * lengths[batch[0]] > MAX_BATCH_TOKENS / 2));
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..texts.len()).collect::<Vec<_>>());
    }

    #[test]
    fn wide_models_and_long_texts_make_smaller_batches() {
        assert_eq!(max_tokens(8, &config(384, 12)), MAX_BATCH_TOKENS);
        assert_eq!(max_tokens(8, &config(768, 12)), 85);
        assert_eq!(max_tokens(100, &config(384, 12)), 54);
        assert_eq!(max_tokens(8, &config(1 << 16, 1)), 0);
    }

    #[test]
    fn a_mask_is_made_only_where_a_token_is_hidden() {
        let (all, some) = (of_length(3), Tokenized { attended: 1, ..of_length(3) });
        assert!(attention_mask(&[&all, &all], 3).unwrap().is_none());
        let mask = attention_mask(&[&all, &some], 3).unwrap().unwrap();
        assert_eq!(mask.to_vec2::<u32>().unwrap(), [[1, 1, 1], [1, 0, 0]]);
    }
}

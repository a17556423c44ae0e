//! A smaller vocabulary for a model: the pieces of its WordPiece tokenizer that a corpus has most often.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::corpus::Corpus;
use crate::encoder::{Checkpoint, Frame, TextTokenizer, encoder_error};
use crate::error::Result;

/// Letters, digits and signs that are kept, whether the corpus has them or not: the Latin alphabets; dashes, quotation marks and
/// the like; the signs of currencies, and of trade marks. So every word in them falls into pieces at worst.
const KEPT: [std::ops::RangeInclusive<char>; 2] = ['\0'..='\u{24f}', '\u{2000}'..='\u{214f}'];
/// Tokens of a text that are counted.
const MAX_TOKENS: usize = 512;

/// The pieces that are kept, and the files of the smaller tokenizer.
pub(super) struct Vocabulary {
    /// By new id: the id that it has in the base.
    pub(super) kept: Vec<u32>,
    /// The new `tokenizer.json`.
    pub(super) tokenizer: Vec<u8>,
    /// The new `vocab.txt`.
    pub(super) list: Vec<u8>,
}

/// Keeps `n` pieces, or more where special tokens and letters are more.
///
/// # Errors
/// [`Error::Encoder`](crate::Error::Encoder) for a tokenizer that is not WordPiece.
pub(super) fn cut(base: &Checkpoint, corpus: &Corpus, n: usize) -> Result<Vocabulary> {
    let path = base.tokenizer_path();
    let bytes = std::fs::read(&path).map_err(crate::Error::io("read", &path))?;
    let mut file: Value = serde_json::from_slice(&bytes).map_err(|error| encoder_error(&path, error.to_string()))?;
    let is_word_piece = file.pointer("/model/type").and_then(Value::as_str) == Some("WordPiece");
    let pieces = file.pointer("/model/vocab").and_then(Value::as_object).filter(|_| is_word_piece);
    let pieces = pieces.ok_or_else(|| encoder_error(&path, "only WordPiece vocabularies are cut"))?;
    let mut spelled: Vec<(u32, String)> =
        pieces.iter().filter_map(|(piece, id)| Some((u32::try_from(id.as_u64()?).ok()?, piece.clone()))).collect();
    spelled.sort_unstable();
    let prefix = file.pointer("/model/continuing_subword_prefix").and_then(Value::as_str).unwrap_or("##").to_string();
    let kept = choose(&spelled, &special_ids(&file), &prefix, &counts(base, corpus)?, n);
    let new_ids: HashMap<u32, u32> = kept.iter().copied().zip(0..).collect();
    renumber(&mut file, &new_ids);
    let list = spelled.iter().filter(|(id, _)| new_ids.contains_key(id)).map(|(_, piece)| format!("{piece}\n"));
    let list = list.collect::<String>().into_bytes();
    let tokenizer = serde_json::to_vec(&file).map_err(|error| encoder_error(&path, error.to_string()))?;
    Ok(Vocabulary { kept, tokenizer, list })
}

/// How often the corpus has each id.
fn counts(base: &Checkpoint, corpus: &Corpus) -> Result<HashMap<u32, u64>> {
    let max_tokens = base.max_positions().min(MAX_TOKENS);
    let tokenizer = TextTokenizer::read(&base.tokenizer_path(), max_tokens)?;
    let frame = Frame::plain(max_tokens);
    let texts: Vec<&str> = corpus.texts().collect();
    let of_part = |texts: &[&str]| -> Result<HashMap<u32, u64>> {
        let mut counts = HashMap::new();
        for text in texts {
            for id in tokenizer.tokenize(text, &frame)?.ids {
                *counts.entry(id).or_default() += 1;
            }
        }
        Ok(counts)
    };
    let parts: Vec<HashMap<u32, u64>> = texts.par_chunks(4096).map(of_part).collect::<Result<_>>()?;
    Ok(parts.into_iter().fold(HashMap::new(), |mut all, part| {
        part.into_iter().for_each(|(id, count)| *all.entry(id).or_default() += count);
        all
    }))
}

fn special_ids(file: &Value) -> BTreeSet<u32> {
    let added = file.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    added.filter_map(|token| u32::try_from(token.get("id")?.as_u64()?).ok()).collect()
}

/// Old ids, rising.
fn choose(
    spelled: &[(u32, String)],
    special: &BTreeSet<u32>,
    prefix: &str,
    counts: &HashMap<u32, u64>,
    n: usize,
) -> Vec<u32> {
    let is_letter = |piece: &str| {
        let mut chars = piece.strip_prefix(prefix).unwrap_or(piece).chars();
        chars.next().is_some_and(|first| KEPT.iter().any(|range| range.contains(&first))) && chars.next().is_none()
    };
    let always = spelled.iter().filter(|(id, piece)| special.contains(id) || is_letter(piece));
    let mut kept: BTreeSet<u32> = always.map(|(id, _)| *id).collect();
    let count = |id: u32| counts.get(&id).copied().unwrap_or(0);
    let mut others: Vec<u32> = spelled.iter().map(|(id, _)| *id).filter(|id| !kept.contains(id)).collect();
    // The base's order is by frequency in general text: it decides between equals.
    others.sort_by_key(|&id| (std::cmp::Reverse(count(id)), id));
    let room = n.saturating_sub(kept.len());
    kept.extend(others.into_iter().take(room));
    kept.into_iter().collect()
}

/// Puts new ids wherever the file has ids, and leaves out pieces without one.
fn renumber(file: &mut Value, new_ids: &HashMap<u32, u32>) {
    let new_id = |old: &Value| old.as_u64().and_then(|old| new_ids.get(&u32::try_from(old).ok()?)).copied();
    if let Some(pieces) = file.pointer_mut("/model/vocab").and_then(Value::as_object_mut) {
        let mut kept: Vec<(u32, String)> =
            pieces.iter().filter_map(|(piece, id)| Some((new_id(id)?, piece.clone()))).collect();
        kept.sort_unstable();
        *pieces = kept.into_iter().map(|(id, piece)| (piece, id.into())).collect::<Map<_, _>>();
    }
    for token in file.pointer_mut("/added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(id) = token.get("id").and_then(new_id) {
            token["id"] = id.into();
        }
    }
    // Templates name their tokens' ids, the processors of BERT and RoBERTa have them in pairs.
    let special = file.pointer_mut("/post_processor/special_tokens").and_then(Value::as_object_mut);
    for token in special.into_iter().flat_map(|tokens| tokens.values_mut()) {
        for id in token.get_mut("ids").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(new) = new_id(id) {
                *id = new.into();
            }
        }
    }
    for pair in ["/post_processor/sep/1", "/post_processor/cls/1"] {
        if let Some(id) = file.pointer_mut(pair)
            && let Some(new) = new_id(id)
        {
            *id = new.into();
        }
    }
    if let Some(pad) = file.pointer_mut("/padding/pad_id")
        && let Some(new) = new_id(pad)
    {
        *pad = new.into();
    }
}

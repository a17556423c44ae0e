//! What a `tokenizer.json` from anywhere may do to this process: nothing that takes memory or time out of proportion to the
//! text, nothing at random, and no panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::{NormalizerWrapper, Replace};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{Result as TokenizersResult, Tokenizer};

use super::files::encoder_error;
use crate::error::Result;

/// Steps that clean a text up. Published tokenizers have at most a dozen.
const MAX_STEPS: usize = 64;
/// How many times longer the replacements of a tokenizer, all together, may make a text. `▁` for a blank makes it 3 times.
const MAX_GROWTH: usize = 256;
/// WordPiece looks at all parts of a word, each of which it copies. Published tokenizers say 100.
const MAX_WORD_CHARS: usize = 512;

/// Runs `operation` of the tokenizers library, which panics on some files that contradict themselves; the panic ends here, as
/// an error about `path`. A tokenizer remains usable: what it changes when it tokenizes are caches behind locks.
pub(crate) fn guarded<T>(path: &Path, doing: &str, operation: impl FnOnce() -> TokenizersResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(result) => result.map_err(|error| encoder_error(path, format!("{doing}: {error}"))),
        Err(panic) => {
            let reason = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let reason = reason.unwrap_or("no reason given");
            Err(encoder_error(path, format!("{doing}: the tokenizer contradicts itself ({reason})")))
        }
    }
}

/// Refuses what would take memory or time without bound, or give a text other tokens each time.
///
/// # Errors
/// [`Error::Encoder`](crate::Error::Encoder).
pub(crate) fn check(path: &Path, tokenizer: &Tokenizer) -> Result<()> {
    let checked = check_model(tokenizer.get_model())
        .and_then(|()| check_pre_tokenizer(tokenizer.get_pre_tokenizer()))
        .and_then(|()| check_post_processor(tokenizer.get_post_processor()));
    checked.map_err(|problem| encoder_error(path, problem))?;
    let mut steps = Vec::new();
    if let Some(normalizer) = tokenizer.get_normalizer() {
        collect(normalizer, &mut steps);
    }
    if steps.len() > MAX_STEPS {
        return Err(encoder_error(
            path,
            format!("normalizer: {} steps; at most {MAX_STEPS} are expected", steps.len()),
        ));
    }
    let growth = steps.iter().fold(1usize, |growth, step| growth.saturating_mul(growth_of(step)));
    if growth > MAX_GROWTH {
        let problem = format!("normalizer: its replacements can make a text more than {MAX_GROWTH} times longer");
        return Err(encoder_error(path, problem));
    }
    Ok(())
}

fn check_model(model: &ModelWrapper) -> Result<(), String> {
    match model {
        ModelWrapper::WordPiece(pieces) if pieces.max_input_chars_per_word > MAX_WORD_CHARS => Err(format!(
            "model.max_input_chars_per_word: expected at most {MAX_WORD_CHARS}, found {}",
            pieces.max_input_chars_per_word
        )),
        ModelWrapper::BPE(pieces) if pieces.dropout.is_some_and(|dropout| dropout != 0.0) => {
            Err("model.dropout: expected none, because a text would have other tokens each time".to_string())
        }
        _ => Ok(()),
    }
}

/// Each byte-level step writes a byte as a character of up to two bytes: one after the other they would double a text each time.
fn check_pre_tokenizer(pre_tokenizer: Option<&PreTokenizerWrapper>) -> Result<(), String> {
    let mut steps = vec![];
    let mut waiting: Vec<&PreTokenizerWrapper> = pre_tokenizer.into_iter().collect();
    while let Some(step) = waiting.pop() {
        match step {
            PreTokenizerWrapper::Sequence(sequence) => waiting.extend(sequence.as_ref()),
            step => steps.push(step),
        }
    }
    let byte_level = steps.iter().filter(|step| matches!(step, PreTokenizerWrapper::ByteLevel(_))).count();
    if steps.len() > MAX_STEPS || byte_level > 1 {
        return Err(format!(
            "pre_tokenizer: at most {MAX_STEPS} steps are expected, and 1 on bytes; found {} and {byte_level}",
            steps.len()
        ));
    }
    Ok(())
}

/// A template that repeats the text would multiply its tokens, and templates one after the other their factors.
fn check_post_processor(post_processor: Option<&PostProcessorWrapper>) -> Result<(), String> {
    let mut repeats = 0;
    let mut steps = 0;
    let mut waiting: Vec<&PostProcessorWrapper> = post_processor.into_iter().collect();
    while let Some(step) = waiting.pop() {
        steps += 1;
        match step {
            PostProcessorWrapper::Sequence(sequence) => waiting.extend(sequence.as_ref()),
            PostProcessorWrapper::Template(template) => repeats += template.get_single().matches("Sequence {").count(),
            _ => {}
        }
    }
    if steps > MAX_STEPS || repeats > 1 {
        return Err(format!(
            "post_processor: at most {MAX_STEPS} steps are expected, and a text once in its template; found {steps} and {repeats}"
        ));
    }
    Ok(())
}

/// The normalizers in the order in which they run. The file's depth, and so this recursion's, is limited by the JSON parser.
fn collect<'n>(normalizer: &'n NormalizerWrapper, steps: &mut Vec<&'n NormalizerWrapper>) {
    match normalizer {
        NormalizerWrapper::Sequence(sequence) => sequence.as_ref().iter().for_each(|step| collect(step, steps)),
        step => steps.push(step),
    }
}

fn growth_of(step: &NormalizerWrapper) -> usize {
    match step {
        NormalizerWrapper::Replace(replace) => growth_of_replace(replace),
        // Before each piece of text, however short.
        NormalizerWrapper::Prepend(prepend) => prepend.prepend.len().max(1),
        // A character for each byte, of up to two bytes.
        NormalizerWrapper::ByteLevel(_) => 2,
        // Of Unicode, with bounds of its own.
        _ => 1,
    }
}

/// A plain pattern is replaced where it stands; one by rules may also stand for nothing, between any two bytes.
fn growth_of_replace(replace: &Replace) -> usize {
    let content = replace.content.len();
    let pattern = serde_json::to_value(replace).ok();
    let plain = pattern.as_ref().and_then(|replace| replace["pattern"]["String"].as_str()).filter(|p| !p.is_empty());
    match plain {
        Some(plain) => content.div_ceil(plain.len()).max(1),
        None if content == 0 => 1,
        None => content.saturating_add(1),
    }
}

//! Text to token ids, cut to length the way `transformers` cuts.

use std::path::{Path, PathBuf};

use tokenizers::{Encoding, Tokenizer};

use super::files::read_limited;
use super::tokenizer_limits::{check, guarded};
use crate::error::{Error, Result};

/// Multilingual tokenizers have some 20 MB.
const MAX_TOKENIZER_BYTES: u64 = 256 << 20;
/// A text is first tokenized as far as this many bytes per token that is wanted. Words have some six bytes.
const BYTES_PER_TOKEN: usize = 128;
/// Text behind this many bytes is never looked at.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// What errors about the whole file say first.
const NOT_USABLE: &str = "not a usable tokenizer";

/// One token of a text, for explanations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The token as the vocabulary spells it (`##ing` continues a word).
    pub text: String,
    /// Where it comes from: byte offsets into the text that was encoded. Empty for special tokens.
    pub start: usize,
    /// The end of that range.
    pub end: usize,
    /// Whether the tokenizer added it (`[CLS]`, `[SEP]`), rather than finding it in the text.
    pub special: bool,
}

/// The token ids of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokenized {
    pub ids: Vec<u32>,
    /// For each token whether the tokenizer added it.
    pub special: Vec<bool>,
    /// Whether the end of the text was left out.
    pub truncated: bool,
}

/// A tokenizer that never pads and cuts to `max_tokens`, special tokens included.
pub(crate) struct TextTokenizer {
    path: PathBuf,
    inner: Tokenizer,
    max_tokens: usize,
    /// Tokens that are added to every text.
    added: usize,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`; padding and truncation of its own are switched off.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the file is missing, no tokenizer, or one that takes no text in bounds or at random;
    /// [`Error::InvalidOption`] when `max_tokens` is so
    /// small that the special tokens leave no room.
    pub(crate) fn read(path: &Path, max_tokens: usize) -> Result<Self> {
        let bytes = read_limited(path, MAX_TOKENIZER_BYTES)?;
        let unpadded = || {
            let mut tokenizer = Tokenizer::from_bytes(bytes)?;
            tokenizer.with_padding(None);
            tokenizer.with_truncation(None)?;
            Ok(tokenizer)
        };
        let inner = guarded(path, NOT_USABLE, unpadded)?;
        check(path, &inner)?;
        let empty = guarded(path, NOT_USABLE, || inner.encode_fast("", true))?;
        let added = (0..empty.len()).filter(|&at| is_special(&empty, at)).count();
        if added >= max_tokens {
            return Err(Error::InvalidOption {
                option: "max_tokens",
                expected: format!("more than the {added} special tokens of the model"),
                got: max_tokens.to_string(),
            });
        }
        Ok(Self { path: path.to_path_buf(), inner, max_tokens, added })
    }

    /// The ids of `text`.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Tokenized> {
        let (encoding, cut) = self.encode_start(text, |start| self.inner.encode_fast(start, true))?;
        let kept = self.kept(&encoding);
        let ids = kept.iter().filter_map(|&at| encoding.get_ids().get(at).copied()).collect();
        let special = kept.iter().map(|&at| is_special(&encoding, at)).collect();
        Ok(Tokenized { ids, special, truncated: cut || kept.len() < encoding.len() })
    }

    /// The same tokens with their spelling and their place in the text.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        let (encoding, _) = self.encode_start(text, |start| self.inner.encode(start, true))?;
        let token = |at: usize| {
            let special = is_special(&encoding, at);
            let (start, end) = whole_chars(text, encoding.get_offsets().get(at).copied().unwrap_or_default());
            Token { text: encoding.get_tokens().get(at).cloned().unwrap_or_default(), start, end, special }
        };
        Ok(self.kept(&encoding).into_iter().map(token).collect())
    }

    /// Tokenizes enough of the start of a text to fill `max_tokens`, and says whether text was left out unseen.
    ///
    /// The start is cut before white space where it can be, so its tokens are those of the whole text; it grows until it
    /// makes enough tokens. Only a text whose first [`MAX_TEXT_BYTES`] make too few (a megabyte of blanks, or a single
    /// word of that length) is treated as if it ended there.
    fn encode_start<'t>(
        &self,
        text: &'t str,
        encode: impl Fn(&'t str) -> tokenizers::Result<Encoding>,
    ) -> Result<(Encoding, bool)> {
        let mut bytes = self.max_tokens.saturating_mul(BYTES_PER_TOKEN).min(MAX_TEXT_BYTES);
        loop {
            let start = start_of(text, bytes);
            let encoding = guarded(&self.path, "cannot tokenize", || encode(start))?;
            let cut = start.len() < text.len();
            if !cut || bytes >= MAX_TEXT_BYTES || encoding.len() > self.max_tokens {
                return Ok((encoding, cut));
            }
            bytes = bytes.saturating_mul(8).min(MAX_TEXT_BYTES);
        }
    }

    /// Positions of the tokens that stay: all added ones, and as many of the text's own as fit, from the left.
    fn kept(&self, encoding: &Encoding) -> Vec<usize> {
        let mut room = self.max_tokens.saturating_sub(self.added);
        let stays = |at: &usize| {
            if is_special(encoding, *at) {
                return true;
            }
            let fits = room > 0;
            room = room.saturating_sub(1);
            fits
        };
        // At most `max_tokens`, also where a tokenizer adds more to some texts than to others.
        (0..encoding.len()).filter(stays).take(self.max_tokens).collect()
    }
}

/// The range, widened to whole characters inside the text. Tokens of parts of a character have the whole one.
fn whole_chars(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let start = text.floor_char_boundary(start);
    (start, text.ceil_char_boundary(end.min(text.len())).max(start))
}

fn is_special(encoding: &Encoding, at: usize) -> bool {
    encoding.get_special_tokens_mask().get(at) == Some(&1)
}

/// At most `bytes` of the start of `text`: up to the last white space in them, else up to a character boundary.
fn start_of(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let start = &text[..text.floor_char_boundary(bytes)];
    match start.rfind(char::is_whitespace) {
        Some(at) if !start[..at].trim_end().is_empty() => &start[..at],
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(max_tokens: usize) -> TextTokenizer {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert/tokenizer.json");
        TextTokenizer::read(&path, max_tokens).unwrap()
    }

    #[test]
    fn padding_and_truncation_of_the_file_are_off() {
        let tokenized = tiny(64).tokenize("data engineer").unwrap();
        assert_eq!(tokenized.special, [true, false, false, false, true]);
        let long = tiny(96).tokenize(&"data ".repeat(80)).unwrap();
        assert_eq!((long.ids.len(), long.truncated), (82, false));
    }

    #[test]
    fn truncation_keeps_the_special_tokens_and_the_first_pieces() {
        let (all, cut) =
            (tiny(64).tokenize("data engineer data").unwrap(), tiny(4).tokenize("data engineer data").unwrap());
        assert_eq!(cut.ids, [&all.ids[..3], &all.ids[all.ids.len() - 1..]].concat());
        assert_eq!((all.truncated, cut.truncated), (false, true));
        assert_eq!(cut.special, [true, false, false, true]);
        assert!(!tiny(3).tokenize("data").unwrap().truncated);
    }

    #[test]
    fn no_room_for_a_token_is_an_error() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert/tokenizer.json");
        assert!(matches!(TextTokenizer::read(&path, 2), Err(Error::InvalidOption { .. })));
    }

    #[test]
    fn the_start_of_a_long_text_has_the_tokens_of_the_whole() {
        let tokenizer = tiny(16);
        for unit in ["data engineer ", "数据", "é\u{301}", "wielding-tools/", "🔧", "a  \t\n"] {
            let long = unit.repeat(3000);
            let whole = tokenizer.inner.encode_fast(long.as_str(), true).unwrap();
            let expected: Vec<u32> = whole.get_ids().iter().copied().take(15).collect();
            let tokenized = tokenizer.tokenize(&long).unwrap();
            assert_eq!(tokenized.ids[..tokenized.ids.len() - 1], expected[..tokenized.ids.len() - 1], "{unit}");
            assert_eq!(tokenized.truncated, whole.len() > 16, "{unit}");
        }
    }

    #[test]
    fn the_ids_of_every_family_are_those_of_its_golden_values() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder");
        for family in ["roberta", "xlm-roberta", "mpnet", "distilbert", "modernbert"] {
            let tokenizer = TextTokenizer::read(&fixtures.join(format!("tiny-{family}/tokenizer.json")), 64).unwrap();
            let golden = std::fs::read(fixtures.join(format!("golden_{family}.json"))).unwrap();
            let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
            for case in golden["cases"].as_array().unwrap() {
                let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
                assert_eq!(tokenizer.tokenize(case["text"].as_str().unwrap()).unwrap().ids, ids, "{family} {case}");
            }
        }
    }

    #[test]
    fn leading_blanks_do_not_hide_the_text() {
        let text = format!("{}data", " ".repeat(100_000));
        assert_eq!(tiny(16).tokenize(&text).unwrap(), tiny(16).tokenize("data").unwrap());
    }

    #[test]
    fn ranges_are_widened_to_characters_of_the_text() {
        let text = "aé数";
        assert_eq!(whole_chars(text, (0, 1)), (0, 1));
        assert_eq!(whole_chars(text, (2, 2)), (1, 3));
        assert_eq!(whole_chars(text, (4, 5)), (3, 6));
        assert_eq!(whole_chars(text, (5, usize::MAX)), (3, 6));
        assert_eq!(whole_chars(text, (usize::MAX, 0)), (6, 6));
    }

    #[test]
    fn tokens_tell_their_spelling_and_place() {
        let text = "Café data";
        let tokenizer = tiny(64);
        let tokens = tokenizer.tokens(text).unwrap();
        assert_eq!(tokens.len(), tokenizer.tokenize(text).unwrap().ids.len());
        assert_eq!(tokens[0], Token { text: "[CLS]".into(), start: 0, end: 0, special: true });
        assert_eq!(&text[tokens[1].start..tokens[1].end], "Café");
        assert_eq!((tokens[1].text.as_str(), tokens[2].text.as_str()), ("cafe", "data"));
    }
}

//! Text to token ids, cut to length the way `transformers` cuts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use tokenizers::{Encoding, Tokenizer};

use super::files::read_limited;
use super::sides::Frame;
use super::tokenizer_limits::{check, guarded};
use crate::error::{Error, Result};

/// Multilingual tokenizers have some 20 MB.
const MAX_TOKENIZER_BYTES: u64 = 256 << 20;
/// A text is first tokenized as far as this many bytes per token that is wanted. Words have some six bytes.
const BYTES_PER_TOKEN: usize = 128;
/// Text behind this many bytes is never looked at.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// What errors about the whole file say first.
const CANNOT: &str = "cannot tokenize";
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
    /// Whether the encoder added it (`[CLS]`, `[SEP]`, a prompt, the marks of a PyLate model), rather than finding it in the
    /// text.
    pub special: bool,
}

/// The token ids of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokenized {
    pub ids: Vec<u32>,
    /// For each token whether it was added, and does not come from the text.
    pub special: Vec<bool>,
    /// How many tokens, from the first on, may be attended to; the others attend, and are not attended to. All of them but
    /// where the side says otherwise.
    pub attended: usize,
    /// Whether the end of the text was left out.
    pub truncated: bool,
}

/// How many tokens a prompt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PromptTokens {
    /// With all special tokens.
    pub all: usize,
    /// Without the special token at the end.
    pub leading: usize,
}

/// A token of a framed text.
enum Piece {
    /// The one at a place of the tokenizer's encoding.
    Of(usize),
    Marker,
    Expansion,
}

/// A tokenizer that never pads, and cuts as the [`Frame`] of a text says, special tokens included.
pub(crate) struct TextTokenizer {
    path: PathBuf,
    inner: Tokenizer,
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
        Self::parse(path, read_limited(path, MAX_TOKENIZER_BYTES)?, max_tokens)
    }

    /// The same from the bytes of such a file; `path` is what errors name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn parse(path: &Path, bytes: Vec<u8>, max_tokens: usize) -> Result<Self> {
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
        Ok(Self { path: path.to_path_buf(), inner, added })
    }

    /// The id of a token as the vocabulary spells it.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How many tokens a prompt has by itself.
    pub(crate) fn prompt_tokens(&self, prompt: &str) -> Result<PromptTokens> {
        let encoding = guarded(&self.path, CANNOT, || self.inner.encode_fast(prompt.trim(), true))?;
        let all = encoding.len();
        Ok(PromptTokens { all, leading: all - usize::from(all > 0 && is_special(&encoding, all - 1)) })
    }

    /// The ids of `text` on a side.
    pub(crate) fn tokenize(&self, text: &str, frame: &Frame) -> Result<Tokenized> {
        let prompted = frame.prompted(text);
        let (encoding, cut) = self.encode_start(&prompted, frame, |start| match frame.prompt.is_empty() {
            true => self.inner.encode_fast(start, true),
            // With the places that tell the tokens of the prompt.
            false => self.inner.encode(start, true),
        })?;
        let kept = self.kept(&encoding, frame);
        let truncated = cut || kept.len() < encoding.len();
        let (pieces, attended) = frame.around(&kept);
        let id = |piece: &Piece| match piece {
            Piece::Of(at) => encoding.get_ids().get(*at).copied(),
            Piece::Marker => frame.marker.as_ref().map(|(id, _)| *id),
            Piece::Expansion => frame.expansion.as_ref().map(|expansion| expansion.id),
        };
        let ids = pieces.iter().filter_map(id).collect();
        let special = pieces.iter().map(|piece| piece.is_special(&encoding, frame)).collect();
        Ok(Tokenized { ids, special, attended, truncated })
    }

    /// The same tokens with their spelling and their place in the text.
    pub(crate) fn tokens(&self, text: &str, frame: &Frame) -> Result<Vec<Token>> {
        let prompted = frame.prompted(text);
        let (encoding, _) = self.encode_start(&prompted, frame, |start| self.inner.encode(start, true))?;
        let added = |text: &str| Token { text: text.to_string(), start: 0, end: 0, special: true };
        let token = |piece: &Piece| match piece {
            Piece::Marker => added(frame.marker.as_ref().map_or("", |(_, spelling)| spelling)),
            Piece::Expansion => added(frame.expansion.as_ref().map_or("", |expansion| &expansion.spelling)),
            Piece::Of(at) => {
                let special = piece.is_special(&encoding, frame);
                let (start, end) = encoding.get_offsets().get(*at).copied().unwrap_or_default();
                let place = |at: usize| at.saturating_sub(frame.prompt.len());
                let (start, end) = whole_chars(text, (place(start), place(end)));
                let text = encoding.get_tokens().get(*at).cloned().unwrap_or_default();
                Token { text, start, end, special }
            }
        };
        Ok(frame.around(&self.kept(&encoding, frame)).0.iter().map(token).collect())
    }

    /// Tokenizes enough of the start of a text to fill `max_tokens`, and says whether text was left out unseen.
    ///
    /// The start is cut before white space where it can be, so its tokens are those of the whole text; it grows until it
    /// makes enough tokens. Only a text whose first [`MAX_TEXT_BYTES`] make too few (a megabyte of blanks, or a single
    /// word of that length) is treated as if it ended there.
    fn encode_start<'t>(
        &self,
        text: &'t str,
        frame: &Frame,
        encode: impl Fn(&'t str) -> tokenizers::Result<Encoding>,
    ) -> Result<(Encoding, bool)> {
        let mut bytes = frame.max_tokens.saturating_mul(BYTES_PER_TOKEN).min(MAX_TEXT_BYTES);
        loop {
            let start = start_of(text, bytes);
            let encoding = guarded(&self.path, CANNOT, || encode(start))?;
            let cut = start.len() < text.len();
            if !cut || bytes >= MAX_TEXT_BYTES || encoding.len() > frame.max_tokens {
                return Ok((encoding, cut));
            }
            bytes = bytes.saturating_mul(8).min(MAX_TEXT_BYTES);
        }
    }

    /// Positions of the tokens that stay: all added ones, and as many of the text's own as fit, from the left.
    fn kept(&self, encoding: &Encoding, frame: &Frame) -> Vec<usize> {
        let added = self.added + usize::from(frame.marker.is_some());
        let mut room = frame.max_tokens.saturating_sub(added);
        let stays = |at: &usize| {
            if is_special(encoding, *at) {
                return true;
            }
            let fits = room > 0;
            room = room.saturating_sub(1);
            fits
        };
        // At most `max_tokens`, also where a tokenizer adds more to some texts than to others.
        (0..encoding.len()).filter(stays).take(frame.max_tokens).collect()
    }
}

impl Frame {
    fn prompted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.prompt.is_empty() { text.into() } else { format!("{}{text}", self.prompt).into() }
    }

    /// What the tokens that stay are framed with, and how many of all may be attended to.
    fn around(&self, kept: &[usize]) -> (Vec<Piece>, usize) {
        let marker = self.marker.iter().map(|_| Piece::Marker);
        let (first, rest) = kept.split_at(kept.len().min(1));
        let of = |places: &[usize]| places.iter().map(|&at| Piece::Of(at)).collect::<Vec<_>>();
        let mut pieces: Vec<Piece> = of(first).into_iter().chain(marker).chain(of(rest)).collect();
        let own = pieces.len();
        match &self.expansion {
            None => (pieces, own),
            Some(expansion) => {
                let missing = expansion.length.saturating_sub(own);
                pieces.extend((0..missing).map(|_| Piece::Expansion));
                let attended = if expansion.attend { pieces.len() } else { own };
                (pieces, attended)
            }
        }
    }
}

impl Piece {
    /// Whether it was added: by the tokenizer or by the frame.
    fn is_special(&self, encoding: &Encoding, frame: &Frame) -> bool {
        let Piece::Of(at) = self else { return true };
        // A token over the end of the prompt is one of the text.
        let in_prompt = || encoding.get_offsets().get(*at).is_some_and(|(_, end)| *end <= frame.prompt.len());
        is_special(encoding, *at) || (!frame.prompt.is_empty() && in_prompt())
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
#[path = "tokenizer_tests.rs"]
mod tests;

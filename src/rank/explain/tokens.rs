//! What the rows and columns of an explanation are called.

use serde::Serialize;

use crate::encoder::Token;

/// A token of a text, or what stands for one in an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedToken {
    /// The token as the vocabulary spells it (`##ing` continues a word); `token 3` where the tokens are not known, because
    /// the token matrix was made elsewhere; `whole text` for a pooled vector.
    pub text: String,
    /// The same as it is written in the text; empty for special tokens and where there is no text.
    pub written: String,
    /// Whether the tokenizer added it (`[CLS]`, `[SEP]`).
    pub special: bool,
    /// Whether it goes on with the word that the token before it belongs to.
    pub continues: bool,
}

impl ExplainedToken {
    /// What to show a person: the token as it is written, else as it is called.
    pub fn label(&self) -> &str {
        match self.written.as_str() {
            "" => self.text.strip_prefix("##").unwrap_or(self.text.trim_start_matches(WORD_STARTS)),
            written => written,
        }
    }

    /// The pooled vector of a text.
    pub(super) fn whole_text() -> Self {
        Self::called("whole text")
    }

    fn called(name: impl Into<String>) -> Self {
        Self { text: name.into(), written: String::new(), special: false, continues: false }
    }

    fn of_text(token: Token, text: &str) -> Self {
        let written = text.get(token.start..token.end).unwrap_or_default().to_string();
        Self { text: token.text, written, special: token.special, continues: false }
    }
}

/// How vocabularies other than WordPiece's spell the start of a word: byte-level BPE, SentencePiece.
const WORD_STARTS: [char; 2] = ['Ġ', '▁'];

/// Whether a token goes on with the word of the one before it. WordPiece says so (`##ing`); in vocabularies that mark where words
/// start, unmarked letters right behind letters do, but not in scripts that are written without blanks.
fn continues(before: &Token, token: &Token, text: &str) -> bool {
    if before.special || token.special {
        return false;
    }
    if token.text.starts_with("##") {
        return token.text.len() > 2;
    }
    let of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2e80}');
    let written = |token: &Token| text.get(token.start..token.end);
    token.start == before.end
        && !token.text.starts_with(WORD_STARTS)
        && of_a_word(written(before).and_then(|written| written.chars().next_back()))
        && of_a_word(written(token).and_then(|written| written.chars().next()))
}

/// Names for the `rows` rows of a text's token matrix: the tokens, if there are as many, else numbers from 1.
pub(super) fn name_rows(text: &str, tokens: Option<Vec<Token>>, rows: usize) -> Vec<ExplainedToken> {
    match tokens {
        Some(tokens) if tokens.len() == rows => {
            let follows = tokens.windows(2).map(|pair| continues(&pair[0], &pair[1], text));
            let follows: Vec<bool> = std::iter::once(false).chain(follows).collect();
            let named = tokens.into_iter().map(|token| ExplainedToken::of_text(token, text));
            named.zip(follows).map(|(token, continues)| ExplainedToken { continues, ..token }).collect()
        }
        _ => (1..=rows).map(|number| ExplainedToken::called(format!("token {number}"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, start: usize, end: usize, special: bool) -> Token {
        Token { text: text.to_string(), start, end, special }
    }

    #[test]
    fn rows_are_called_by_their_tokens() {
        let tokens = vec![token("[CLS]", 0, 0, true), token("sold", 0, 4, false), token("##ering", 4, 10, false)];
        let named = name_rows("Soldéring", Some(tokens), 3);
        let labels: Vec<&str> = named.iter().map(ExplainedToken::label).collect();
        assert_eq!(labels, ["[CLS]", "Sold", "éring"]);
        assert_eq!(named.iter().map(|token| token.continues).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn pieces_of_every_kind_of_vocabulary_make_words() {
        let continues = |text: &str, tokens: &[(&str, usize, usize)]| -> Vec<bool> {
            let tokens: Vec<Token> = tokens.iter().map(|&(text, start, end)| token(text, start, end, false)).collect();
            let n = tokens.len();
            name_rows(text, Some(tokens), n).iter().map(|token| token.continues).collect()
        };
        assert_eq!(
            continues("welder wanted", &[("weld", 0, 4), ("er", 4, 6), ("Ġwanted", 6, 13)]),
            [false, true, false]
        );
        assert_eq!(continues("welder job", &[("▁weld", 0, 4), ("er", 4, 6), ("▁job", 7, 10)]), [false, true, false]);
        assert_eq!(continues("C++", &[("c", 0, 1), ("+", 1, 2), ("+", 2, 3)]), [false; 3]);
        assert_eq!(continues("数据", &[("数", 0, 3), ("据", 3, 6)]), [false; 2]);
    }

    #[test]
    fn rows_without_tokens_are_numbered() {
        let two = || Some(vec![token("a", 0, 1, false), token("b", 2, 3, false)]);
        for tokens in [None, two()] {
            let named = name_rows("a b", tokens, 3);
            assert_eq!(named.iter().map(ExplainedToken::label).collect::<Vec<_>>(), ["token 1", "token 2", "token 3"]);
        }
    }

    #[test]
    fn places_outside_the_text_are_no_panic() {
        let named = name_rows("é", Some(vec![token("##e", 1, 2, false), token("##", 0, 9, false)]), 2);
        assert_eq!(named.iter().map(ExplainedToken::label).collect::<Vec<_>>(), ["e", ""]);
        assert!(!named[1].continues);
    }
}

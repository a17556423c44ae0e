//! Tokens joined to words, and which words met.

use std::ops::Range;

use workindex::{Comparison, ExplainedToken};

/// Neighbouring tokens that make up one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word as it is written.
    pub text: String,
    /// The same with a dot between its tokens: `sold·ering`.
    pub pieces: String,
    /// Its tokens.
    pub tokens: Range<usize>,
}

/// The words that tokens make up.
pub fn words(tokens: &[ExplainedToken]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match words.last_mut() {
            Some(word) if token.continues => {
                word.text.push_str(token.label());
                word.pieces.push('·');
                word.pieces.push_str(token.label());
                word.tokens.end = at + 1;
            }
            _ => {
                let text = token.label().to_string();
                words.push(Word { pieces: text.clone(), text, tokens: at..at + 1 });
            }
        }
    }
    words
}

/// What a token is called beside a row or above a column: `·ering` goes on with the word before.
pub fn piece(token: &ExplainedToken) -> String {
    match token.continues {
        true => format!("·{}", token.label()),
        false => token.label().to_string(),
    }
}

/// A word of the query, a word of the target, and what their pair adds to the score.
#[derive(Debug, Clone, PartialEq)]
pub struct Meeting {
    pub query: String,
    pub target: String,
    pub contribution: f64,
}

/// All pairs of words that are weighed token by token, those that add most first.
pub fn meetings(comparison: &Comparison) -> Vec<Meeting> {
    let targets = words(&comparison.target_tokens);
    let mut meetings = Vec::new();
    for query in words(&comparison.query_tokens) {
        for target in &targets {
            let rows = &comparison.contributions[query.tokens.clone()];
            let contribution = rows.iter().map(|row| row[target.tokens.clone()].iter().sum::<f64>()).sum();
            meetings.push(Meeting { query: query.text.clone(), target: target.text.clone(), contribution });
        }
    }
    meetings.sort_by(|a: &Meeting, b: &Meeting| b.contribution.total_cmp(&a.contribution));
    meetings
}

/// What each word adds: the sums of its tokens' shares.
pub fn word_shares(tokens: &[ExplainedToken], shares: &[f64]) -> Vec<(Word, f64)> {
    let share = |word: &Word| shares.get(word.tokens.clone()).map_or(0.0, |shares| shares.iter().sum());
    words(tokens).into_iter().map(|word| (share(&word), word)).map(|(share, word)| (word, share)).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Tokens as a vocabulary would spell them.
    pub fn tokens(pieces: &[&str]) -> Vec<ExplainedToken> {
        let token = |piece: &&str| {
            let special = piece.starts_with('[');
            let written = if special { "" } else { piece.trim_start_matches("##") };
            let continues = piece.starts_with("##");
            ExplainedToken { text: piece.to_string(), written: written.to_string(), special, continues }
        };
        pieces.iter().map(token).collect()
    }

    #[test]
    fn pieces_are_joined() {
        let tokens = tokens(&["[CLS]", "sold", "##er", "##ing", "iron"]);
        let words = words(&tokens);
        let texts: Vec<(&str, &str)> = words.iter().map(|word| (word.text.as_str(), word.pieces.as_str())).collect();
        assert_eq!(texts, [("[CLS]", "[CLS]"), ("soldering", "sold·er·ing"), ("iron", "iron")]);
        assert_eq!(words[1].tokens, 1..4);
        assert_eq!(word_shares(&tokens, &[0.0, 1.0, 2.0, 3.0, 4.0])[1].1, 6.0);
        assert_eq!(piece(&tokens[2]), "·er");
    }

    #[test]
    fn a_first_token_that_goes_on_is_a_word() {
        assert_eq!(words(&tokens(&["##ing", "x"])).len(), 2);
    }
}

//! Lexical baselines: what can be had without any model. They equal those of WorkRB (its `lexical_baselines.py`, over rank_bm25,
//! scikit-learn and RapidFuzz), so that published figures can be repeated.
//!
//! Texts are compatibility-decomposed (NFKD), then in lower case. Only preferred labels are seen.
//!
//! | file | baseline |
//! |---|---|
//! | `bm25.rs` | BM25 (Okapi) over words between white space |
//! | `tf_idf.rs` | cosine of TF-IDF vectors, of words or of 1 to 3 characters |
//! | `edit_distance.rs` | Levenshtein ratio (insertions and deletions) |
//! | `random.rs` | a number drawn for each pair |

mod bm25;
mod edit_distance;
mod random;
mod tf_idf;

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

/// A baseline without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Baseline {
    /// BM25 (Okapi), k₁ 1.5, b 0.75; negative weights of words raised to a quarter of the mean one.
    Bm25,
    /// The cosine of TF-IDF vectors of words.
    TfIdfWord,
    /// The cosine of TF-IDF vectors of runs of 1 to 3 characters.
    TfIdfChar,
    /// 1 − (insertions and deletions from one text to the other) / (the lengths of both).
    EditDistance,
    /// A number drawn for each pair of texts: what a ranking without any knowledge scores.
    Random,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Baseline; 5] =
        [Baseline::Bm25, Baseline::TfIdfWord, Baseline::TfIdfChar, Baseline::EditDistance, Baseline::Random];

    /// The name, as printed and as the command line takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Baseline::Bm25 => "bm25",
            Baseline::TfIdfWord => "tfidf-word",
            Baseline::TfIdfChar => "tfidf-char",
            Baseline::EditDistance => "edit-distance",
            Baseline::Random => "random",
        }
    }

    /// Reads the targets once.
    pub fn prepare(self, targets: &[&str]) -> LexicalIndex {
        let prepared: Vec<String> = targets.iter().map(|target| fold(target)).collect();
        LexicalIndex(match self {
            Baseline::Bm25 => Kind::Bm25(bm25::Bm25::new(&prepared)),
            Baseline::TfIdfWord => Kind::TfIdf(tf_idf::TfIdf::new(tf_idf::Unit::Words, &prepared)),
            Baseline::TfIdfChar => Kind::TfIdf(tf_idf::TfIdf::new(tf_idf::Unit::Characters, &prepared)),
            Baseline::EditDistance => Kind::EditDistance(edit_distance::Labels::new(&prepared)),
            Baseline::Random => Kind::Random(random::Draws::new(&prepared)),
        })
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Baseline {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Baseline::ALL.into_iter().find(|baseline| baseline.as_str() == name).ok_or_else(|| Error::InvalidName {
            what: "baseline",
            name: name.to_string(),
            problem: format!("the baselines are {}", Baseline::ALL.map(Baseline::as_str).join(", ")),
        })
    }
}

/// Targets, ready to be scored by a [`Baseline`].
pub struct LexicalIndex(Kind);

enum Kind {
    Bm25(bm25::Bm25),
    TfIdf(tf_idf::TfIdf),
    EditDistance(edit_distance::Labels),
    Random(random::Draws),
}

impl LexicalIndex {
    /// The score of every target for a text, in the order in which they were given.
    ///
    /// ```
    /// use workindex::workbench::Baseline;
    /// let index = Baseline::TfIdfChar.prepare(&["arc welding", "baking"]);
    /// let scores = index.scores("Welder");
    /// assert!(scores[0] > scores[1]);
    /// ```
    pub fn scores(&self, query: &str) -> Vec<f32> {
        let query = fold(query);
        match &self.0 {
            Kind::Bm25(index) => index.scores(&query),
            Kind::TfIdf(index) => index.scores(&query),
            Kind::EditDistance(index) => index.scores(&query),
            Kind::Random(index) => index.scores(&query),
        }
    }
}

/// The text as baselines read it: NFKD, then lower case.
fn fold(text: &str) -> String {
    text.nfkd().collect::<String>().to_lowercase()
}

/// White space as Python has it: the separators U+001C to U+001F, too.
fn is_white_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_printed() {
        for baseline in Baseline::ALL {
            assert_eq!(baseline.as_str().parse::<Baseline>().unwrap(), baseline);
        }
        assert!("bm26".parse::<Baseline>().unwrap_err().to_string().contains("edit-distance"));
    }

    #[test]
    fn any_text_has_a_score_for_every_target() {
        for baseline in Baseline::ALL {
            for targets in [&[][..], &[""], &["a b", "", "!!", "ﬁtter", "\u{301}", "数据"]] {
                let index = baseline.prepare(targets);
                for query in ["", "a", "A b b", "ﬁ", "x y z", "\0"] {
                    let scores = index.scores(query);
                    assert_eq!(scores.len(), targets.len());
                    assert!(scores.iter().all(|score| score.is_finite()), "{baseline}: {query:?}");
                }
            }
        }
    }
}

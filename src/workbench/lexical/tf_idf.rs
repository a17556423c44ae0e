//! The cosine of TF-IDF vectors as in scikit-learn (`TfidfVectorizer` with its defaults, fitted on the targets).
//!
//! A term that stands f times in a text, and in n_t of the n targets, weighs f · (ln((1 + n) / (1 + n_t)) + 1); vectors have length 1.
//! Terms that no target has play no part.

use std::collections::BTreeMap;

use unicode_normalization::char::is_combining_mark;

use super::is_white_space;

/// What a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Runs of at least two letters, digits and underscores.
    Words,
    /// Runs of 1 to 3 characters of any kind, longer white space taken as one space.
    Characters,
}

pub(super) struct TfIdf {
    unit: Unit,
    terms: BTreeMap<String, Term>,
    n_targets: usize,
}

struct Term {
    idf: f64,
    /// Targets that have the term, and its share of their vectors.
    places: Vec<(u32, f64)>,
}

impl TfIdf {
    pub(super) fn new(unit: Unit, targets: &[String]) -> Self {
        let mut terms: BTreeMap<String, Term> = BTreeMap::new();
        for (target, text) in (0..).zip(targets) {
            for (term, times) in unit.counted(text) {
                let entry = terms.entry(term).or_insert_with(|| Term { idf: 0.0, places: Vec::new() });
                entry.places.push((target, times));
            }
        }
        let n = targets.len() as f64;
        let mut squares = vec![0.0; targets.len()];
        for term in terms.values_mut() {
            term.idf = ((1.0 + n) / (1.0 + term.places.len() as f64)).ln() + 1.0;
            for (target, weight) in &mut term.places {
                *weight *= term.idf;
                squares[*target as usize] += *weight * *weight;
            }
        }
        for term in terms.values_mut() {
            term.places.iter_mut().for_each(|(target, weight)| *weight /= f64::sqrt(squares[*target as usize]));
        }
        Self { unit, terms, n_targets: targets.len() }
    }

    pub(super) fn scores(&self, query: &str) -> Vec<f32> {
        let mut known: Vec<(&Term, f64)> = Vec::new();
        for (term, times) in self.unit.counted(query) {
            known.extend(self.terms.get(&term).map(|term| (term, times * term.idf)));
        }
        let length = known.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        let mut scores = vec![0.0f64; self.n_targets];
        for (term, weight) in known {
            for &(target, share) in &term.places {
                scores[target as usize] += weight / length * share;
            }
        }
        scores.into_iter().map(|score| score as f32).collect()
    }
}

impl Unit {
    /// The terms of a text and how often each stands in it, sorted, so that sums have the same bits always.
    fn counted(self, text: &str) -> Vec<(String, f64)> {
        let mut all = match self {
            Unit::Words => words(text),
            Unit::Characters => runs(text),
        };
        all.sort_unstable();
        let mut counted: Vec<(String, f64)> = Vec::new();
        for term in all {
            match counted.last_mut().filter(|(last, _)| *last == term) {
                Some((_, times)) => *times += 1.0,
                None => counted.push((term, 1.0)),
            }
        }
        counted
    }
}

fn words(text: &str) -> Vec<String> {
    // As Python's `\w`, which no combining mark is.
    let of_word = |c: char| c == '_' || c.is_alphanumeric() && !is_combining_mark(c);
    let long = |word: &&str| word.chars().nth(1).is_some();
    text.split(|c| !of_word(c)).filter(long).map(str::to_string).collect()
}

fn runs(text: &str) -> Vec<String> {
    let characters = with_single_spaces(text);
    let lengths = 1..=3.min(characters.len());
    lengths.flat_map(|n| characters.windows(n)).map(|run| run.iter().collect()).collect()
}

/// The text with two or more white-space characters as one space; a single one stays what it is.
fn with_single_spaces(text: &str) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if is_white_space(c) { run + 1 } else { 0 };
        match run {
            0 | 1 => out.push(c),
            2 => _ = out.last_mut().map(|last| *last = ' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_those_of_scikit_learn() {
        assert_eq!(words("c++ r&d no_1 a bc-de"), ["no_1", "bc", "de"]);
        assert_eq!(runs("ab"), ["a", "b", "ab"]);
        assert_eq!(with_single_spaces("a\t b\tc  \n d").iter().collect::<String>(), "a b\tc d");
        assert_eq!(Unit::Words.counted("to be or to"), [("be".into(), 1.0), ("or".into(), 1.0), ("to".into(), 2.0)]);
    }

    #[test]
    fn a_text_is_most_like_itself() {
        let targets = ["weld pipes", "weld steel", "bake bread"].map(String::from);
        for unit in [Unit::Words, Unit::Characters] {
            let index = TfIdf::new(unit, &targets);
            let scores = index.scores("weld pipes");
            assert!((scores[0] - 1.0).abs() < 1e-6 && scores[1] < 1.0 && scores[1] > scores[2], "{scores:?}");
        }
    }
}

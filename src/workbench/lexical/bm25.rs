//! BM25 as in the Python package rank_bm25 (`BM25Okapi`): Robertson and Zaragoza's formula, with words between white space.
//!
//! For a query of words w (each as often as it stands there) and a target of length l, mean length l̄, with w standing f times in it:
//!
//! > Σ idf(w) · f (k₁ + 1) / (f + k₁ (1 − b + b l / l̄)), idf(w) = ln(n − n_w + ½) − ln(n_w + ½),
//!
//! n_w of the n targets having the word. Where idf is negative it is ε times the mean idf of all words.

use std::collections::HashMap;

use super::is_white_space;

const K1: f64 = 1.5;
const B: f64 = 0.75;
const EPSILON: f64 = 0.25;

pub(super) struct Bm25 {
    words: HashMap<String, Word>,
    /// k₁ (1 − b + b l / l̄) of each target.
    lengths: Vec<f64>,
}

#[derive(Default)]
struct Word {
    idf: f64,
    /// Targets that have the word, and how often.
    places: Vec<(u32, f64)>,
}

impl Bm25 {
    pub(super) fn new(targets: &[String]) -> Self {
        let mut words: HashMap<String, Word> = HashMap::new();
        let mut order: Vec<String> = Vec::new();
        let mut lengths = Vec::with_capacity(targets.len());
        for (target, text) in (0..).zip(targets) {
            let mut n = 0.0;
            for word in words_of(text) {
                n += 1.0;
                let places = match words.get_mut(word) {
                    Some(word) => &mut word.places,
                    None => {
                        order.push(word.to_string());
                        &mut words.entry(word.to_string()).or_default().places
                    }
                };
                match places.last_mut().filter(|(last, _)| *last == target) {
                    Some((_, times)) => *times += 1.0,
                    None => places.push((target, 1.0)),
                }
            }
            lengths.push(n);
        }
        weigh(&mut words, &order, targets.len());
        let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
        // Without a word in any target there is nothing that a length could divide.
        let share = |length: f64| if mean > 0.0 { length / mean } else { 0.0 };
        let lengths = lengths.into_iter().map(|length| K1 * (1.0 - B + B * share(length))).collect();
        Self { words, lengths }
    }

    pub(super) fn scores(&self, query: &str) -> Vec<f32> {
        let mut scores = vec![0.0f64; self.lengths.len()];
        for word in words_of(query).filter_map(|word| self.words.get(word)) {
            for &(target, times) in &word.places {
                let target = target as usize;
                scores[target] += word.idf * (times * (K1 + 1.0) / (times + self.lengths[target]));
            }
        }
        scores.into_iter().map(|score| score as f32).collect()
    }
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_white_space).filter(|word| !word.is_empty())
}

/// Gives every word its idf. The mean is summed in the order in which words first stand, so that it has the same bits always.
fn weigh(words: &mut HashMap<String, Word>, order: &[String], n: usize) {
    let mut sum = 0.0;
    for word in order {
        if let Some(word) = words.get_mut(word) {
            let with = word.places.len() as f64;
            word.idf = (n as f64 - with + 0.5).ln() - (with + 0.5).ln();
            sum += word.idf;
        }
    }
    let raised = EPSILON * sum / (order.len() as f64).max(1.0);
    words.values_mut().filter(|word| word.idf < 0.0).for_each(|word| word.idf = raised);
}

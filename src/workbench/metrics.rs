//! Metrics of rankings, as WorkRB defines them (its `metrics/ranking.py` is the oracle of the tests).
//!
//! All of them are functions of the ranks of a query's positives. With these in rising order, r₁ < r₂ < … < r_p, from 1:
//!
//! | metric | of one query |
//! |---|---|
//! | MAP | 1/p Σᵢ i / rᵢ, over the whole ranking |
//! | MRR | 1 / r₁ |
//! | RP@k | #{rᵢ ≤ k} / min(k, p) |
//! | recall@k | #{rᵢ ≤ k} / p |
//! | hit@k | 1 if r₁ ≤ k, else 0 |
//! | nDCG@k | Σ over rᵢ ≤ k of 1 / log₂(rᵢ + 1), divided by the same sum for the ranks 1, 2, … min(k, p) |
//!
//! A set's value is the mean over its queries with positives, in 0…1; 0 without any.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// What is computed of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Mean average precision, over the whole ranking.
    Map,
    /// Mean reciprocal rank of the first positive.
    Mrr,
    /// R-precision at k: the share of the best k that are positives, of what share could be.
    RPrecision(u32),
    /// The share of the positives among the best k.
    Recall(u32),
    /// Whether a positive is among the best k.
    Hit(u32),
    /// Normalised discounted cumulative gain of the best k, with binary relevance.
    Ndcg(u32),
}

impl Metric {
    /// Those of reports.
    pub const STANDARD: [Metric; 11] = [
        Metric::Map,
        Metric::Mrr,
        Metric::RPrecision(1),
        Metric::RPrecision(5),
        Metric::RPrecision(10),
        Metric::Recall(10),
        Metric::Recall(100),
        Metric::Hit(1),
        Metric::Hit(5),
        Metric::Hit(10),
        Metric::Ndcg(10),
    ];

    /// The value of one query, in 0…1, from the ranks of its positives: from 1, rising. `None` without positives.
    ///
    /// ```
    /// use workindex::workbench::Metric;
    /// // Positives second and fourth: (1/2 + 2/4) / 2.
    /// assert_eq!(Metric::Map.of(&[2, 4]), Some(0.5));
    /// assert_eq!(Metric::RPrecision(10).of(&[2, 40]), Some(0.5));
    /// assert_eq!(Metric::Map.of(&[]), None);
    /// ```
    pub fn of(self, ranks: &[u32]) -> Option<f64> {
        let (first, p) = (*ranks.first()?, ranks.len() as f64);
        let among = |k: u32| ranks.iter().take_while(|&&rank| rank <= k).count() as f64;
        Some(match self {
            Metric::Map => (1..).zip(ranks).map(|(i, &rank)| f64::from(i) / f64::from(rank)).sum::<f64>() / p,
            Metric::Mrr => 1.0 / f64::from(first),
            Metric::RPrecision(0) | Metric::Ndcg(0) => 0.0,
            Metric::RPrecision(k) => among(k) / p.min(f64::from(k)),
            Metric::Recall(k) => among(k) / p,
            Metric::Hit(k) => f64::from(u8::from(first <= k)),
            Metric::Ndcg(k) => {
                let gain = |rank: u32| 1.0 / (f64::from(rank) + 1.0).log2();
                // From 0, because the sum of nothing is −0.
                let gained = ranks.iter().take_while(|&&rank| rank <= k).fold(0.0, |sum, &rank| sum + gain(rank));
                let ideal: f64 = (1..=k).take(ranks.len()).map(gain).sum();
                gained / ideal
            }
        })
    }

    /// The mean over queries, those without positives left out; 0 when none has any.
    pub fn mean<'r>(self, queries: impl IntoIterator<Item = &'r [u32]>) -> f64 {
        let values: Vec<f64> = queries.into_iter().filter_map(|ranks| self.of(ranks)).collect();
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Map => f.write_str("MAP"),
            Metric::Mrr => f.write_str("MRR"),
            Metric::RPrecision(k) => write!(f, "RP@{k}"),
            Metric::Recall(k) => write!(f, "recall@{k}"),
            Metric::Hit(k) => write!(f, "hit@{k}"),
            Metric::Ndcg(k) => write!(f, "nDCG@{k}"),
        }
    }
}

impl FromStr for Metric {
    type Err = Error;

    /// Reads a name as printed, in any case: `MAP`, `rp@10`.
    fn from_str(name: &str) -> Result<Self> {
        let invalid = || Error::InvalidName {
            what: "metric",
            name: name.to_string(),
            problem: "use map, mrr, rp@K, recall@K, hit@K or ndcg@K with a K of at least 1, as in `rp@10`".to_string(),
        };
        let lower = name.to_ascii_lowercase();
        let (base, k) = match lower.split_once('@') {
            Some((base, k)) => (base, k.parse().ok().filter(|&k: &u32| k > 0).ok_or_else(invalid)?),
            None => (lower.as_str(), 0),
        };
        match (base, k) {
            ("map", 0) => Ok(Metric::Map),
            ("mrr", 0) => Ok(Metric::Mrr),
            ("rp", 1..) => Ok(Metric::RPrecision(k)),
            ("recall", 1..) => Ok(Metric::Recall(k)),
            ("hit", 1..) => Ok(Metric::Hit(k)),
            ("ndcg", 1..) => Ok(Metric::Ndcg(k)),
            _ => Err(invalid()),
        }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        let ranks = [1, 3, 12];
        let of = |metric: Metric| metric.of(&ranks).unwrap();
        assert!((of(Metric::Map) - (1.0 + 2.0 / 3.0 + 3.0 / 12.0) / 3.0).abs() < 1e-15);
        assert_eq!(of(Metric::Mrr), 1.0);
        assert_eq!(
            (of(Metric::RPrecision(1)), of(Metric::RPrecision(2)), of(Metric::RPrecision(10))),
            (1.0, 0.5, 2.0 / 3.0)
        );
        assert_eq!((of(Metric::Recall(1)), of(Metric::Recall(100))), (1.0 / 3.0, 1.0));
        assert_eq!((Metric::Hit(1).of(&[2]), Metric::Hit(2).of(&[2])), (Some(0.0), Some(1.0)));
        let ideal = 1.0 + 1.0 / 3f64.log2() + 0.5;
        assert!((of(Metric::Ndcg(10)) - 1.5 / ideal).abs() < 1e-15);
        assert!((of(Metric::Ndcg(2)) - 1.0 / (1.0 + 1.0 / 3f64.log2())).abs() < 1e-15);
    }

    #[test]
    fn queries_without_positives_do_not_count() {
        assert_eq!(Metric::Mrr.mean([&[2][..], &[], &[1]]), 0.75);
        assert_eq!(Metric::Mrr.mean([&[][..]]), 0.0);
    }

    #[test]
    fn names_survive_printing() {
        for metric in Metric::STANDARD {
            assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
        }
        for name in ["", "rp", "rp@0", "map@3", "mrr@1", "rp@x", "precision@3", "rp@-1"] {
            assert!(name.parse::<Metric>().is_err(), "{name}");
        }
    }
}

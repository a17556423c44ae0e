//! Bootstrap intervals: how much a mean over queries would vary with other queries of the same kind.
//!
//! A set's queries are drawn anew, with replacement, as many as there are; the mean of each draw is a *replicate*. The interval at
//! 95 % is from the 2.5th to the 97.5th percentile of the replicates (Efron's percentile method). Draws depend on seed and set
//! alone: replicates of two systems on the same set are of the same draws, so that their difference has an interval of its own, which
//! is far narrower than theirs. Sets are drawn independently of each other.

use rand_mt::Mt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::simd::slices::dot;

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resampling {
    /// How many replicates; 0 for no intervals.
    pub replicates: u32,
    /// The seed of the draws.
    pub seed: u32,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { replicates: 1000, seed: 42 }
    }
}

impl Resampling {
    /// The replicates of the means of `columns`, each with one value per query: column after column, each in the order of the draws.
    pub(super) fn means(&self, set: &str, columns: &[Vec<f32>]) -> Vec<Vec<f64>> {
        let n = columns.first().map_or(0, Vec::len);
        if n == 0 {
            return vec![vec![0.0; self.replicates as usize]; columns.len()];
        }
        let salt = number_of(set);
        let replicate = |draw: u32| -> Vec<f64> {
            let times = drawn(Mt::new_with_key([self.seed, salt, draw]), n);
            columns.iter().map(|column| weighted_sum(column, &times) / n as f64).collect()
        };
        let by_draw: Vec<Vec<f64>> = (0..self.replicates).into_par_iter().map(replicate).collect();
        (0..columns.len()).map(|column| by_draw.iter().map(|draw| draw[column]).collect()).collect()
    }
}

/// How often each of `n` queries is drawn.
fn drawn(mut generator: Mt, n: usize) -> Vec<f32> {
    let mut times = vec![0.0; n];
    for _ in 0..n {
        // The high half of a product: as even as 32 bits allow, without a division.
        let at = (u64::from(generator.next_u32()) * n as u64) >> 32;
        times[at as usize] += 1.0;
    }
    times
}

/// Σ values · times: in f32 over short stretches, which the compiler vectorises, and in f64 over these.
fn weighted_sum(values: &[f32], times: &[f32]) -> f64 {
    const STRETCH: usize = 256;
    let stretches = values.chunks(STRETCH).zip(times.chunks(STRETCH));
    stretches.map(|(values, times)| f64::from(dot(values, times))).sum()
}

/// A number for a name.
fn number_of(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes()[..4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// The bounds between which 95 % of the values lie; `None` without values.
pub(super) fn interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_unstable_by(f64::total_cmp);
    Some([percentile(&values, 0.025)?, percentile(&values, 0.975)?])
}

/// Between the two nearest values of a sorted list, linearly.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (*sorted.get(place.floor() as usize)?, *sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicates_vary_as_the_mean_of_so_many_values_does() {
        // Half zeros, half ones: the standard error of the mean of 400 is 0.025.
        let column: Vec<f32> = (0..400).map(|n| (n % 2) as f32).collect();
        let constant = vec![0.25; 400];
        let means = Resampling::default().means("set", &[column, constant]);
        let mean = means[0].iter().sum::<f64>() / 1000.0;
        let deviation = (means[0].iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
        assert!((mean - 0.5).abs() < 0.004 && (deviation - 0.025).abs() < 0.003, "{mean} ± {deviation}");
        assert!(means[1].iter().all(|mean| (mean - 0.25).abs() < 1e-6));
        let [low, high] = interval(means[0].clone()).unwrap();
        assert!((high - low - 2.0 * 1.96 * 0.025).abs() < 0.015, "{low}…{high}");
    }

    #[test]
    fn draws_depend_on_seed_and_set_alone() {
        let column: Vec<f32> = (0..50).map(|n| n as f32).collect();
        let of = |seed, set: &str| Resampling { replicates: 5, seed }.means(set, std::slice::from_ref(&column));
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
    }

    #[test]
    fn percentiles_lie_between_values() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(interval(values), Some([2.5, 97.5]));
        assert_eq!((interval(vec![3.0]), interval(vec![])), (Some([3.0, 3.0]), None));
    }
}

//! What is asked of a ranking, and of two rankings of the same targets.

use std::collections::HashSet;

use workindex::RankedTargets;

/// How many of the best targets are compared.
pub const TOP: usize = 10;

/// The average precision of a whole ranking: the mean over the positives of the share of positives among the targets down
/// to that one, in 0…1. A positive that is not in the ranking adds 0; without positives it is 0.
///
/// The ranking 4, 2, 7, 1 with the positives 1 and 2: these stand second and fourth, (1/2 + 2/4) / 2 = 0.5. With 4 alone: 1.
pub fn average_precision(ranking: &[u32], positives: &HashSet<u32>) -> f64 {
    let found = (1..).zip(ranking).filter(|(_, target)| positives.contains(target));
    let sum: f64 = (1..).zip(found).map(|(hits, (rank, _))| f64::from(hits) / f64::from(rank)).sum();
    sum / positives.len().max(1) as f64
}

/// The best targets of a ranking and their scores.
pub struct Head {
    targets: Vec<u32>,
    scores: Vec<f32>,
}

impl Head {
    /// Of a ranking, best first.
    pub fn of(ranked: &RankedTargets) -> Self {
        let n = TOP.min(ranked.targets.len());
        Self { targets: ranked.targets[..n].to_vec(), scores: ranked.scores[..n].to_vec() }
    }

    /// The share of these targets that are among the best of another ranking too, in 0…1.
    pub fn share_in(&self, other: &Head) -> f64 {
        let common = self.targets.iter().filter(|target| other.targets.contains(target)).count();
        common as f64 / self.targets.len().max(1) as f64
    }

    /// Whether another ranking has the same best target.
    pub fn same_first(&self, other: &Head) -> bool {
        self.targets.first() == other.targets.first()
    }

    /// The largest difference between the scores of these targets here and in another, whole ranking.
    pub fn largest_difference(&self, other: &RankedTargets) -> f32 {
        let score = |target| other.targets.iter().position(|other| *other == target).map(|at| other.scores[at]);
        let differences =
            self.targets.iter().zip(&self.scores).filter_map(|(at, here)| Some((score(*at)? - here).abs()));
        differences.fold(0.0, f32::max)
    }
}

//! The best k of many scores.

/// The best `k` targets offered so far, best first; of equal scores the earlier target.
#[derive(Clone)]
pub struct Top {
    k: usize,
    kept: Vec<(f32, usize)>,
}

impl Top {
    pub fn new(k: usize) -> Self {
        Self { k, kept: Vec::with_capacity(k + 1) }
    }

    #[inline]
    pub fn offer(&mut self, score: f32, target: usize) {
        let worse = |kept: &(f32, usize)| kept.0 < score || (kept.0 == score && kept.1 > target);
        if self.kept.len() < self.k || self.kept.last().is_some_and(worse) {
            let at = self.kept.partition_point(|kept| !worse(kept));
            self.kept.insert(at, (score, target));
            self.kept.truncate(self.k);
        }
    }

    pub fn merge(&mut self, other: Self) {
        other.kept.into_iter().for_each(|(score, target)| self.offer(score, target));
    }

    pub fn into_sorted(self) -> Vec<(f32, usize)> {
        self.kept
    }
}

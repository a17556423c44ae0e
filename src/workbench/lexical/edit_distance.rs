//! The Levenshtein ratio, as RapidFuzz's `fuzz.ratio` has it: 100 · (1 − d / (the lengths of both texts)), d being the insertions and deletions
//! that lead from one to the other.

// `fuzz::RatioBatchComparator` of rapidfuzz 0.5 divides by the longer text's length alone.
use rapidfuzz::distance::indel::BatchComparator;

pub(super) struct Labels(Vec<Vec<char>>);

impl Labels {
    pub(super) fn new(targets: &[String]) -> Self {
        Self(targets.iter().map(|target| target.chars().collect()).collect())
    }

    pub(super) fn scores(&self, query: &str) -> Vec<f32> {
        let query: Vec<char> = query.chars().collect();
        let query = BatchComparator::new(query.iter().copied());
        self.0.iter().map(|target| (100.0 * query.normalized_similarity(target.iter().copied())) as f32).collect()
    }
}

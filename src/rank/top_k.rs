//! The best k of many scores, in the one order that rankings have.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A target and its score. Greater is better: a higher score, then the earlier target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) score: f32,
    pub(crate) target: u32,
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.target.cmp(&self.target))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scored {}

/// Keeps the best k of the scores it is offered, whatever their order.
#[derive(Debug)]
pub(crate) struct TopK {
    k: usize,
    /// The worst of the kept ones on top.
    heap: BinaryHeap<Reverse<Scored>>,
    /// Below this, an offer is not kept.
    floor: f32,
}

impl TopK {
    /// Keeps the best `k`.
    pub(crate) fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new(), floor: f32::NEG_INFINITY }
    }

    /// Offers a score.
    #[inline]
    pub(crate) fn offer(&mut self, scored: Scored) {
        // The common case, decided without the heap; what is not a number is for the heap to order.
        if scored.score < self.floor {
            return;
        }
        self.keep(scored);
        self.floor = self.worst().unwrap_or(f32::NEG_INFINITY);
    }

    fn keep(&mut self, scored: Scored) {
        if self.heap.len() < self.k {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && scored > worst.0
        {
            worst.0 = scored;
        }
    }

    /// The score that an offer must reach to be kept: the worst of `k` kept ones, if there are as many.
    pub(crate) fn worst(&self) -> Option<f32> {
        self.heap.peek().filter(|_| self.heap.len() == self.k).map(|worst| worst.0.score)
    }

    /// The kept ones, best first.
    pub(crate) fn into_sorted(self) -> Vec<Scored> {
        let mut kept: Vec<Scored> = self.heap.into_iter().map(|Reverse(scored)| scored).collect();
        kept.sort_unstable_by(|a, b| b.cmp(a));
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn top_k_equals_the_head_of_the_full_sort(
            scores in proptest::collection::vec(prop_oneof![Just(0.5f32), Just(-0.0), Just(0.0), -1.0f32..1.0], 0..60),
            k in 0usize..70,
        ) {
            let all: Vec<Scored> = (0..).zip(&scores).map(|(target, &score)| Scored { score, target }).collect();
            let mut sorted = all.clone();
            sorted.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.target.cmp(&b.target)));
            sorted.truncate(k);
            for order in [all.clone(), all.into_iter().rev().collect()] {
                let mut top = TopK::new(k);
                order.into_iter().for_each(|scored| top.offer(scored));
                let targets = |list: &[Scored]| list.iter().map(|s| s.target).collect::<Vec<_>>();
                prop_assert_eq!(targets(&top.into_sorted()), targets(&sorted));
            }
        }
    }
}

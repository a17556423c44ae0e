//! From upper bounds to the exact best: rescoring in falling order of the bound until nothing left can be among them.
//!
//! Let B(y) ≥ S(y) for every target y, S being its full-precision score. Targets are rescored in falling order of B, and θ is the
//! k-th best score so far. Once θ > B(y) for the next y, and so for all after it, none of them can be among the best k: S(y) ≤
//! B(y) < θ. A target whose bound equals θ is still rescored, because it may tie and come earlier in the space. So the result is
//! that of a full scan at full precision, ties included. The bound of a target is made from those of its surface forms as its
//! score is made from theirs, which is monotone (also in f32, where rounding keeps the order).

use rayon::prelude::*;
use serde::Serialize;

use super::batch::Batch;
use super::plan::ScanPlan;
use super::rescore::Rescorer;
use super::sweep::{Engine, Precision, sweep};
use super::top_k::{Scored, TopK};
use crate::late_interaction::lanes::LANES;
use crate::storage::catalog::FormRef;

/// A rescored target costs as much as this many of a sweep at full precision.
const SWEEP_GAIN: usize = 6;
/// Open targets that are rescored at a time where there are many, so that several threads find work in them.
const WIDE_STEP: usize = 8 * LANES;

/// How the exactness of a ranking came about. Every ranking has one: there is no approximate mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Always true: the hits, their scores and their order, ties included, are those of all targets scored at full precision.
    pub certified: bool,
    /// Targets that took part: those that the filter let through.
    pub targets: usize,
    /// Targets that were scored at full precision. For the others, an upper bound of their score showed that they cannot be
    /// among the hits.
    pub rescored: usize,
}

/// A ranking in the numbers of its targets.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) scored: Vec<Scored>,
    pub(crate) certificate: Certificate,
}

/// One query under one rule, over the targets of a plan.
pub(super) struct Case<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) plan: &'a ScanPlan,
    pub(super) targets: &'a Targets,
    pub(super) batch: &'a Batch<'a>,
    /// The query's place in the batch.
    pub(super) query: usize,
    /// The rule's place among the batch's.
    pub(super) rule: usize,
}

/// Which targets take part.
pub(super) enum Targets {
    All(u32),
    Some(Vec<u32>),
}

impl Targets {
    pub(super) fn len(&self) -> usize {
        match self {
            Targets::All(n) => *n as usize,
            Targets::Some(targets) => targets.len(),
        }
    }

    /// In the order of the space.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (all, some) = match self {
            Targets::All(n) => (0..*n, &[][..]),
            Targets::Some(targets) => (0..0, targets.as_slice()),
        };
        all.chain(some.iter().copied())
    }
}

impl Case<'_> {
    /// The best `k`, given upper bounds of the forms' scores by slot.
    pub(super) fn certify(&self, bounds: &[f32], k: usize) -> Outcome {
        let n = self.targets.len();
        let mut first = self.best(bounds, k);
        let mut top = TopK::new(k);
        self.rescore(&first, &mut top);
        let mut rescored = first.len();
        let Some(worst) = top.worst().filter(|_| rescored < n) else { return self.outcome(top, rescored) };
        let mut rest: Vec<Scored> = Vec::new();
        self.each_combined(bounds, |scored| {
            // A bound that is not a number settles nothing either.
            if scored.score >= worst || scored.score.is_nan() {
                rest.push(scored);
            }
        });
        first.sort_unstable();
        rest.retain(|scored| first.binary_search(&scored.target).is_err());
        if rest.len() * SWEEP_GAIN > n {
            return self.full(k);
        }
        rest.sort_unstable_by(|a, b| b.cmp(a));
        // Falling order in small steps, and wide ones where there is much to do: whatever the threads, so that the number of
        // rescored targets does not depend on them either.
        let width = if rest.len() > 8 * WIDE_STEP { WIDE_STEP } else { LANES };
        for step in rest.chunks(width) {
            if step.first().zip(top.worst()).is_some_and(|(next, worst)| next.score < worst) {
                break;
            }
            let targets: Vec<u32> = step.iter().map(|scored| scored.target).collect();
            self.rescore(&targets, &mut top);
            rescored += targets.len();
        }
        self.outcome(top, rescored)
    }

    /// The `k` targets with the highest numbers, in falling order.
    fn best(&self, by_slot: &[f32], k: usize) -> Vec<u32> {
        let mut top = TopK::new(k);
        self.each_combined(by_slot, |scored| top.offer(scored));
        top.into_sorted().into_iter().map(|scored| scored.target).collect()
    }

    /// The best `k` by scoring everything at full precision.
    pub(super) fn full(&self, k: usize) -> Outcome {
        let one = self.batch.alone(self.query, self.rule);
        let scores = sweep(self.engine, self.plan, std::slice::from_ref(&one), Precision::Full);
        self.select(scores.first().map(Vec::as_slice).unwrap_or_default(), k)
    }

    /// The best `k` of full-precision scores by slot.
    pub(super) fn select(&self, scores: &[f32], k: usize) -> Outcome {
        let mut top = TopK::new(k);
        self.each_combined(scores, |scored| top.offer(scored));
        self.outcome(top, self.targets.len())
    }

    /// Every target's score, in the order of the space, from full-precision scores by slot.
    pub(super) fn scores(&self, by_slot: &[f32]) -> Vec<f32> {
        let mut scores = Vec::with_capacity(self.targets.len());
        self.each_combined(by_slot, |scored| scores.push(scored.score));
        scores
    }

    /// The best `k` by scoring each target by itself: for a few targets that lie apart.
    pub(super) fn each(&self, k: usize) -> Outcome {
        let mut top = TopK::new(k);
        let targets: Vec<u32> = self.targets.iter().collect();
        self.rescore(&targets, &mut top);
        self.outcome(top, targets.len())
    }

    fn outcome(&self, top: TopK, rescored: usize) -> Outcome {
        let certificate = Certificate { certified: true, targets: self.targets.len(), rescored };
        Outcome { scored: top.into_sorted(), certificate }
    }

    /// Calls `each` with every target's number, made from those of its forms, in the order of the space.
    #[inline]
    fn each_combined(&self, by_slot: &[f32], mut each: impl FnMut(Scored)) {
        let value = |slot: &u32| by_slot.get(*slot as usize).copied().unwrap_or(f32::NAN);
        match (self.targets, self.plan.single_slots(self.engine.space)) {
            (Targets::All(_), Some(slots)) => {
                slots.iter().zip(0..).for_each(|(slot, target)| each(Scored { score: value(slot), target }));
            }
            _ => self.targets.iter().for_each(|target| {
                let slots = self.plan.slots(self.engine.space, target);
                each(Scored { score: concept_score(slots.iter().map(value)), target });
            }),
        }
    }

    /// Offers the full-precision scores of targets.
    fn rescore(&self, targets: &[u32], top: &mut TopK) {
        let score = |targets: &[u32]| {
            let forms = |target: &u32| self.engine.space.targets.forms(*target as usize);
            let all: Vec<FormRef> = targets.iter().flat_map(forms).copied().collect();
            let mut scores = Vec::with_capacity(all.len());
            Rescorer::default().score(self.engine, self.batch, self.query, self.rule, &all, &mut scores);
            let mut rest = scores.into_iter();
            let of = |target: &u32| {
                let n = forms(target).len();
                Scored { score: concept_score(rest.by_ref().take(n)), target: *target }
            };
            targets.iter().map(of).collect::<Vec<_>>()
        };
        let scored: Vec<Scored> = match self.engine.parallel && targets.len() > 4 * LANES {
            true => targets.par_chunks(LANES).flat_map_iter(score).collect(),
            false => score(targets),
        };
        scored.into_iter().for_each(|scored| top.offer(scored));
    }
}

/// The score of a concept from those of its surface forms, the preferred one first: the mean of the preferred form's and
/// the best form's. The lowest of all scores without any form.
pub(crate) fn concept_score(mut forms: impl Iterator<Item = f32>) -> f32 {
    let Some(preferred) = forms.next() else { return f32::NEG_INFINITY };
    let best = forms.fold(preferred, f32::max);
    ((f64::from(preferred) + f64::from(best)) / 2.0) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_concept_scores_as_the_mean_of_its_preferred_and_its_best_form() {
        assert_eq!(concept_score([0.25].into_iter()), 0.25);
        assert_eq!(concept_score([0.25, 0.75, 0.5].into_iter()), 0.5);
        assert_eq!(concept_score([0.75, 0.25].into_iter()), 0.75);
        assert_eq!(concept_score([-0.5, -1.0].into_iter()), -0.5);
        assert_eq!(concept_score(std::iter::empty()), f32::NEG_INFINITY);
    }

    #[test]
    fn targets_come_in_the_order_of_the_space() {
        let (all, some) = (Targets::All(3), Targets::Some(vec![1, 5]));
        assert_eq!((all.len(), all.iter().collect::<Vec<_>>()), (3, vec![0, 1, 2]));
        assert_eq!((some.len(), some.iter().collect::<Vec<_>>()), (2, vec![1, 5]));
    }

    /// Scores as there are, and such as rounding is hard on.
    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![-1.0f32..1.0, Just(0.0), Just(f32::MIN_POSITIVE), Just(0.333_333_34), Just(1.0f32.next_down())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_higher_bound_of_any_form_never_lowers_the_concepts(
            forms in prop::collection::vec((score(), prop_oneof![Just(None), (0.0f32..0.5).prop_map(Some)]), 1..8),
        ) {
            // Raised by nothing, by the least that there is, or by more.
            let raised = |(at, (score, by)): (usize, &(f32, Option<f32>))| match by {
                Some(by) => score + by,
                None if at % 2 == 0 => score.next_up(),
                None => *score,
            };
            let exact = concept_score(forms.iter().map(|(score, _)| *score));
            let bound = concept_score(forms.iter().enumerate().map(raised));
            prop_assert!(bound >= exact, "{bound} < {exact}");
        }

        #[test]
        fn a_concepts_score_lies_between_its_preferred_and_its_best_forms(
            forms in prop::collection::vec(score(), 1..8),
        ) {
            let (preferred, best) = (forms[0], forms.iter().copied().fold(f32::MIN, f32::max));
            let got = concept_score(forms.iter().copied());
            prop_assert!(preferred <= got && got <= best);
            prop_assert!((f64::from(got) - (f64::from(preferred) + f64::from(best)) / 2.0).abs() <= 1e-7);
        }
    }
}

//! Which parts of which segments a scan of a space reads, and where each target's forms come out.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::late_interaction::layout::BLOCK_ROWS;
use crate::storage::SpaceData;
use crate::storage::catalog::FormRef;

/// Forms that lie side by side in a segment.
const GROUP: u32 = BLOCK_ROWS as u32;
/// Blocks of rows of one task: enough that handing it out costs nothing, few enough that cores finish together and that a
/// batch of queries finds them in the cache.
const TASK_BLOCKS: usize = 32;

/// Consecutive groups of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Number of the segment.
    pub(super) segment: u32,
    /// The groups.
    pub(super) groups: Range<u32>,
}

/// What is read, in tasks, and where the scores of forms come out: *slots*, sixteen for each group in the order of the tasks.
#[derive(Debug, Default)]
pub(crate) struct ScanPlan {
    /// Segment and group, in the order of their slots.
    groups: Vec<(u32, u32)>,
    runs: Vec<Run>,
    /// Ranges of `runs`.
    tasks: Vec<Range<usize>>,
    /// The slot of each form of the table of targets; [`NOWHERE`] for one whose group is not read.
    slots: Vec<u32>,
    n_blocks: usize,
    n_forms: usize,
}

/// The slot of a form that is not scanned.
const NOWHERE: u32 = u32::MAX;

impl ScanPlan {
    /// A plan for all targets of a space.
    pub(crate) fn new(space: &SpaceData) -> Self {
        let group = |place: &FormRef| (place.segment, place.form / GROUP);
        let forms = space.targets.all_forms();
        let mut groups: Vec<(u32, u32)> = forms.iter().map(group).collect();
        groups.sort_unstable();
        groups.dedup();
        let slot = |place: &FormRef| match groups.binary_search(&group(place)) {
            Ok(ordinal) => ordinal as u32 * GROUP + place.form % GROUP,
            Err(_) => NOWHERE,
        };
        let slots = forms.iter().map(slot).collect();
        Self { groups, slots, n_forms: forms.len(), ..Self::default() }.laid_out(space)
    }

    /// The part of this plan that concerns some targets: groups that hold no form of them are not read.
    pub(super) fn filtered(&self, space: &SpaceData, allowed: &RoaringBitmap) -> Self {
        let mut wanted = vec![false; self.groups.len()];
        let mut n_forms = 0;
        for target in allowed {
            for &slot in self.slots(space, target) {
                wanted[(slot / GROUP) as usize] = true;
                n_forms += 1;
            }
        }
        let mut ordinals = vec![NOWHERE; wanted.len()];
        let kept = ordinals.iter_mut().zip(&wanted).filter_map(|(ordinal, wanted)| wanted.then_some(ordinal));
        kept.zip(0..).for_each(|(ordinal, next)| *ordinal = next);
        let groups = self.groups.iter().zip(&wanted).filter_map(|(group, wanted)| wanted.then_some(*group)).collect();
        let slot = |slot: &u32| match ordinals[(slot / GROUP) as usize] {
            NOWHERE => NOWHERE,
            ordinal => ordinal * GROUP + slot % GROUP,
        };
        let slots = self.slots.iter().map(slot).collect();
        Self { groups, slots, n_forms, ..Self::default() }.laid_out(space)
    }

    /// Cuts the groups into runs and tasks.
    fn laid_out(mut self, space: &SpaceData) -> Self {
        let mut blocks_of_task = 0;
        for &(segment, group) in &self.groups {
            let height = space.segment_number(segment).map_or(0, |s| height(s.group_starts(), group));
            let begins = self.tasks.is_empty() || blocks_of_task + height > TASK_BLOCKS;
            match self.runs.last_mut().filter(|run| !begins && run.segment == segment && run.groups.end == group) {
                Some(run) => run.groups.end += 1,
                None => self.runs.push(Run { segment, groups: group..group + 1 }),
            }
            if begins {
                self.tasks.push(self.runs.len() - 1..self.runs.len());
                blocks_of_task = 0;
            } else if let Some(task) = self.tasks.last_mut() {
                task.end = self.runs.len();
            }
            blocks_of_task += height;
            self.n_blocks += height;
        }
        self
    }

    /// Tasks, each a list of runs; independent of each other.
    pub(super) fn tasks(&self) -> impl ExactSizeIterator<Item = &[Run]> {
        self.tasks.iter().map(|task| self.runs.get(task.clone()).unwrap_or_default())
    }

    /// The runs of all tasks.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many scores come out.
    pub(super) fn n_slots(&self) -> usize {
        self.groups.len() * BLOCK_ROWS
    }

    /// How many blocks of token rows are read.
    pub(super) fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// How many forms are asked for.
    pub(super) fn n_forms(&self) -> usize {
        self.n_forms
    }

    /// The slot of every target, where each target of the space has one form; the common case, made cheap.
    pub(super) fn single_slots(&self, space: &SpaceData) -> Option<&[u32]> {
        (self.slots.len() == space.targets.len()).then_some(self.slots.as_slice())
    }

    /// The slots of a target's forms, the preferred one first.
    pub(super) fn slots(&self, space: &SpaceData, target: u32) -> &[u32] {
        self.slots.get(space.targets.form_range(target as usize)).unwrap_or_default()
    }
}

/// Blocks of a group.
pub(super) fn height(group_starts: &[u32], group: u32) -> usize {
    match group_starts.get(group as usize..).unwrap_or_default() {
        [start, end, ..] => end.saturating_sub(*start) as usize,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::test_space;
    use super::*;
    use crate::token_matrix::TokenMatrix;

    /// A space whose targets have the given forms, by number; each form is in one of the segments and has some rows.
    fn space(targets: &[Vec<usize>], forms: &[(usize, usize)]) -> (tempfile::TempDir, SpaceData) {
        let matrix = |form: usize| TokenMatrix::new(2, vec![1.0 + form as f32; 2 * forms[form].1]).unwrap();
        test_space::make(targets, &forms.iter().enumerate().map(|(at, form)| (form.0, matrix(at))).collect::<Vec<_>>())
    }

    fn plan_of(space: &SpaceData, allowed: Option<&RoaringBitmap>) -> ScanPlan {
        let all = ScanPlan::new(space);
        allowed.map(|allowed| all.filtered(space, allowed)).unwrap_or(all)
    }

    /// What each slot of a plan is, by the order of its tasks.
    fn layout(plan: &ScanPlan) -> Vec<(u32, u32)> {
        let groups = |run: &Run| run.groups.clone().map(|group| (run.segment, group)).collect::<Vec<_>>();
        plan.tasks().flatten().flat_map(groups).flat_map(|group| std::iter::repeat_n(group, GROUP as usize)).collect()
    }

    /// Everything that a sweep and a certificate rely on.
    fn check(space: &SpaceData, allowed: Option<&RoaringBitmap>) {
        let plan = plan_of(space, allowed);
        let layout = layout(&plan);
        assert_eq!(layout.len(), plan.n_slots());
        // Each group once.
        let read: BTreeSet<(u32, u32)> = layout.iter().copied().collect();
        assert_eq!(read.len() * GROUP as usize, layout.len());
        // Exactly the groups that hold an allowed form.
        let targets = 0..space.targets.len() as u32;
        let taking_part: Vec<u32> = targets.filter(|t| allowed.is_none_or(|allowed| allowed.contains(*t))).collect();
        let forms = || taking_part.iter().flat_map(|target| space.targets.forms(*target as usize));
        let wanted: BTreeSet<(u32, u32)> = forms().map(|place| (place.segment, place.form / GROUP)).collect();
        assert_eq!(read, wanted);
        assert_eq!(plan.n_forms(), forms().count());
        let rows =
            |&(segment, group): &(u32, u32)| height(space.segment_number(segment).unwrap().group_starts(), group);
        assert_eq!(plan.n_blocks(), wanted.iter().map(rows).sum::<usize>());
        assert!(plan.tasks().all(|task| task.iter().all(|run| !run.groups.is_empty())));
        // A task is not larger than it should be, unless one group is.
        for task in plan.tasks() {
            let groups: Vec<(u32, u32)> =
                task.iter().flat_map(|run| run.groups.clone().map(|group| (run.segment, group))).collect();
            assert!(groups.len() == 1 || groups.iter().map(rows).sum::<usize>() <= TASK_BLOCKS);
        }
        // Each form comes out at a slot of its own, in its lane of its group.
        let mut of_slot: BTreeMap<u32, FormRef> = BTreeMap::new();
        for &target in &taking_part {
            let (slots, forms) = (plan.slots(space, target), space.targets.forms(target as usize));
            assert_eq!(slots.len(), forms.len());
            for (&slot, &form) in slots.iter().zip(forms) {
                assert_eq!(layout[slot as usize], (form.segment, form.form / GROUP));
                assert_eq!(slot % GROUP, form.form % GROUP);
                assert_eq!(*of_slot.entry(slot).or_insert(form), form);
            }
        }
    }

    #[test]
    fn a_plan_of_a_filter_reads_what_it_needs() {
        // 100 forms of one row in each of two segments; a target has one of each.
        let forms: Vec<(usize, usize)> = (0..200).map(|form| (form / 100, 1)).collect();
        let targets: Vec<Vec<usize>> = (0..100).map(|at| vec![at, at + 100]).collect();
        let (_folder, space) = space(&targets, &forms);
        let all = plan_of(&space, None);
        assert_eq!((all.n_slots(), all.n_blocks(), all.n_forms()), (2 * 7 * 16, 14, 200));
        let one = plan_of(&space, Some(&RoaringBitmap::from([50])));
        assert_eq!((one.n_slots(), one.n_blocks(), one.n_forms(), one.tasks().len()), (32, 2, 2, 1));
        // Targets that do not take part have no slot that is in the plan.
        assert!(one.slots(&space, 0).iter().all(|slot| *slot == u32::MAX));
        let none = plan_of(&space, Some(&RoaringBitmap::new()));
        assert_eq!((none.n_slots(), none.n_blocks(), none.n_forms(), none.tasks().len()), (0, 0, 0, 0));
        assert!(one.slots(&space, 100).is_empty());
        // Only forms of the second segment, whose group of the first is not read.
        check(&space, Some(&RoaringBitmap::from([0, 99])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_form_has_a_slot_and_every_group_is_read_once(
            forms in prop::collection::vec((0usize..3, prop::sample::select(vec![1usize, 1, 2, 5, 40])), 1..150),
            picks in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..4), 1..80),
            one_in in prop::sample::select(vec![1u32, 2, 10, 50]),
        ) {
            let form = |pick: &prop::sample::Index| pick.index(forms.len());
            let distinct = |picks: &Vec<prop::sample::Index>| {
                let mut seen = BTreeSet::new();
                picks.iter().map(form).filter(|form| seen.insert(*form)).collect::<Vec<_>>()
            };
            let targets: Vec<Vec<usize>> = picks.iter().map(distinct).collect();
            let (_folder, space) = space(&targets, &forms);
            check(&space, None);
            let allowed = (0..targets.len() as u32).filter(|target| target * 7 % one_in == 0).collect();
            check(&space, Some(&allowed));
            check(&space, Some(&RoaringBitmap::new()));
        }
    }
}

//! Which parts of which segments a scan of a space reads, and where each target's forms come out.

use std::collections::{BTreeMap, BTreeSet};
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
    runs: Vec<Run>,
    /// Ranges of `runs`.
    tasks: Vec<Range<usize>>,
    /// The slot of each form of the table of targets, if its group is scanned.
    slots: Vec<u32>,
    n_slots: usize,
    n_blocks: usize,
    n_forms: usize,
}

impl ScanPlan {
    /// A plan for all targets of a space, or for those in `allowed`. Groups that hold no form of them are not read.
    pub(crate) fn new(space: &SpaceData, allowed: Option<&RoaringBitmap>) -> Self {
        let mut groups: BTreeSet<(u32, u32)> = BTreeSet::new();
        let mut n_forms = 0;
        let mut add = |forms: &[FormRef]| {
            n_forms += forms.len();
            groups.extend(forms.iter().map(|place| (place.segment, place.form / GROUP)));
        };
        match allowed {
            None => add(space.targets.all_forms()),
            Some(allowed) => allowed.iter().for_each(|target| add(space.targets.forms(target as usize))),
        }
        let mut plan = Self { n_forms, ..Self::default() };
        plan.lay_out(space, &groups);
        plan
    }

    fn lay_out(&mut self, space: &SpaceData, groups: &BTreeSet<(u32, u32)>) {
        // For each run of groups, its first group and its first slot.
        let mut starts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        let mut blocks_of_task = 0;
        for &(segment, group) in groups {
            let height = space.segment_number(segment).map_or(0, |s| height(s.group_starts(), group));
            if blocks_of_task + height > TASK_BLOCKS || self.tasks.is_empty() {
                self.tasks.push(self.runs.len()..self.runs.len());
                blocks_of_task = 0;
            }
            blocks_of_task += height;
            self.n_blocks += height;
            // A task begins with a run of its own.
            let open = self.tasks.last().is_some_and(|task| !task.is_empty());
            match self.runs.last_mut().filter(|run| open && run.segment == segment && run.groups.end == group) {
                Some(run) => run.groups.end += 1,
                None => {
                    starts.insert((segment, group), self.n_slots);
                    self.runs.push(Run { segment, groups: group..group + 1 });
                }
            }
            if let Some(task) = self.tasks.last_mut() {
                task.end = self.runs.len();
            }
            self.n_slots += BLOCK_ROWS;
        }
        let slot = |place: &FormRef| {
            let (segment, group) = (place.segment, place.form / GROUP);
            if !groups.contains(&(segment, group)) {
                return None;
            }
            // The run that the group is in is the last one that starts at or before it, and so of its segment.
            let (&(_, first), &slot) = starts.range(..=(segment, group)).next_back()?;
            Some(slot as u32 + place.form - first * GROUP)
        };
        self.slots = space.targets.all_forms().iter().map(|place| slot(place).unwrap_or(u32::MAX)).collect();
    }

    /// Tasks, each a list of runs; independent of each other.
    pub(super) fn tasks(&self) -> impl ExactSizeIterator<Item = &[Run]> {
        self.tasks.iter().map(|task| self.runs.get(task.clone()).unwrap_or_default())
    }

    /// How many scores come out.
    pub(super) fn n_slots(&self) -> usize {
        self.n_slots
    }

    /// How many blocks of token rows are read.
    pub(super) fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// How many forms are asked for.
    pub(super) fn n_forms(&self) -> usize {
        self.n_forms
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

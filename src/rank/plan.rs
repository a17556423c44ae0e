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
        let mut next = 0;
        let ordinals: Vec<u32> = wanted
            .iter()
            .map(|&wanted| {
                if wanted {
                    next += 1;
                    next - 1
                } else {
                    NOWHERE
                }
            })
            .collect();
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

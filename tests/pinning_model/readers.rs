//! The readers' steps. What the code does under a lock is one step, unless a writer can come in between.

use std::collections::BTreeMap;

use super::{Broken, Segment, World};

/// What the threads of a process share: `WorkIndex`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Index {
    /// The generation of the pinned snapshot.
    pinned: usize,
    /// The reader that holds the snapshot's lock.
    locked_by: Option<usize>,
    /// `SegmentCache`: by segment, how many spaces have it mapped.
    mapped: BTreeMap<Segment, u8>,
}

/// A thread that opens spaces, one after the other, and lets go of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reader {
    /// Spaces that are still to be opened.
    left: u8,
    at: At,
    done: u32,
}

/// Where in `WorkIndex::space` a reader is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    Start,
    /// `Snapshot::map_segments`: has the snapshot of a generation, and these segments are mapped.
    Mapping {
        generation: usize,
        mapped: Vec<Segment>,
    },
    /// A file was gone: about to refresh.
    Gone {
        generation: usize,
    },
    /// `refresh`: holds the lock, or not if that rule is broken, and has the newest state.
    Refreshing {
        generation: usize,
        newest: usize,
    },
    /// `refresh` is done; about to take the pinned snapshot.
    Refreshed {
        generation: usize,
    },
    /// The space is open.
    Open {
        mapped: Vec<Segment>,
    },
}

impl Reader {
    pub fn new(spaces: u8) -> Self {
        Self { left: spaces, at: At::Start, done: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0
    }
}

impl World {
    /// How many steps all together have taken.
    pub fn progress(&self) -> u32 {
        self.writer.progress() + self.readers.iter().map(|reader| reader.done).sum::<u32>()
    }

    /// The world after the next step of a reader; none while it waits for the lock, or is done.
    pub fn reader_step(&self, who: usize, rules: Broken) -> Result<Option<World>, String> {
        if self.readers[who].is_done() {
            return Ok(None);
        }
        let locked = self.index.locked_by.is_some();
        let mut world = self.clone();
        world.readers[who].done += 1;
        world.readers[who].at = match &self.readers[who].at {
            At::Start if locked => return Ok(None),
            At::Start => At::Mapping { generation: self.index.pinned, mapped: Vec::new() },
            At::Mapping { generation, mapped } => world.map(*generation, mapped, rules)?,
            At::Gone { .. } if rules.never_retries => return Err(format!("reader {who} cannot open: {self:?}")),
            At::Gone { .. } if locked && !rules.refreshes_unlocked => return Ok(None),
            At::Gone { generation } => {
                if !rules.refreshes_unlocked {
                    world.index.locked_by = Some(who);
                }
                At::Refreshing { generation: *generation, newest: self.newest() }
            }
            At::Refreshing { generation, newest } => {
                if *newest < self.index.pinned {
                    return Err(format!("reader {who} puts an older state back: {self:?}"));
                }
                world.index.pinned = *newest;
                world.index.locked_by = None;
                At::Refreshed { generation: *generation }
            }
            At::Refreshed { .. } if locked => return Ok(None),
            At::Refreshed { generation } if self.index.pinned == *generation => {
                return Err(format!("reader {who} cannot open: {self:?}"));
            }
            At::Refreshed { .. } => At::Mapping { generation: self.index.pinned, mapped: Vec::new() },
            At::Open { mapped } => {
                world.let_go(mapped);
                world.readers[who].left -= 1;
                At::Start
            }
        };
        Ok(Some(world))
    }

    /// `SegmentCache::get` of the next segment; or, when there is none left, the space is open.
    fn map(&mut self, generation: usize, mapped: &[Segment], rules: Broken) -> Result<At, String> {
        let asked = if rules.pins_nothing { self.newest() } else { generation };
        let Some(&segment) = self.commits[asked].iter().find(|segment| !mapped.contains(segment)) else {
            // Whatever happened meanwhile, what is open is what one commit says.
            return match self.commits.iter().any(|commit| commit.iter().eq(mapped)) {
                true => Ok(At::Open { mapped: mapped.to_vec() }),
                false => Err(format!("a space of two states: {mapped:?} of {:?}", self.commits)),
            };
        };
        if !self.index.mapped.contains_key(&segment) && !self.files.contains(&segment) {
            self.let_go(mapped);
            return Ok(At::Gone { generation });
        }
        *self.index.mapped.entry(segment).or_default() += 1;
        Ok(At::Mapping { generation, mapped: [mapped, &[segment]].concat() })
    }

    /// Drops `Arc`s of segments; the cache holds none of its own.
    fn let_go(&mut self, mapped: &[Segment]) {
        for segment in mapped {
            if let Some(count) = self.index.mapped.get_mut(segment) {
                *count -= 1;
                if *count == 0 {
                    self.index.mapped.remove(segment);
                }
            }
        }
    }
}

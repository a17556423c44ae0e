//! Choosing crashes: at each point of a trace, which of the pending effects the medium has.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::medium::{Kept, Medium, Tree};
use super::operation::Operation;

/// What a medium may hold after a crash.
#[derive(Debug)]
pub(crate) struct Image {
    /// The operations that had begun.
    pub(crate) done: usize,
    /// What the medium has.
    pub(crate) tree: Tree,
}

/// All subsets are taken of so many pending effects; of more, those that a mistake in the order would show, and random ones.
const EXHAUSTIVE: usize = 5;
/// Sectors and pages are written whole.
const UNITS: [usize; 2] = [512, 4096];

/// The crashes of a trace, each different image once.
#[derive(Debug)]
pub(crate) struct Images {
    medium: Medium,
    root: PathBuf,
    trace: Vec<Operation>,
    /// How many random subsets are taken at each point.
    subsets: usize,
    random: u64,
    seen: HashSet<blake3::Hash>,
}

impl Images {
    /// The crashes of what was done to `root`, which was as `before` says, with so many random ones at each point.
    pub(crate) fn new(before: Medium, root: &Path, trace: Vec<Operation>, subsets: usize) -> Self {
        Self { medium: before, root: root.to_path_buf(), trace, subsets, random: 1, seen: HashSet::new() }
    }

    /// Calls `check` with each image. An image that was there before is checked again only when more was promised meanwhile:
    /// `promised` counts what had been after so many operations.
    pub(crate) fn each(mut self, promised: impl Fn(usize) -> usize, mut check: impl FnMut(Image)) {
        let mut so_far = promised(0);
        for done in 0..=self.trace.len() {
            if done > 0 {
                self.medium.apply(&self.trace[done - 1].clone(), &self.root);
            }
            if promised(done) != so_far {
                so_far = promised(done);
                self.seen.clear();
            }
            for kept in self.choices() {
                let tree = self.medium.after_crash(&kept);
                if self.seen.insert(tree.hash()) {
                    check(Image { done, tree });
                }
            }
        }
    }

    fn choices(&mut self) -> Vec<Vec<Kept>> {
        let n = self.medium.n_pending();
        let mut choices = vec![vec![Kept::Nothing; n], vec![Kept::Whole; n]];
        if n <= EXHAUSTIVE {
            let of_bits =
                |bits: usize| (0..n).map(|at| if bits >> at & 1 == 1 { Kept::Whole } else { Kept::Nothing }).collect();
            choices.extend((1..(1usize << n) - 1).map(of_bits));
        } else {
            for at in 0..n {
                let but = |all: Kept, one: Kept| (0..n).map(|other| if other == at { one } else { all }).collect();
                choices.push(but(Kept::Whole, Kept::Nothing));
                choices.push(but(Kept::Nothing, Kept::Whole));
            }
            for _ in 0..self.subsets {
                let random = (0..n).map(|_| if self.below(2) == 0 { Kept::Whole } else { Kept::Nothing }).collect();
                choices.push(random);
            }
        }
        self.tear(&mut choices);
        choices
    }

    /// Adds choices in which the last pending write is torn, and in which a random one is.
    fn tear(&mut self, choices: &mut Vec<Vec<Kept>>) {
        let writes: Vec<usize> =
            (0..self.medium.n_pending()).filter(|&at| self.medium.pending_write(at).is_some()).collect();
        let Some(&last) = writes.last() else { return };
        let random = writes[self.below(writes.len())];
        for at in [last, random] {
            let length = self.medium.pending_write(at).unwrap_or(0);
            for unit in UNITS {
                let cut = unit * (1 + self.below(length / unit + 1));
                for torn in [Kept::First(cut), Kept::Last(cut)] {
                    for others in [Kept::Whole, Kept::Nothing] {
                        let mut choice = vec![others; self.medium.n_pending()];
                        choice[at] = torn;
                        choices.push(choice);
                    }
                }
            }
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % n.max(1)
    }
}

//! Readers that pin a committed state beside a writer that commits, collects and dies: in every order of their steps, a reader
//! opens a space as some committed state has it, never of two, and no later than the writer stops.
//!
//! A model, because no test can make threads and processes take their steps in every order. Its steps are those that the code
//! takes, in the code's order (`writer.rs` and `readers.rs` here name the functions), and all orders are tried. That it would
//! notice is shown by breaking each rule that `index-format.md` proves things from.

mod readers;
mod writer;

use std::collections::{BTreeSet, HashSet};

use readers::{Index, Reader};
use writer::{Step, Writer};

/// A segment, by its content hash.
type Segment = u8;

/// What the catalog says after so many commits: which segments the space is in.
type Catalog = BTreeSet<Segment>;

/// Everything that the processes share, and how far each has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The catalog after each commit; the place is the generation.
    commits: Vec<Catalog>,
    /// The files that are there.
    files: BTreeSet<Segment>,
    writer: Writer,
    /// The `WorkIndex` that the readers share.
    index: Index,
    readers: Vec<Reader>,
}

/// The rules that can be broken.
#[derive(Debug, Clone, Copy, Default)]
struct Broken {
    /// Files go before the transaction that forgets them.
    unlinks_first: bool,
    /// A transaction names files that are not published yet.
    commits_first: bool,
    /// What does not open is an error at once.
    never_retries: bool,
    /// `refresh` reads the newest state before it takes the lock.
    refreshes_unlocked: bool,
    /// A reader asks the newest state for each segment, and not the one that it pinned.
    pins_nothing: bool,
}

impl World {
    fn new(program: &[Step], readers: usize, spaces: u8) -> Self {
        let first: Catalog = [1].into();
        World {
            files: first.clone(),
            commits: vec![first],
            writer: Writer::new(program),
            index: Index::default(),
            readers: vec![Reader::new(spaces); readers],
        }
    }

    fn newest(&self) -> usize {
        self.commits.len() - 1
    }

    /// The worlds that one step of someone leads to.
    fn next(&self, rules: Broken) -> Result<Vec<World>, String> {
        let mut worlds = self.writer_steps();
        for at in 0..self.readers.len() {
            worlds.extend(self.reader_step(at, rules)?);
        }
        Ok(worlds)
    }
}

/// Far more steps than all together can take: a reader begins anew only when there was a commit.
const MOST_STEPS: u32 = 300;

/// Tries all orders of steps; the number of worlds met, or what went wrong in one of them.
fn explore(start: World, rules: Broken) -> Result<usize, String> {
    let mut met: HashSet<World> = HashSet::from([start.clone()]);
    let mut waiting = vec![start];
    while let Some(world) = waiting.pop() {
        let next = world.next(rules)?;
        if next.is_empty() && !world.readers.iter().all(Reader::is_done) {
            return Err(format!("readers wait for ever: {world:?}"));
        }
        for next in next {
            // Worlds count their steps, so that an order without end would pass any bound.
            if next.progress() > MOST_STEPS {
                return Err(format!("readers go on for ever: {next:?}"));
            }
            if met.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    Ok(met.len())
}

/// An update that keeps segment 1, its removal by dropping and collecting, a compaction, a segment that comes back under the
/// name it had, and a collection once more.
fn programs() -> Vec<Vec<Step>> {
    use Step::{Commit, Publish, Unlink};
    let ingest = [Publish(2), Commit([1, 2].into())];
    let drop_and_collect = [Commit([2].into()), Unlink(1)];
    let compact = [Publish(3), Commit([3].into()), Unlink(1), Unlink(2)];
    let back = [Publish(1), Commit([1, 3].into()), Commit([1].into()), Unlink(3)];
    vec![
        [&ingest[..], &drop_and_collect].concat(),
        [&ingest[..], &compact].concat(),
        [&ingest[..], &compact, &back].concat(),
        [&drop_and_collect_of_one()[..], &[Publish(1), Commit([1].into())]].concat(),
    ]
}

/// Everything is replaced in one commit.
fn drop_and_collect_of_one() -> [Step; 3] {
    [Step::Publish(4), Step::Commit([4].into()), Step::Unlink(1)]
}

fn tried(rules: Broken) -> Result<usize, String> {
    let mut worlds = 0;
    for program in programs() {
        let program = rules.of_program(&program);
        for (readers, spaces) in [(1, 3), (2, 2)] {
            worlds += explore(World::new(&program, readers, spaces), rules)?;
        }
    }
    Ok(worlds)
}

#[test]
fn every_reader_opens_a_committed_state_in_every_order() {
    let worlds = tried(Broken::default()).unwrap();
    eprintln!("{worlds} worlds");
    assert!(worlds > 10_000, "{worlds}");
}

#[test]
fn the_model_notices_broken_rules() {
    let broken: [(&str, Broken); 5] = [
        ("cannot open", Broken { unlinks_first: true, ..Broken::default() }),
        ("cannot open", Broken { commits_first: true, ..Broken::default() }),
        ("cannot open", Broken { never_retries: true, ..Broken::default() }),
        ("older", Broken { refreshes_unlocked: true, ..Broken::default() }),
        ("of two", Broken { pins_nothing: true, ..Broken::default() }),
    ];
    for (noticed, rules) in broken {
        let problem = tried(rules).expect_err("a broken rule goes unnoticed");
        assert!(problem.contains(noticed), "{rules:?}: {problem}");
    }
}

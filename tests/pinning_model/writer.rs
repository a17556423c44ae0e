//! The writer's steps: each is one call that others see whole or not at all.

use super::{Broken, Catalog, Segment, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// `WriteStore::publish`: a staged file is renamed to its name.
    Publish(Segment),
    /// `WriteStore::commit`: redb's transaction becomes the newest.
    Commit(Catalog),
    /// `WriteStore::remove_unnamed_files`, called after a commit.
    Unlink(Segment),
}

/// One writer, and after its death another that collects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Writer {
    left: Vec<Step>,
    /// Whether one has died.
    second: bool,
    done: u32,
}

impl Writer {
    pub fn new(program: &[Step]) -> Self {
        Self { left: program.iter().rev().cloned().collect(), second: false, done: 0 }
    }

    /// How many steps writers have taken.
    pub fn progress(&self) -> u32 {
        self.done
    }
}

impl Broken {
    /// The program of a writer that breaks the rules about order.
    pub fn of_program(&self, program: &[Step]) -> Vec<Step> {
        let mut program = program.to_vec();
        for at in 1..program.len() {
            let commit_after_publish = matches!((&program[at - 1], &program[at]), (Step::Publish(_), Step::Commit(_)));
            let unlink_after_commit = matches!((&program[at - 1], &program[at]), (Step::Commit(_), Step::Unlink(_)));
            if self.commits_first && commit_after_publish || self.unlinks_first && unlink_after_commit {
                program.swap(at - 1, at);
            }
        }
        program
    }
}

impl World {
    /// What the writer can do next: its step, or dying.
    pub fn writer_steps(&self) -> Vec<World> {
        let mut worlds = Vec::new();
        if let Some(step) = self.writer.left.last() {
            let mut world = self.clone();
            world.writer.left.pop();
            world.writer.done += 1;
            match step {
                Step::Publish(segment) => _ = world.files.insert(*segment),
                Step::Commit(catalog) => world.commits.push(catalog.clone()),
                Step::Unlink(segment) => _ = world.files.remove(segment),
            }
            worlds.push(world);
        }
        if !self.writer.second && !self.writer.left.is_empty() {
            worlds.push(self.after_death());
        }
        worlds
    }

    /// The writer is killed; the next one, which gets the lock by that, collects what the committed catalog does not name.
    fn after_death(&self) -> World {
        let mut world = self.clone();
        let named = &self.commits[self.newest()];
        world.writer.left = self.files.difference(named).map(|segment| Step::Unlink(*segment)).collect();
        world.writer.second = true;
        world.writer.done += 1;
        world
    }
}

//! Judging systems on sets, one set after the other; what is there already is not judged again.

use std::path::PathBuf;

use super::data::Data;
use super::dataset::Dataset;
use super::loaders::{Loaded, Selection};
use super::plan::Plan;
use super::record::{Record, record_path};
use super::run::{Missing, Run, RunHead};
use super::system::System;
use super::target_index::TargetIndex;
use super::task::{SetName, Task};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::monitor::Monitor;

/// What is judged, on what, and where results go.
///
/// ```no_run
/// use workindex::workbench::{Data, DataOptions, Evaluation, Selection, System};
/// use workindex::{Encoder, Forms, Monitor};
/// let data = Data::open("data", DataOptions::default())?;
/// let encoder = Encoder::open("all-MiniLM-L6-v2".as_ref())?;
/// let evaluation = Evaluation::new(&data, "results/minilm")
///     .encoder(&encoder)
///     .systems(vec![System::LateInteraction { rule: None, forms: Forms::Preferred }]);
/// let run = evaluation.run(&Monitor::silent(), &mut |event| println!("{event:?}"))?;
/// println!("{} sets judged", run.records.len());
/// # Ok::<(), workindex::Error>(())
/// ```
pub struct Evaluation<'a> {
    data: &'a Data,
    out: PathBuf,
    pub(super) encoder: Option<&'a Encoder>,
    pub(super) systems: Vec<System>,
    sets: Vec<SetName>,
    pub(super) selection: Selection,
    one_in: usize,
    index: Option<PathBuf>,
}

/// How far an evaluation has come.
#[derive(Debug)]
pub enum Event<'a> {
    /// A set is being judged.
    Begins(&'a Dataset),
    /// It is judged.
    Judged(&'a Record),
    /// It was judged before, and nothing that its results depend on has changed.
    Kept(&'a Record),
    /// Its data is not there.
    Missing(&'a Missing),
}

impl<'a> Evaluation<'a> {
    /// On all tasks, their test sets, with results in the folder `out`.
    pub fn new(data: &'a Data, out: impl Into<PathBuf>) -> Self {
        let (encoder, systems, index) = (None, Vec::new(), None);
        let (sets, selection) = (Task::ALL.map(SetName::of).to_vec(), Selection::default());
        Self { data, out: out.into(), encoder, systems, sets, selection, one_in: 1, index }
    }

    /// Judges an encoder.
    pub fn encoder(mut self, encoder: &'a Encoder) -> Self {
        self.encoder = Some(encoder);
        self
    }

    /// Judges these systems, each once.
    pub fn systems(mut self, systems: Vec<System>) -> Self {
        self.systems.clear();
        for system in systems {
            // By name: what plays no part in a rule does not tell two of them apart.
            if !self.systems.iter().any(|other| other.to_string() == system.to_string()) {
                self.systems.push(system);
            }
        }
        self
    }

    /// On all sets of these tasks.
    pub fn tasks(self, tasks: &[Task]) -> Self {
        self.sets(&tasks.iter().copied().map(SetName::of).collect::<Vec<_>>())
    }

    /// On these sets; one without a part is all sets of its task.
    pub fn sets(mut self, sets: &[SetName]) -> Self {
        self.sets = sets.to_vec();
        self
    }

    /// On these queries of the sets.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// On one query in `one_in`, for a quick look.
    pub fn one_in(mut self, one_in: usize) -> Self {
        self.one_in = one_in.max(1);
        self
    }

    /// With the targets embedded in an index that is kept; without, in a temporary one.
    pub fn index(mut self, path: impl Into<PathBuf>) -> Self {
        self.index = Some(path.into());
        self
    }

    /// Judges what is not judged yet. After an error, or when cancelled, what was judged is there and is kept by the next run.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without systems, or without the encoder that they need; as [`Data::load`] and
    /// [`TargetIndex::score_each`]; [`Error::Io`] when results cannot be written; [`Error::Cancelled`].
    pub fn run(&self, monitor: &Monitor, on: &mut dyn FnMut(Event<'_>)) -> Result<Run> {
        self.check()?;
        std::fs::create_dir_all(&self.out).map_err(Error::io("create the folder", &self.out))?;
        let mut run = Run { head: self.head(), missing: Vec::new(), records: Vec::new() };
        let mut index: Option<TargetIndex> = None;
        for set in self.wanted() {
            monitor.check()?;
            match self.data.load(&set, self.selection, monitor)? {
                Loaded::Missing(looked_for) => {
                    let missing = Missing { set, looked_for };
                    on(Event::Missing(&missing));
                    run.missing.push(missing);
                }
                Loaded::Ready(dataset) => {
                    run.records.push(self.judge(&dataset.sampled(self.one_in), &mut index, monitor, on)?);
                }
            }
            // After each set, so that what was judged can be read whatever happens next.
            run.write(&self.out)?;
        }
        Ok(run)
    }

    /// The sets that were asked for, in the order of the tasks.
    fn wanted(&self) -> impl Iterator<Item = SetName> {
        let asked = |set: &SetName| {
            self.sets.iter().any(|asked| {
                asked.task() == set.task() && (asked.part_name().is_empty() || asked.part_name() == set.part_name())
            })
        };
        Task::ALL.into_iter().flat_map(|task| self.data.sets(task)).filter(asked)
    }

    fn check(&self) -> Result<()> {
        let invalid = |option, expected: &str, got: &str| Error::InvalidOption {
            option,
            expected: expected.to_string(),
            got: got.to_string(),
        };
        let known = |asked: &&SetName| {
            asked.part_name().is_empty() || self.data.sets(asked.task()).iter().any(|set| set == *asked)
        };
        if let Some(unknown) = self.sets.iter().find(|asked| !known(asked)) {
            let sets = self.data.sets(unknown.task()).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(invalid("task", &format!("one of {sets}"), &unknown.to_string()));
        }
        if self.systems.is_empty() {
            return Err(invalid("systems", "at least one rule or baseline to judge", "none"));
        }
        if self.encoder.is_none() && self.systems.iter().any(System::needs_encoder) {
            return Err(invalid("encoder", "an encoder for the rules that are to be judged", "none"));
        }
        for system in &self.systems {
            if let System::LateInteraction { rule: Some(rule), .. } = system {
                rule.validate()?;
            }
        }
        Ok(())
    }

    fn head(&self) -> RunHead {
        let encoder = self.encoder.filter(|_| self.systems.iter().any(System::needs_encoder));
        RunHead::new(encoder, &self.systems, self.data.options(), self.selection, self.one_in)
    }

    /// Judges a set, unless that was done.
    fn judge(
        &self,
        dataset: &Dataset,
        index: &mut Option<TargetIndex>,
        monitor: &Monitor,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Record> {
        let path = record_path(&self.out, dataset.name());
        let plan = Plan::new(self, dataset)?;
        if let Ok(record) = Record::read(&path)
            && record.head.key == plan.key
        {
            on(Event::Kept(&record));
            return Ok(record);
        }
        on(Event::Begins(dataset));
        let record = plan.judge(index, monitor)?;
        record.write(&path)?;
        on(Event::Judged(&record));
        Ok(record)
    }

    pub(super) fn target_index(&self, encoder: &Encoder) -> Result<TargetIndex> {
        match &self.index {
            Some(path) => TargetIndex::kept(encoder, path),
            None => TargetIndex::temporary(encoder, &self.out),
        }
    }
}

//! Judging systems on sets, one set after the other; what is there already is not judged again.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use super::data::Data;
use super::dataset::Dataset;
use super::lexical::Baseline;
use super::loaders::{Loaded, Selection};
use super::ranks;
use super::record::{Head, JudgedSystem, Record, Seconds, VERSION, key};
use super::run::{Missing, Run, RunHead};
use super::system::System;
use super::target_index::TargetIndex;
use super::task::{SetName, Task};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::index::Space;
use crate::late_interaction::Rule;
use crate::monitor::{Monitor, Stage};
use crate::ontology::Forms;

/// Queries that a baseline scores at a time.
const LEXICAL_PART: usize = 64;

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
    encoder: Option<&'a Encoder>,
    systems: Vec<System>,
    sets: Vec<SetName>,
    selection: Selection,
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

    fn target_index(&self, encoder: &Encoder) -> Result<TargetIndex> {
        match &self.index {
            Some(path) => TargetIndex::kept(encoder, path),
            None => TargetIndex::temporary(encoder, &self.out),
        }
    }
}

/// Where the record of a set is.
pub(super) fn record_path(out: &Path, set: &SetName) -> PathBuf {
    out.join("sets").join(format!("{}.safetensors", set.file_stem()))
}

/// A set and what is judged on it.
struct Plan<'a> {
    evaluation: &'a Evaluation<'a>,
    dataset: &'a Dataset,
    systems: Vec<JudgedSystem>,
    /// The rule of each system that is judged and has one.
    rules: Vec<Option<Rule>>,
    key: String,
}

impl<'a> Plan<'a> {
    fn new(evaluation: &'a Evaluation<'a>, dataset: &'a Dataset) -> Result<Self> {
        let (mut systems, mut rules) = (Vec::new(), Vec::new());
        for system in &evaluation.systems {
            let rule = evaluation.encoder.map(|encoder| rule_of(system, encoder, dataset)).transpose()?.flatten();
            let description = match (system, rule) {
                (System::Lexical(baseline), _) => baseline.to_string(),
                (_, Some(rule)) => rule.to_string(),
                (_, None) => String::new(),
            };
            systems.push(JudgedSystem { id: system.to_string(), description, not_judged: not_judged(system, dataset) });
            rules.push(rule);
        }
        let fingerprint = evaluation.encoder.map(|encoder| encoder.fingerprint().to_string()).unwrap_or_default();
        let hash = dataset.hash();
        let selection = format!("{:?} {:?}", evaluation.selection, dataset.origin());
        let mut parts = vec![env!("CARGO_PKG_VERSION"), &selection, &hash, &fingerprint];
        systems.iter().for_each(|system| parts.extend([&system.id, &system.description].map(String::as_str)));
        let key = key(&parts);
        Ok(Self { evaluation, dataset, systems, rules, key })
    }

    fn judged(&self) -> impl Iterator<Item = (usize, &System)> {
        let judged = |(at, _): &(usize, &System)| self.systems[*at].not_judged.is_none();
        self.evaluation.systems.iter().enumerate().filter(judged)
    }

    fn judge(&self, index: &mut Option<TargetIndex>, monitor: &Monitor) -> Result<Record> {
        let dataset = self.dataset;
        let n_systems = self.evaluation.systems.len();
        let mut ranks: Vec<Vec<u32>> = vec![Vec::new(); n_systems];
        let (mut seconds, mut unembedded) = (Seconds::default(), 0);
        if self.judged().any(|(_, system)| system.needs_encoder()) {
            unembedded = self.late_interaction(index, &mut ranks, &mut seconds, monitor)?;
        }
        let start = Instant::now();
        for (at, system) in self.judged() {
            if let System::Lexical(baseline) = system {
                ranks[at] = self.lexical(*baseline, monitor)?;
            }
        }
        seconds.lexical = start.elapsed().as_secs_f64();
        let judged = self.judged().map(|(at, _)| std::mem::take(&mut ranks[at])).collect();
        let head = Head {
            set: dataset.name().clone(),
            split: dataset.split(),
            query_kind: dataset.query_kind().to_string(),
            target_kind: dataset.target_kind().to_string(),
            origin: dataset.origin().clone(),
            hash: dataset.hash(),
            queries: dataset.queries().len(),
            targets: dataset.targets().len(),
            positives: dataset.n_positives(),
            unembedded,
            systems: self.systems.clone(),
            seconds,
            key: self.key.clone(),
            version: VERSION,
        };
        let counts: Vec<usize> = dataset.queries().iter().map(|query| query.positives.len()).collect();
        Ok(Record::new(head, &counts, dataset.queries_that_are_labels(), judged))
    }

    /// Ranks by late interaction, every query encoded once; returns how many had nothing to embed.
    fn late_interaction(
        &self,
        index: &mut Option<TargetIndex>,
        ranks: &mut [Vec<u32>],
        seconds: &mut Seconds,
        monitor: &Monitor,
    ) -> Result<usize> {
        let Some(encoder) = self.evaluation.encoder else { return Ok(0) };
        let index = match index {
            Some(index) => index,
            None => index.insert(self.evaluation.target_index(encoder)?),
        };
        let (dataset, start) = (self.dataset, Instant::now());
        let (mut spaces, mut systems): (Vec<(Space, Vec<Rule>)>, Vec<usize>) = Default::default();
        for forms in [Forms::Preferred, Forms::All] {
            let of_forms = || self.judged().filter(|(_, system)| system.needs_encoder() && system.forms() == forms);
            let rules: Vec<Rule> = of_forms().filter_map(|(at, _)| self.rules[at]).collect();
            if !rules.is_empty() {
                spaces.push((index.space(dataset.targets(), dataset.target_kind(), forms, monitor)?, rules));
                systems.extend(of_forms().map(|(at, _)| at));
            }
        }
        seconds.targets = start.elapsed().as_secs_f64();
        let (start, mut unembedded) = (Instant::now(), 0);
        let queries = dataset.queries();
        let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
        let summarise = |query: usize, _, _, scores: Vec<f32>| ranks::of(&scores, &queries[query].positives);
        index.score_each(&spaces, &texts, Some(dataset.query_kind()), monitor, summarise, |query, made| {
            let Some(made) = made else {
                unembedded += 1;
                let last = last_ranks(dataset.targets().len(), queries[query].positives.len());
                systems.iter().for_each(|&system| ranks[system].extend(&last));
                return Ok(());
            };
            systems.iter().zip(made).for_each(|(&system, made)| ranks[system].extend(made));
            Ok(())
        })?;
        seconds.ranking = start.elapsed().as_secs_f64();
        Ok(unembedded)
    }

    /// Ranks by a baseline.
    fn lexical(&self, baseline: Baseline, monitor: &Monitor) -> Result<Vec<u32>> {
        let labels: Vec<&str> = self.dataset.targets().iter().map(|target| target.label.as_str()).collect();
        let (index, queries) = (baseline.prepare(&labels), self.dataset.queries());
        let mut ranks = Vec::with_capacity(self.dataset.n_positives());
        for (part, of_part) in queries.chunks(LEXICAL_PART).enumerate() {
            monitor.check()?;
            let made: Vec<Vec<u32>> =
                of_part.par_iter().map(|query| ranks::of(&index.scores(&query.text), &query.positives)).collect();
            made.iter().for_each(|made| ranks.extend(made));
            let done = part * LEXICAL_PART + of_part.len();
            monitor.report(Stage::Ranking, done as u64, Some(queries.len() as u64));
        }
        Ok(ranks)
    }
}

/// The rule of a system on a set.
fn rule_of(system: &System, encoder: &Encoder, dataset: &Dataset) -> Result<Option<Rule>> {
    match system {
        System::LateInteraction { rule: Some(rule), .. } => Ok(Some(*rule)),
        System::LateInteraction { rule: None, .. } => {
            crate::index::encoder_rule(encoder, Some(dataset.query_kind())).map(Some)
        }
        System::Lexical(_) => Ok(None),
    }
}

/// Why a system is not judged on a set, if it is not.
fn not_judged(system: &System, dataset: &Dataset) -> Option<String> {
    if system.forms() == Forms::Preferred {
        return None;
    }
    if dataset.labels_are_queries() {
        return Some("alternative labels are what is asked for here".to_string());
    }
    let none = dataset.targets().iter().all(|target| target.alternative_labels.is_empty());
    none.then(|| "its targets have no alternative labels".to_string())
}

/// The last ranks of all.
fn last_ranks(targets: usize, positives: usize) -> Vec<u32> {
    (targets.saturating_sub(positives) as u32 + 1..=targets as u32).collect()
}

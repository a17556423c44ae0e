//! Means and intervals of runs: per set and system, and the macro average over tasks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bootstrap::{Resampling, interval};
use super::metrics::Metric;
use super::record::Record;
use super::task::{SetName, Task};

/// A mean over queries, or over tasks, and how much it would vary with other queries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// In 0…1; a difference, in −1…1.
    pub value: f64,
    /// The bootstrap interval at 95 %; none where it was not asked for.
    pub interval: Option<[f64; 2]>,
}

/// Metrics of a system on a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetSummary {
    /// The set.
    pub set: SetName,
    /// The system's id.
    pub system: String,
    /// The value of each metric, in the order that was asked for.
    pub estimates: Vec<(Metric, Estimate)>,
    /// The first metric over the queries that are no label of a target, and how many these are.
    pub without_labels: (usize, f64),
    #[serde(skip)]
    replicates: Vec<Vec<f64>>,
}

/// The macro average of a system: the mean over tasks, a task with several sets counting as their mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MacroSummary {
    /// The system's id.
    pub system: String,
    /// The tasks that are averaged: those of which it was judged on all sets that are there.
    pub tasks: Vec<Task>,
    /// Their sets.
    pub sets: Vec<SetName>,
    /// The value of each metric.
    pub estimates: Vec<(Metric, Estimate)>,
    #[serde(skip)]
    replicates: Vec<Vec<f64>>,
}

/// All that is to be said of some records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Every judged pair of set and system, set after set.
    pub sets: Vec<SetSummary>,
    /// The macro average over WorkBench's six tasks, as far as they were judged.
    pub workbench: Vec<MacroSummary>,
    /// The macro average over all tasks that were judged.
    pub all: Vec<MacroSummary>,
}

impl Summary {
    /// Of the records of one run.
    pub fn new(records: &[Record], metrics: &[Metric], resampling: Resampling) -> Self {
        let mut sets = Vec::new();
        for record in records {
            sets.extend(of_record(record, metrics, resampling));
        }
        let macros = |wanted: fn(Task) -> bool| averages(&sets, metrics, resampling, wanted);
        let (workbench, all) = (macros(Task::is_of_workbench), macros(|_| true));
        Self { sets, workbench, all }
    }

    /// A system on a set.
    pub fn get(&self, set: &SetName, system: &str) -> Option<&SetSummary> {
        self.sets.iter().find(|summary| summary.set == *set && summary.system == system)
    }
}

impl SetSummary {
    /// The value of a metric.
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        self.estimates.iter().find(|(of, _)| *of == metric).map(|(_, estimate)| *estimate)
    }

    /// How much more this is than another system on the same queries, for the metric at a place; the interval is that of the
    /// difference, query by query.
    pub(super) fn more_than(&self, other: &SetSummary, metric: usize) -> Option<Estimate> {
        difference((&self.estimates, &self.replicates), (&other.estimates, &other.replicates), metric)
    }
}

impl MacroSummary {
    /// As [`SetSummary::more_than`].
    pub(super) fn more_than(&self, other: &MacroSummary, metric: usize) -> Option<Estimate> {
        let same = self.sets == other.sets;
        same.then(|| difference((&self.estimates, &self.replicates), (&other.estimates, &other.replicates), metric))?
    }
}

type Estimated<'a> = (&'a [(Metric, Estimate)], &'a [Vec<f64>]);

fn difference(one: Estimated<'_>, other: Estimated<'_>, metric: usize) -> Option<Estimate> {
    let value = one.0.get(metric)?.1.value - other.0.get(metric)?.1.value;
    let (ones, others) = (one.1.get(metric)?, other.1.get(metric)?);
    let replicates = ones.iter().zip(others).map(|(one, other)| one - other).collect();
    Some(Estimate { value, interval: interval(replicates) })
}

/// Every judged system of a record, over the same draws.
fn of_record(record: &Record, metrics: &[Metric], resampling: Resampling) -> Vec<SetSummary> {
    let systems: Vec<usize> = (0..record.head.systems.len()).filter(|&at| record.ranks(at).is_some()).collect();
    let values = |at: usize| metrics.iter().map(move |&metric| record.values(at, metric).unwrap_or_default());
    let columns: Vec<Vec<f32>> = systems.iter().flat_map(|&at| values(at)).collect();
    // By what the queries are, so that two runs on the same queries draw the same ones.
    let mut replicates = resampling.means(&record.head.hash, &columns).into_iter();
    let mut columns = columns.iter();
    let mut summaries = Vec::new();
    for at in systems {
        let replicates: Vec<Vec<f64>> = replicates.by_ref().take(metrics.len()).collect();
        let columns: Vec<&Vec<f32>> = columns.by_ref().take(metrics.len()).collect();
        let of_metric = |(place, metric): (usize, &Metric)| {
            let value = metric.mean(record.ranks(at).into_iter().flatten());
            (*metric, Estimate { value, interval: interval(replicates[place].clone()) })
        };
        summaries.push(SetSummary {
            set: record.head.set.clone(),
            system: record.head.systems[at].id.clone(),
            estimates: metrics.iter().enumerate().map(of_metric).collect(),
            without_labels: without_labels(record, columns.first().copied()),
            replicates,
        });
    }
    summaries
}

/// The mean over the queries that are no label of a target.
fn without_labels(record: &Record, values: Option<&Vec<f32>>) -> (usize, f64) {
    let of_others = record.labels().iter().zip(values.into_iter().flatten()).filter(|(label, _)| !**label);
    let others: Vec<f64> = of_others.map(|(_, value)| f64::from(*value)).collect();
    let mean = if others.is_empty() { 0.0 } else { others.iter().sum::<f64>() / others.len() as f64 };
    (others.len(), mean)
}

/// The macro average of each system over the tasks that are wanted and judged.
fn averages(
    sets: &[SetSummary],
    metrics: &[Metric],
    resampling: Resampling,
    wanted: fn(Task) -> bool,
) -> Vec<MacroSummary> {
    let mut systems: Vec<&str> = Vec::new();
    for set in sets {
        if !systems.contains(&set.system.as_str()) {
            systems.push(&set.system);
        }
    }
    let of_system = |system: &&str| {
        let mut by_task: BTreeMap<Task, Vec<&SetSummary>> = BTreeMap::new();
        for set in sets.iter().filter(|set| set.system == **system && wanted(set.set.task())) {
            by_task.entry(set.set.task()).or_default().push(set);
        }
        // A task counts by all of its sets, or not at all.
        let all: BTreeSet<&SetName> = sets.iter().map(|set| &set.set).collect();
        by_task.retain(|task, judged| all.iter().filter(|set| set.task() == *task).count() == judged.len());
        let mean = |value: &dyn Fn(&SetSummary) -> f64| {
            let of_task = |sets: &Vec<&SetSummary>| sets.iter().map(|set| value(set)).sum::<f64>() / sets.len() as f64;
            by_task.values().map(of_task).sum::<f64>() / (by_task.len() as f64).max(1.0)
        };
        let replicate = |metric: usize, draw: usize| mean(&|set: &SetSummary| set.replicates[metric][draw]);
        let draws = if by_task.is_empty() { 0 } else { resampling.replicates as usize };
        let replicates: Vec<Vec<f64>> =
            (0..metrics.len()).map(|metric| (0..draws).map(|draw| replicate(metric, draw)).collect()).collect();
        let estimate = |(at, metric): (usize, &Metric)| {
            let value = mean(&|set: &SetSummary| set.estimates[at].1.value);
            (*metric, Estimate { value, interval: interval(replicates[at].clone()) })
        };
        let estimates = metrics.iter().enumerate().map(estimate).collect();
        let sets = by_task.values().flatten().map(|set| set.set.clone()).collect();
        MacroSummary { system: system.to_string(), tasks: by_task.into_keys().collect(), sets, estimates, replicates }
    };
    systems.iter().map(of_system).filter(|summary| !summary.tasks.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn summary(records: &[Record]) -> Summary {
        Summary::new(records, &[Metric::Mrr, Metric::Map], Resampling { replicates: 200, seed: 1 })
    }

    #[test]
    fn a_task_of_several_sets_counts_once() {
        let part = |part| SetName::part(Task::SkillExtraction, part);
        let records = [
            record(part("house"), [[1, 1, 2], [2, 2, 3]]),
            record(part("tech"), [[2, 2, 3], [4, 4, 5]]),
            record(SetName::of(Task::Job2Skill), [[4, 4, 5], [1, 1, 2]]),
            record(SetName::of(Task::Melo), [[4, 4, 5], [1, 1, 2]]),
        ];
        let summary = summary(&records);
        let values = |of: &[MacroSummary]| of.iter().map(|m| m.estimates[0].1.value).collect::<Vec<_>>();
        assert_eq!(values(&summary.workbench), [((1.0 + 0.5) / 2.0 + 0.25) / 2.0, ((0.5 + 0.25) / 2.0 + 1.0) / 2.0]);
        assert_eq!(summary.workbench[0].tasks, [Task::Job2Skill, Task::SkillExtraction]);
        assert_eq!(summary.all[0].tasks.len(), 3);
        let [low, high] = summary.workbench[0].estimates[0].1.interval.unwrap();
        assert!(low <= 0.5 && 0.5 <= high);
        assert_eq!(summary.sets.len(), 8);
        // The first query is a label.
        assert_eq!(summary.sets[0].without_labels, (1, 1.0));
    }

    #[test]
    fn differences_are_query_by_query() {
        let records = [record(SetName::of(Task::Job2Skill), [[1, 2, 3], [2, 4, 5]])];
        let summary = summary(&records);
        let (one, other) = (&summary.sets[0], &summary.sets[1]);
        // 1 - 1/2 and 1/2 - 1/4: whatever is drawn, the difference lies between.
        let more = one.more_than(other, 0).unwrap();
        assert_eq!(more.value, 0.375);
        let [low, high] = more.interval.unwrap();
        assert!(low >= 0.25 && high <= 0.5 && low < high);
        let macros = summary.workbench[0].more_than(&summary.workbench[1], 0).unwrap();
        assert_eq!((macros.value, macros.interval), (more.value, more.interval));
    }
}

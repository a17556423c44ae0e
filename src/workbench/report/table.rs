//! Systems in rows, sets in columns: the values of one metric.

use super::Named;
use crate::workbench::metrics::Metric;
use crate::workbench::summary::{Estimate, MacroSummary};
use crate::workbench::task::{SetName, Task};

/// What a column is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// A set.
    Set(SetName),
    /// The macro average over these of WorkBench's six tasks.
    Workbench(Vec<Task>),
    /// The macro average over all these tasks.
    All(Vec<Task>),
}

/// A value of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The value of the metric.
    pub estimate: Estimate,
    /// Whether it is of the same queries as the first run's.
    pub same_queries: bool,
    /// How much more it is than the first row's, where both are of the same queries.
    pub more_than_first: Option<Estimate>,
}

/// A system of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The system's id, behind the run's name where there are several runs.
    pub name: String,
    /// A value for each column; none where the system was not judged there.
    pub cells: Vec<Option<Cell>>,
}

/// The values of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The metric.
    pub metric: Metric,
    /// The sets that any run has, in the order of the tasks, then the macro averages.
    pub columns: Vec<Column>,
    /// Run after run, in each its systems.
    pub rows: Vec<Row>,
}

impl Column {
    /// A short name.
    pub fn name(&self) -> String {
        match self {
            Column::Set(set) => set.to_string(),
            Column::Workbench(tasks) => format!("macro, {} of 6", tasks.len()),
            Column::All(tasks) => format!("macro, all {}", tasks.len()),
        }
    }
}

impl Table {
    /// `at` is the metric's place in the summaries.
    pub(super) fn new(runs: &[Named], metric: Metric, at: usize) -> Self {
        let mut sets: Vec<SetName> = Vec::new();
        for set in runs.iter().flat_map(|named| &named.run.records).map(|record| &record.head.set) {
            if !sets.contains(set) {
                sets.push(set.clone());
            }
        }
        sets.sort_by_key(SetName::task);
        let mut columns: Vec<Column> = sets.into_iter().map(Column::Set).collect();
        columns.extend(macro_columns(runs));
        let mut rows = Vec::new();
        for named in runs {
            for system in &named.run.head.systems {
                let name = if runs.len() == 1 { system.clone() } else { format!("{}: {system}", named.name) };
                let cells = columns.iter().map(|column| cell(runs, named, system, column, at)).collect();
                rows.push(Row { name, cells });
            }
        }
        Self { metric, columns, rows }
    }
}

/// A macro average over as many tasks as the system with the most was judged on; systems judged on fewer have none.
fn macro_columns(runs: &[Named]) -> Vec<Column> {
    let widest = |of: fn(&Named) -> &Vec<MacroSummary>| {
        let all = runs.iter().flat_map(of);
        all.max_by_key(|summary| summary.tasks.len()).map(|summary| summary.tasks.clone()).unwrap_or_default()
    };
    let workbench = widest(|named| &named.summary.workbench);
    let all = widest(|named| &named.summary.all);
    let mut columns = Vec::new();
    if all.len() > workbench.len() && all.len() > 1 {
        columns.push(Column::All(all));
    }
    if workbench.len() > 1 {
        columns.insert(0, Column::Workbench(workbench));
    }
    columns
}

fn cell(runs: &[Named], named: &Named, system: &str, column: &Column, at: usize) -> Option<Cell> {
    let first = runs.first()?;
    let first_system = first.run.head.systems.first()?;
    match column {
        Column::Set(set) => {
            let summary = named.summary.get(set, system)?;
            let same = hash(first, set) == hash(named, set);
            let same_queries = hash(first, set).is_none() || same;
            let reference = first.summary.get(set, first_system).filter(|_| same);
            let more_than_first = reference.and_then(|reference| summary.more_than(reference, at));
            Some(Cell { estimate: summary.estimates.get(at)?.1, same_queries, more_than_first })
        }
        Column::Workbench(tasks) => macro_cell(first, named, first_system, system, tasks, at, |n| &n.summary.workbench),
        Column::All(tasks) => macro_cell(first, named, first_system, system, tasks, at, |n| &n.summary.all),
    }
}

fn macro_cell(
    first: &Named,
    named: &Named,
    first_system: &str,
    system: &str,
    tasks: &[Task],
    at: usize,
    of: fn(&Named) -> &Vec<MacroSummary>,
) -> Option<Cell> {
    let find = |named, system: &str| {
        let all: &Vec<MacroSummary> = of(named);
        all.iter().find(|summary| summary.system == system && summary.tasks == tasks)
    };
    let summary = find(named, system)?;
    let same_queries =
        summary.sets.iter().all(|set| hash(first, set).is_none() || hash(first, set) == hash(named, set));
    // Of other sets it is no difference: `more_than` sees to that.
    let reference = find(first, first_system).filter(|_| same_queries);
    let more_than_first = reference.and_then(|reference| summary.more_than(reference, at));
    Some(Cell { estimate: summary.estimates.get(at)?.1, same_queries, more_than_first })
}

/// What the queries of a set are in a run.
fn hash<'n>(named: &'n Named, set: &SetName) -> Option<&'n String> {
    named.run.records.iter().find(|record| record.head.set == *set).map(|record| &record.head.hash)
}

//! Everything as JSON.

use serde_json::{Value, json};

use super::{Named, Report};

pub(super) fn render(report: &Report) -> Value {
    json!({
        "bootstrap": report.resampling,
        "runs": report.runs.iter().map(of_run).collect::<Vec<_>>(),
        "table": of_table(report),
    })
}

/// The first metric of all rows, with differences to the first.
fn of_table(report: &Report) -> Value {
    let Some(&metric) = report.metrics.first() else { return Value::Null };
    let table = report.table(metric);
    let columns: Vec<String> = table.columns.iter().map(crate::workbench::Column::name).collect();
    let cell = |cell: &Option<crate::workbench::Cell>| {
        cell.map(|cell| {
            json!({
                "estimate": cell.estimate,
                "same_queries": cell.same_queries,
                "more_than_first": cell.more_than_first,
            })
        })
    };
    let row = |row: &crate::workbench::Row| json!({ "name": row.name, "cells": row.cells.iter().map(cell).collect::<Vec<_>>() });
    json!({ "metric": metric, "columns": columns, "rows": table.rows.iter().map(row).collect::<Vec<_>>() })
}

fn of_run(named: &Named) -> Value {
    let sets: Vec<Value> = named.run.records.iter().map(|record| of_record(named, &record.head)).collect();
    json!({
        "name": named.name,
        "asked": named.run.head,
        "missing": named.run.missing,
        "sets": sets,
        "macro": { "workbench": of_macros(&named.summary.workbench), "all": of_macros(&named.summary.all) },
    })
}

fn of_record(named: &Named, head: &crate::workbench::Head) -> Value {
    let mut value = serde_json::to_value(head).unwrap_or_default();
    let results: Vec<Value> = named
        .summary
        .sets
        .iter()
        .filter(|summary| summary.set == head.set)
        .map(|summary| {
            let (queries, value) = summary.without_labels;
            json!({
                "system": summary.system,
                "metrics": of_estimates(&summary.estimates),
                "without_queries_that_are_labels": { "queries": queries, "value": value },
            })
        })
        .collect();
    let seconds = head.seconds.ranking + head.seconds.lexical;
    let fields = [("results", results.into()), ("queries_per_second", json!(head.queries as f64 / seconds.max(1e-9)))];
    if let Value::Object(object) = &mut value {
        object.extend(fields.map(|(name, value)| (name.to_string(), value)));
    }
    value
}

fn of_macros(macros: &[crate::workbench::MacroSummary]) -> Vec<Value> {
    let of = |summary: &crate::workbench::MacroSummary| json!({ "system": summary.system, "tasks": summary.tasks, "metrics": of_estimates(&summary.estimates) });
    macros.iter().map(of).collect()
}

/// By the names of the metrics.
fn of_estimates(estimates: &[(crate::workbench::Metric, crate::workbench::Estimate)]) -> Value {
    estimates.iter().map(|(metric, estimate)| (metric.to_string(), json!(estimate))).collect()
}

//! Everything as Markdown.

use std::fmt::Write;

use super::{Cell, Column, Named, Report, Row, Table};
use crate::workbench::held_out::Holdout;
use crate::workbench::record::Head;
use crate::workbench::run::RunHead;

pub(super) fn render(report: &Report) -> String {
    let mut text = "# WorkBench\n\n".to_string();
    for named in &report.runs {
        asked(&mut text, named, report.runs.len() > 1);
    }
    let Some(&metric) = report.metrics.first() else { return text };
    let table = report.table(metric);
    let _ = writeln!(text, "## {metric}, %\n");
    interval_note(&mut text, report);
    transposed(&mut text, &table, &table.rows, |cell| with_interval(&cell));
    if let [first, others @ ..] = table.rows.as_slice()
        && !others.is_empty()
    {
        let _ = writeln!(text, "## More than `{}`\n\nDifferences of {metric}, query by query.\n", first.name);
        let more = |cell: Cell| cell.more_than_first.map_or("–".to_string(), |more| signed(&more));
        transposed(&mut text, &table, others, more);
    }
    for named in &report.runs {
        all_metrics(&mut text, named, report);
    }
    sets(&mut text, report);
    missing(&mut text, report);
    text
}

/// What a run was asked for.
fn asked(text: &mut String, named: &Named, several: bool) {
    let RunHead { workindex, encoder, systems, split, held_out, one_in, .. } = &named.run.head;
    let name = if several { format!("**{}**: ", named.name) } else { String::new() };
    let _ = write!(text, "{name}the {split} sets");
    match held_out {
        Holdout::None => {}
        Holdout::Hash => text.push_str(", of those made from an ontology only queries of held-out concepts"),
        Holdout::IscoGroup => {
            text.push_str(
                ", of those made from an ontology only queries of concepts that are held out by their ISCO group",
            );
        }
    }
    if *one_in > 1 {
        let _ = write!(text, ", one query in {one_in}");
    }
    if let Some(encoder) = encoder {
        let special = if encoder.special_tokens { "with" } else { "without" };
        let _ = write!(
            text,
            "; encoder {} ({} values a token, at most {} tokens, {special} special tokens, {}, on {}; fingerprint `{}`)",
            encoder.name, encoder.dim, encoder.max_tokens, encoder.precision, encoder.runs_on, encoder.fingerprint
        );
    }
    let _ = writeln!(text, "; {}; workindex {workindex}.\n", counted(systems.len(), "system"));
}

fn interval_note(text: &mut String, report: &Report) {
    let resampling = report.resampling;
    if resampling.replicates > 0 {
        let _ = writeln!(
            text,
            "In brackets, the bootstrap interval at 95 % ({} replicates, seed {}).\n",
            resampling.replicates, resampling.seed
        );
    }
}

/// A table with the sets in rows and the systems in columns: sets have longer names and are more.
fn transposed(text: &mut String, table: &Table, rows: &[Row], show: impl Fn(Cell) -> String) {
    let names = rows.iter().map(|row| format!(" {} |", escaped(&row.name))).collect::<String>();
    let _ = writeln!(text, "| |{names}\n|---|{}", "---|".repeat(rows.len()));
    for (at, column) in table.columns.iter().enumerate() {
        let bold = if matches!(column, Column::Set(_)) { "" } else { "**" };
        let _ = write!(text, "| {bold}{}{bold} |", column.name());
        for row in rows {
            let cell = row.cells.get(at).copied().flatten();
            let _ = write!(text, " {} |", cell.map(&show).unwrap_or_else(|| "–".to_string()));
        }
        text.push('\n');
    }
    text.push('\n');
}

fn with_interval(cell: &Cell) -> String {
    let value = 100.0 * cell.estimate.value;
    let other = if cell.same_queries { "" } else { " (other queries)" };
    match cell.estimate.interval {
        Some([low, high]) => format!("{value:.2} [{:.2}, {:.2}]{other}", 100.0 * low, 100.0 * high),
        None => format!("{value:.2}{other}"),
    }
}

fn signed(more: &crate::workbench::Estimate) -> String {
    let value = 100.0 * more.value;
    match more.interval {
        Some([low, high]) => format!("{value:+.2} [{:+.2}, {:+.2}]", 100.0 * low, 100.0 * high),
        None => format!("{value:+.2}"),
    }
}

/// Every metric of every system of a run.
fn all_metrics(text: &mut String, named: &Named, report: &Report) {
    let name = if report.runs.len() > 1 { format!(" of {}", named.name) } else { String::new() };
    let header = report.metrics.iter().map(|metric| format!(" {metric} |")).collect::<String>();
    let first = report.metrics.first().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "## All metrics{name}, %\n");
    let _ = writeln!(text, "| set | system |{header} {first} without queries that are labels (queries) |");
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(report.metrics.len() + 1));
    for summary in &named.summary.sets {
        let _ = write!(text, "| {} | {} |", summary.set, summary.system);
        for (_, estimate) in &summary.estimates {
            let _ = write!(text, " {:.2} |", 100.0 * estimate.value);
        }
        let (queries, value) = summary.without_labels;
        let value = if queries == 0 { "–".to_string() } else { format!("{:.2}", 100.0 * value) };
        let _ = writeln!(text, " {value} ({queries}) |");
    }
    text.push('\n');
}

/// What the sets are, and how long they took.
fn sets(text: &mut String, report: &Report) {
    text.push_str("## Sets\n\n| set | queries | targets | positives | targets of | from | seconds: targets, ranking, lexical | queries/s |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    let mut notes = Vec::new();
    let mut seen: Vec<(&str, String)> = Vec::new();
    for named in &report.runs {
        for Head { set, queries, targets, positives, origin, seconds, hash, systems, unembedded, .. } in
            named.run.records.iter().map(|record| &record.head)
        {
            let release = origin.release.as_deref().unwrap_or("–");
            let files = origin.files.join(", ");
            let busy = (seconds.ranking + seconds.lexical).max(1e-9);
            let name = if report.runs.len() > 1 { format!("{}: ", named.name) } else { String::new() };
            let _ = writeln!(
                text,
                "| {name}{set} | {queries} | {targets} | {positives} | {release} | {} | {:.1}, {:.1}, {:.1} | {:.0} |",
                escaped(&files),
                seconds.targets,
                seconds.ranking,
                seconds.lexical,
                *queries as f64 / busy
            );
            let mut said: Vec<String> = Vec::new();
            if !seen.iter().any(|(other, of)| *other == hash && *of == set.to_string()) {
                seen.push((hash, set.to_string()));
                said.extend(origin.mapping.iter().chain(&origin.selection).cloned());
                said.extend(origin.left_out.iter().map(|(reason, n)| format!("left out: {n} {reason}")));
            }
            if *unembedded > 0 {
                said.push(format!(
                    "{unembedded} queries in which the encoder finds nothing to embed rank everything last"
                ));
            }
            for system in systems {
                said.extend(system.not_judged.iter().map(|why| format!("{} not judged: {why}", system.id)));
            }
            if !said.is_empty() {
                notes.push(format!("* {name}{set}: {}", said.join("; ")));
            }
        }
    }
    let _ = writeln!(text, "\n{}\n", notes.join("\n"));
}

fn missing(text: &mut String, report: &Report) {
    let of_run = |named: &Named| {
        let missing = named.run.missing.iter();
        missing.map(|missing| format!("* {}: no `{}`", missing.set, missing.looked_for)).collect::<Vec<_>>()
    };
    let mut lines: Vec<String> = report.runs.iter().flat_map(of_run).collect();
    lines.sort();
    lines.dedup();
    if !lines.is_empty() {
        let _ = writeln!(text, "## Missing\n\n{}\n", lines.join("\n"));
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Nothing that would end a cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

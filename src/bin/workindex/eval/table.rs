//! Results on the terminal.

use workindex::workbench::{Cell, Column, Metric, Report, Table};

use crate::layout;

/// Metrics that are shown of a single system.
const SHOWN: [Metric; 6] =
    [Metric::Map, Metric::Mrr, Metric::RPrecision(5), Metric::RPrecision(10), Metric::Recall(100), Metric::Hit(1)];

/// Of one run: all metrics of a single system, or one metric of several.
pub fn of_run(report: &Report) -> String {
    let table = report.table(report.metrics()[0]);
    if table.rows.len() == 1 { of_system(report) } else { of_systems(&table) }
}

/// One metric, with the sets in rows and the systems in columns; turned where there are more systems than sets.
pub fn of_systems(table: &Table) -> String {
    let value = |row: usize, column: usize| {
        let cell = table.rows[row].cells.get(column).copied().flatten();
        let other = |cell: &Cell| if cell.same_queries { "" } else { "*" };
        cell.map_or("–".to_string(), |cell| format!("{:.2}{}", 100.0 * cell.estimate.value, other(&cell)))
    };
    let systems: Vec<String> = table.rows.iter().map(|row| row.name.clone()).collect();
    let sets: Vec<String> = table.columns.iter().map(Column::name).collect();
    let (heads, lines, turned) = match systems.len() > sets.len() {
        true => (sets, systems, true),
        false => (systems, sets, false),
    };
    let corner = format!("{}, %", table.metric);
    let header: Vec<&str> = std::iter::once(corner.as_str()).chain(heads.iter().map(String::as_str)).collect();
    let mut out = layout::table(&header, layout::terminal_width());
    for (line, name) in lines.iter().enumerate() {
        let values = (0..heads.len()).map(|head| if turned { value(line, head) } else { value(head, line) });
        layout::add(&mut out, std::iter::once(name.clone()).chain(values));
    }
    layout::align_right(&mut out, &(1..=heads.len()).collect::<Vec<_>>());
    let mut text = layout::lines(&out, "");
    if table.rows.iter().flat_map(|row| &row.cells).flatten().any(|cell| !cell.same_queries) {
        text.push_str("\n* of other queries than the first run's: not to be compared");
    }
    text
}

/// Metrics of the only system of a run.
fn of_system(report: &Report) -> String {
    let first = report.metrics()[0];
    let mut metrics = vec![first];
    metrics.extend(SHOWN.into_iter().filter(|metric| *metric != first));
    let tables: Vec<Table> = metrics.iter().map(|metric| report.table(*metric)).collect();
    let names: Vec<String> = metrics.iter().map(ToString::to_string).collect();
    let interval = "95 %".to_string();
    let mut header = vec!["%", names[0].as_str(), interval.as_str()];
    header.extend(names[1..].iter().map(String::as_str));
    header.extend(["queries", "targets", "s", "queries/s"]);
    let mut out = layout::table(&header, layout::terminal_width());
    let Some((_, run)) = report.runs().next() else { return String::new() };
    for (at, column) in tables[0].columns.iter().enumerate() {
        let estimate = |table: &Table| table.rows[0].cells.get(at).copied().flatten().map(|cell| cell.estimate);
        let percent = |value: f64| format!("{:.2}", 100.0 * value);
        let values: Vec<String> = tables
            .iter()
            .map(|table| estimate(table).map_or("–".to_string(), |estimate| percent(estimate.value)))
            .collect();
        let bounds = estimate(&tables[0]).and_then(|estimate| estimate.interval);
        let bounds = bounds.map_or(String::new(), |[low, high]| format!("{} – {}", percent(low), percent(high)));
        let mut cells = vec![column.name(), values[0].clone(), bounds];
        cells.extend(values[1..].iter().cloned());
        let record = match column {
            Column::Set(set) => run.records.iter().find(|record| record.head.set == *set),
            _ => None,
        };
        cells.extend(match record {
            Some(record) => {
                let seconds = record.head.seconds;
                let ranking = seconds.ranking + seconds.lexical;
                [
                    record.head.queries.to_string(),
                    record.head.targets.to_string(),
                    format!("{:.1}", seconds.targets + ranking),
                    format!("{:.0}", record.head.queries as f64 / ranking.max(1e-9)),
                ]
            }
            None => Default::default(),
        });
        layout::add(&mut out, cells);
    }
    layout::align_right(&mut out, &(1..header.len()).collect::<Vec<_>>());
    layout::lines(&out, "")
}

//! A plot of a table: a panel for each column, in it a dot and a whisker for each row.

use std::fmt::Write;

use super::chart::{self, COLOURS, escaped};
use super::{Row, Table};
use crate::workbench::summary::Estimate;

/// Panels side by side.
const ACROSS: usize = 3;
/// The width of a panel's axis, and the space between panels.
const AXIS: f64 = 200.0;
const GAP: f64 = 28.0;
/// The height of a row, and of what stands above and below the rows of a panel.
const LINE: f64 = 17.0;
const HEAD: f64 = 30.0;
const FOOT: f64 = 26.0;
const MARGIN: f64 = 20.0;
/// The height of the heading above all panels.
const HEADING: f64 = 24.0;
/// About the width of a character of the labels.
const CHARACTER: f64 = 6.2;

pub(super) fn render(table: &Table) -> String {
    let longest = table.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let labels = longest as f64 * CHARACTER + 8.0;
    let down = table.columns.len().div_ceil(ACROSS);
    let (panel_width, panel_height) = (AXIS + GAP, HEAD + FOOT + LINE * table.rows.len() as f64);
    let across = table.columns.len().clamp(1, ACROSS) as f64;
    let width = 2.0 * MARGIN + labels + across * panel_width;
    let height = 2.0 * MARGIN + HEADING + down as f64 * panel_height;
    let mut svg = chart::begin((width, height), &format!("{} of {} systems", table.metric, table.rows.len()));
    let _ = writeln!(svg, "<text class=\"h\" x=\"{MARGIN}\" y=\"{:.1}\">{}, %</text>", MARGIN + 6.0, table.metric);
    for (at, column) in table.columns.iter().enumerate() {
        let x = MARGIN + labels + (at % ACROSS) as f64 * panel_width;
        let y = MARGIN + HEADING + (at / ACROSS) as f64 * panel_height;
        if at % ACROSS == 0 {
            row_labels(&mut svg, table, x - 8.0, y + HEAD);
        }
        let title = column.name();
        let _ = writeln!(svg, "<text class=\"t\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>", y + 14.0, escaped(&title));
        panel(&mut svg, &table.rows, at, x, y + HEAD);
    }
    svg.push_str("</svg>\n");
    svg
}

fn row_labels(svg: &mut String, table: &Table, x: f64, y: f64) {
    for (at, row) in table.rows.iter().enumerate() {
        let y = y + LINE * (at as f64 + 0.5) + 4.0;
        let name = escaped(&row.name);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{name}</text>");
    }
}

fn panel(svg: &mut String, rows: &[Row], column: usize, x: f64, y: f64) {
    let estimate = |row: &Row| row.cells.get(column).copied().flatten().map(|cell| cell.estimate);
    let estimates: Vec<Option<Estimate>> = rows.iter().map(estimate).collect();
    let axis = axis(estimates.iter().flatten());
    let bottom = y + LINE * rows.len() as f64;
    for tick in axis.ticks() {
        let at = x + axis.place(tick);
        let _ = writeln!(svg, "<path class=\"g\" d=\"M{at:.1} {y:.1}V{bottom:.1}\"/>");
        let label = format!("{:.*}", usize::from(axis.step() < 0.0099), 100.0 * tick);
        let _ = writeln!(
            svg,
            "<text class=\"a\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 12.0
        );
    }
    for (at, estimate) in estimates.iter().enumerate() {
        let Some(Estimate { value, interval }) = estimate else { continue };
        let (y, colour) = (y + LINE * (at as f64 + 0.5), COLOURS[at % COLOURS.len()]);
        if let Some([low, high]) = interval {
            let (low, high) = (x + axis.place(*low), x + axis.place(*high));
            let _ = writeln!(svg, "<path d=\"M{low:.1} {y:.1}H{high:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        }
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"><title>{}: {:.2}</title></circle>",
            x + axis.place(*value),
            escaped(&rows[at].name),
            100.0 * value
        );
    }
}

/// Over all values and intervals.
fn axis<'e>(estimates: impl Iterator<Item = &'e Estimate>) -> chart::Axis {
    let ends = |estimate: &Estimate| {
        let [low, high] = estimate.interval.unwrap_or([estimate.value; 2]);
        [estimate.value, low, high]
    };
    chart::Axis::over(estimates.flat_map(ends), AXIS)
}

//! A plot of a table: a panel for each column, in it a dot and a whisker for each row.

use std::fmt::Write;

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

/// Colours that are told apart with any kind of sight (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#777777"];

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#222}.h{font-weight:600;font-size:14px}.t{font-weight:600}.a{fill:#777;font-size:10px}\
.g{stroke:#ddd}.b{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}.a{fill:#999}.g{stroke:#444}.b{fill:#1b1b1b}}";

pub(super) fn render(table: &Table) -> String {
    let longest = table.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let labels = longest as f64 * CHARACTER + 8.0;
    let down = table.columns.len().div_ceil(ACROSS);
    let (panel_width, panel_height) = (AXIS + GAP, HEAD + FOOT + LINE * table.rows.len() as f64);
    let across = table.columns.len().clamp(1, ACROSS) as f64;
    let width = 2.0 * MARGIN + labels + across * panel_width;
    let height = 2.0 * MARGIN + HEADING + down as f64 * panel_height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\"><title>{} of {} systems</title><style>{STYLE}</style>\
         <rect class=\"b\" width=\"100%\" height=\"100%\"/>\n",
        table.metric,
        table.rows.len()
    );
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
    let axis = Axis::over(estimates.iter().flatten());
    let bottom = y + LINE * rows.len() as f64;
    for tick in axis.ticks() {
        let at = x + axis.place(tick);
        let _ = writeln!(svg, "<path class=\"g\" d=\"M{at:.1} {y:.1}V{bottom:.1}\"/>");
        let label = format!("{:.*}", usize::from(axis.step < 0.01), 100.0 * tick);
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

/// Where values are on a panel's axis.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// Over all values and intervals, to round numbers on either side.
    fn over<'e>(estimates: impl Iterator<Item = &'e Estimate>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for estimate in estimates {
            let [from, to] = estimate.interval.unwrap_or([estimate.value; 2]);
            (low, high) = (low.min(from).min(estimate.value), high.max(to).max(estimate.value));
        }
        if !(low.is_finite() && high.is_finite()) {
            (low, high) = (0.0, 1.0);
        }
        let wanted = ((high - low) / 4.0).max(0.001);
        let steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
        let step = steps.into_iter().find(|step| *step >= wanted).unwrap_or(0.5);
        Self {
            low: (low / step).floor() * step,
            high: ((high / step).ceil() * step).max((low / step).floor() * step + step),
            step,
        }
    }

    fn place(&self, value: f64) -> f64 {
        AXIS * (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let n = ((self.high - self.low) / self.step).round() as usize;
        (0..=n).map(|at| self.low + at as f64 * self.step)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_ends_around_its_values() {
        let estimate = |value: f64, low: f64, high: f64| Estimate { value, interval: Some([low, high]) };
        let axis = Axis::over([estimate(0.31, 0.302, 0.316), estimate(0.36, 0.352, 0.367)].iter());
        assert!((axis.low - 0.3).abs() < 1e-12 && (axis.high - 0.38).abs() < 1e-12 && axis.step == 0.02);
        assert_eq!(axis.ticks().count(), 5);
        assert!((axis.place(0.34) - AXIS / 2.0).abs() < 1e-9);
        let one = Axis::over([Estimate { value: 0.5, interval: None }].iter());
        assert!(one.place(0.5).is_finite() && one.high > one.low);
        assert!(Axis::over([].iter()).place(0.5).is_finite());
    }
}

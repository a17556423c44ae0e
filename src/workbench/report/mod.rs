//! Results of one run or several as one table, as Markdown, JSON and a plot.
//!
//! | file | what |
//! |---|---|
//! | `table.rs` | rows of systems, columns of sets: values, intervals, differences |
//! | `markdown.rs` | everything, to be read |
//! | `json.rs` | everything, for programs |
//! | `plot.rs` | a panel for each set, as SVG |
//! | `chart.rs` | what plots have in common |

mod json;
mod markdown;

pub(crate) mod chart;
mod plot;
mod table;

use super::bootstrap::Resampling;
use super::metrics::Metric;
use super::run::Run;
use super::summary::Summary;

pub use table::{Cell, Column, Row, Table};

/// A run under a name, with its summary.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) run: Run,
    pub(super) summary: Summary,
}

/// Results of one run or several, side by side.
///
/// ```no_run
/// use workindex::workbench::{Metric, Report, Resampling, Run};
/// let runs = ["base", "trained"].map(|name| Run::read(name.as_ref()).map(|run| (name.to_string(), run)));
/// let report = Report::new(runs.into_iter().collect::<Result<_, _>>()?, &Metric::STANDARD, Resampling::default());
/// println!("{}", report.markdown());
/// # Ok::<(), workindex::Error>(())
/// ```
pub struct Report {
    runs: Vec<Named>,
    metrics: Vec<Metric>,
    resampling: Resampling,
}

impl Report {
    /// Of runs under names. The first metric is that of the tables; MAP without any.
    pub fn new(runs: Vec<(String, Run)>, metrics: &[Metric], resampling: Resampling) -> Self {
        let metrics = if metrics.is_empty() { vec![Metric::Map] } else { metrics.to_vec() };
        let named = |(name, run): (String, Run)| {
            let summary = Summary::new(&run.records, &metrics, resampling);
            Named { name, run, summary }
        };
        let runs = runs.into_iter().map(named).collect();
        Self { runs, metrics, resampling }
    }

    /// The table of a metric that was asked for; else of the first.
    pub fn table(&self, metric: Metric) -> Table {
        let at = self.metrics.iter().position(|other| *other == metric).unwrap_or(0);
        Table::new(&self.runs, self.metrics[at], at)
    }

    /// The metrics, the one of the tables first.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The summary of each run, in their order.
    pub fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.runs.iter().map(|named| &named.summary)
    }

    /// The runs, in their order.
    pub fn runs(&self) -> impl Iterator<Item = (&str, &Run)> {
        self.runs.iter().map(|named| (named.name.as_str(), &named.run))
    }

    /// Everything, as Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// Everything, as JSON.
    pub fn json(&self) -> serde_json::Value {
        json::render(self)
    }

    /// The first metric of every system on every set with its interval, as an SVG image.
    pub fn plot(&self) -> String {
        plot::render(&self.table(self.metrics[0]))
    }
}

//! Rankings as a table, JSON, JSON lines or CSV, each written as soon as it is there.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use workindex::{Certificate, ExactMatch, Hit, Ranking, Rule};

use crate::layout;

/// How rankings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
}

/// Where rankings are printed to, and how.
pub struct Output<W> {
    format: Format,
    out: W,
    width: Option<usize>,
    written: usize,
    hits: usize,
    unsaid: usize,
}

impl<W: Write> Output<W> {
    pub fn new(format: Format, out: W) -> io::Result<Self> {
        let mut output = Self { format, out, width: layout::terminal_width(), written: 0, hits: 0, unsaid: 0 };
        match format {
            Format::Json => output.out.write_all(b"[")?,
            Format::Csv => output.csv_row(["query", "rank", "score", "id", "label", "exact"])?,
            Format::Table | Format::Jsonl => {}
        }
        Ok(output)
    }

    /// Whether a progress bar would be in the way.
    pub fn is_on_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    pub fn has_no_hits(&self) -> bool {
        self.hits == 0
    }

    /// How many queries were longer than the encoder reads, where the format has no place to say so.
    pub fn unsaid_truncations(&self) -> usize {
        self.unsaid
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes one ranking.
    pub fn write(&mut self, ranking: &Ranking) -> io::Result<()> {
        match self.format {
            Format::Table => self.table(ranking)?,
            Format::Json => self.json(ranking)?,
            Format::Jsonl => {
                serde_json::to_writer(&mut self.out, &Line::new(ranking))?;
                writeln!(self.out)?;
            }
            Format::Csv => ranking.hits.iter().try_for_each(|hit| self.csv_hit(ranking, hit))?,
        }
        self.written += 1;
        self.hits += ranking.len();
        self.unsaid += usize::from(ranking.truncated && matches!(self.format, Format::Jsonl | Format::Csv));
        Ok(())
    }

    /// Writes what belongs behind the last ranking.
    pub fn finish(&mut self) -> io::Result<&mut W> {
        if self.format == Format::Json {
            self.out.write_all(if self.written == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        Ok(&mut self.out)
    }

    fn table(&mut self, ranking: &Ranking) -> io::Result<()> {
        if self.written > 0 {
            writeln!(self.out)?;
        }
        write!(self.out, "{}", as_table(ranking, self.width))
    }

    fn json(&mut self, ranking: &Ranking) -> io::Result<()> {
        self.out.write_all(if self.written == 0 { b"\n  " } else { b",\n  " })?;
        let space = ranking.space.to_string();
        let Ranking { truncated, rule, certificate, .. } = *ranking;
        let entry = Entry { query: query(ranking), space: &space, truncated, rule, certificate, hits: rows(ranking) };
        serde_json::to_writer(&mut self.out, &entry)?;
        Ok(())
    }

    fn csv_hit(&mut self, ranking: &Ranking, hit: &Hit) -> io::Result<()> {
        let (rank, score) = (hit.rank.to_string(), hit.score.to_string());
        self.csv_row([query(ranking), &rank, &score, &hit.id, &hit.label, exact(hit).unwrap_or_default()])
    }

    fn csv_row(&mut self, fields: [&str; 6]) -> io::Result<()> {
        // Through a buffer, because a csv writer flushes what it writes to.
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(fields).map_err(io::Error::from)?;
        let row = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.out.write_all(&row)
    }
}

/// One ranking as a table with its query above it.
pub fn as_table(ranking: &Ranking, width: Option<usize>) -> String {
    let mut text = format!("{}\n", layout::heading(query(ranking)));
    if ranking.truncated {
        text.push_str("  (longer than the encoder reads: its end plays no part)\n");
    }
    if ranking.is_empty() {
        text.push_str("  no hits\n");
        return text;
    }
    let any_exact = ranking.hits.iter().any(|hit| hit.exact.is_some());
    let header: &[&str] = match any_exact {
        true => &["rank", "score", "label", "id", "exact"],
        false => &["rank", "score", "label", "id"],
    };
    let mut table = layout::table(header, width);
    // Labels get most of the line; ids are for telling two of them apart, and whole in the other formats.
    let id_width = width.map_or(usize::MAX, |width| (width / 4).max(12));
    for hit in ranking {
        let id = layout::short_id(&hit.id, id_width);
        let cells = [hit.rank.to_string(), format!("{:.4}", hit.score), hit.label.clone(), id];
        let exact = any_exact.then(|| exact(hit).unwrap_or_default().to_string());
        layout::add(&mut table, cells.into_iter().chain(exact));
    }
    layout::align_right(&mut table, &[0, 1]);
    layout::keep(&mut table, &[0, 1, 3, 4]);
    text.push_str(&layout::lines(&table, ""));
    text.push('\n');
    text
}

fn query(ranking: &Ranking) -> &str {
    ranking.query.as_deref().unwrap_or_default()
}

fn exact(hit: &Hit) -> Option<&'static str> {
    hit.exact.map(|exact| match exact {
        ExactMatch::Preferred => "preferred",
        ExactMatch::Alternative => "alternative",
    })
}

fn rows(ranking: &Ranking) -> Vec<Row<'_>> {
    let row = |hit| {
        let Hit { rank, score, id, label, .. }: &Hit = hit;
        Row { rank: *rank, score: *score, id, label, exact: exact(hit) }
    };
    ranking.hits.iter().map(row).collect()
}

/// A line of jsonl.
#[derive(Serialize)]
struct Line<'a> {
    query: &'a str,
    hits: Vec<Row<'a>>,
}

impl<'a> Line<'a> {
    fn new(ranking: &'a Ranking) -> Self {
        Self { query: query(ranking), hits: rows(ranking) }
    }
}

/// An element of the array that json is.
#[derive(Serialize)]
struct Entry<'a> {
    query: &'a str,
    space: &'a str,
    truncated: bool,
    rule: Rule,
    certificate: Certificate,
    hits: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    rank: usize,
    score: f32,
    id: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<&'static str>,
}

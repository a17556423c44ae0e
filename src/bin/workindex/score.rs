//! `workindex score`: the scores of all pairs of two lists of texts, as a matrix for other programs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use workindex::workbench::{Target, TargetIndex};
use workindex::{Encoder, Forms, Kind};

use crate::console::Console;
use crate::encoder::{BUILT_IN, Choice};
use crate::eval::on_threads;
use crate::failure::{Failure, Outcome};
use crate::file;
use crate::rank::{RuleArgs, kind_name};
use crate::settings::Settings;

const EXAMPLES: &str = "\
Example:
  workindex score --encoder minilm --queries titles.txt --targets skills.jsonl --out scores.npy
  python -c 'import numpy; print(numpy.load(\"scores.npy\").shape)'

A file that ends in .jsonl has one JSON string a line, any other one text a line. The result is a NumPy array of float32, queries by
targets, scores at full precision in -1 to 1; an empty text, and a query
in which the encoder finds nothing to embed, score -1 with everything.";

/// Score all pairs of two lists of texts, as a NumPy array.
///
/// What other programs need to judge or use workindex as a model; examples/workrb is one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The encoder: a model directory in the sentence-transformers layout; `built-in` for the one that this program comes with.
    #[arg(long, value_name = "MODEL_DIR", default_value = BUILT_IN)]
    encoder: Choice,
    /// The file of the queries.
    #[arg(long, value_name = "F")]
    queries: PathBuf,
    /// The file of the targets.
    #[arg(long, value_name = "F")]
    targets: PathBuf,
    /// The file for the scores, .npy.
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// What the targets are: occupation, skill. Models with a head for each kind of text (JobBERT) embed them by it.
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    target_kind: Option<String>,
    #[command(flatten)]
    rule: RuleArgs,
    #[command(flatten)]
    settings: Settings,
    /// Keep the embedded targets in this index, for the next run with the same encoder. [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
    /// How many threads to work on; all cores without it. The result does not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// The kind of targets that are of none.
const ANY: &str = "text";

pub fn run(args: &Args, console: &Console) -> Outcome {
    args.rule.check()?;
    let (queries, targets) = (texts(&args.queries)?, texts(&args.targets)?);
    let encoder = args.settings.open(&args.encoder, console)?;
    on_threads(args.threads, || score(args, &encoder, &queries, &targets, console))?
}

fn score(args: &Args, encoder: &Encoder, queries: &[String], targets: &[String], console: &Console) -> Outcome {
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let index = match &args.index {
        Some(path) => TargetIndex::kept(encoder, path)?,
        None => TargetIndex::temporary(encoder, folder)?,
    };
    let columns = Columns::of(targets);
    let kind = Kind::new(args.target_kind.as_deref().unwrap_or(ANY))?;
    let monitor = console.monitor();
    let mut out = Matrix::create(&args.out, queries.len(), targets.len())?;
    if columns.distinct.is_empty() {
        (0..queries.len()).try_for_each(|_| out.row(&vec![NOTHING; targets.len()]))?;
        return out.finish();
    }
    let space = index.space(&columns.distinct, &kind, Forms::Preferred, &monitor)?;
    let query_kind = args.rule.query_kind();
    let default = space.default_rule_for(query_kind)?;
    let rule = args.rule.chosen(default, console)?;
    let texts: Vec<&str> = queries.iter().map(String::as_str).collect();
    let widen = |_, _, _, scores: Vec<f32>| columns.widen(&scores);
    let mut failure = None;
    let written = index.score_each(&[(space, vec![rule])], &texts, query_kind, &monitor, widen, |_, rows| {
        let row = rows.and_then(|mut rows| rows.pop()).unwrap_or_else(|| vec![NOTHING; targets.len()]);
        out.row(&row).map_err(|error| {
            failure = Some(error);
            workindex::Error::Cancelled
        })
    });
    match failure {
        Some(failure) => return Err(failure),
        None => written?,
    }
    out.finish()
}

/// The score of what cannot be embedded: the lowest.
const NOTHING: f32 = -1.0;

/// Which of the different targets each column is.
struct Columns {
    distinct: Vec<Target>,
    places: Vec<Option<usize>>,
}

impl Columns {
    fn of(targets: &[String]) -> Self {
        let (mut distinct, mut known) = (Vec::new(), std::collections::HashMap::new());
        let mut place = |text: &String| {
            let label = text.trim();
            if label.is_empty() {
                return None;
            }
            Some(*known.entry(label.to_string()).or_insert_with(|| {
                distinct.push(Target { label: label.to_string(), alternative_labels: Vec::new() });
                distinct.len() - 1
            }))
        };
        let places = targets.iter().map(&mut place).collect();
        Self { distinct, places }
    }

    fn widen(&self, scores: &[f32]) -> Vec<f32> {
        let score = |place: &Option<usize>| place.and_then(|place| scores.get(place).copied()).unwrap_or(NOTHING);
        self.places.iter().map(score).collect()
    }
}

/// A file of scores, there whole or not at all.
struct Matrix<'a> {
    path: &'a Path,
    file: BufWriter<tempfile::NamedTempFile>,
}

impl<'a> Matrix<'a> {
    fn create(path: &'a Path, rows: usize, columns: usize) -> Outcome<Self> {
        file::check(path)?;
        let file = file::beside(path).map_err(|error| unwritable(path, &error))?;
        let mut matrix = Self { path, file: BufWriter::new(file) };
        matrix.write(&npy_header(rows, columns))?;
        Ok(matrix)
    }

    fn row(&mut self, scores: &[f32]) -> Outcome {
        let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome {
        let path = self.path;
        self.file.write_all(bytes).map_err(|error| unwritable(path, &error))
    }

    fn finish(self) -> Outcome {
        let file = self.file.into_inner().map_err(|error| unwritable(self.path, error.error()))?;
        file::keep(file, self.path).map_err(|error| unwritable(self.path, &error))
    }
}

/// The header of NumPy's format 1.0: magic, version, length, a dictionary, padded to a multiple of 64 bytes.
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    const BEFORE: usize = 10;
    let padding = (64 - (BEFORE + dictionary.len() + 1) % 64) % 64;
    dictionary.push_str(&" ".repeat(padding));
    dictionary.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((dictionary.len() as u16).to_le_bytes());
    header.extend(dictionary.as_bytes());
    header
}

/// The texts of a file.
fn texts(path: &Path) -> Outcome<Vec<String>> {
    let content =
        std::fs::read(path).map_err(|error| Failure::plain(format!("cannot read {}: {error}", path.display())))?;
    let content = String::from_utf8(content).map_err(|error| {
        let line = 1 + content_lines(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Failure::new(format!("{}, line {line}: not UTF-8", path.display()), "save the file as UTF-8")
    })?;
    let lines = content.strip_prefix('\u{feff}').unwrap_or(&content).lines();
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"));
    if !json {
        return Ok(lines.map(str::to_string).collect());
    }
    let string = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let place = format!("{}, line {number}", path.display());
            Failure::plain(format!("{place}: a JSON string is expected: {error}"))
        })
    };
    (1..).zip(lines).map(string).collect()
}

fn content_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::plain(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpy_s() {
        let header = npy_header(3, 12);
        assert_eq!(header.len() % 64, 0);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.ends_with(b"\n"));
        let text = String::from_utf8_lossy(&header[10..]).into_owned();
        assert!(text.contains("'shape': (3, 12)"), "{text}");
        assert_eq!(usize::from(u16::from_le_bytes([header[8], header[9]])), header.len() - 10);
    }

    #[test]
    fn equal_targets_are_scored_once() {
        let columns = Columns::of(&["a", " ", "b", "a "].map(String::from));
        assert_eq!(columns.distinct.len(), 2);
        assert_eq!(columns.widen(&[0.5, 0.25]), [0.5, -1.0, 0.25, 0.5]);
    }
}

//! Reads a user's own list: CSV, TSV, JSON lines, or one label a line.
//!
//! | column or key | becomes |
//! |---|---|
//! | `id`, `uri`, `concept_uri` | the id; without such a column the label is the id, so that it stays the same from release to release |
//! | `label`, `preferred_label`, `name`, `title` | the preferred label; the first of these that is there, and one must be |
//! | `alternative_labels`, `alt_labels`, `aliases` | alternative labels, one a line or between `\|` (in JSON also an array) |
//! | `description` | the description |
//! | `kind` | the kind, where it is not the space's |
//! | any other | an attribute of that name, if not empty (in JSON an array gives several values) |
//!
//! Names of columns are read without regard to case, spaces, `_` and `-`: `altLabels` is `alt_labels`. TSV is quoted as
//! CSV is. In JSON lines every line is one object; whole numbers and booleans are taken as
//! written, other numbers in their shortest form; an id must be a text or a whole number below 2⁶⁴.

mod columns;
mod json;
mod plain;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::files::input_error;
use super::meter::Meter;
use super::records::{Dialect, Records};
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{ReadReport, Release, ReleaseBuilder, SpaceName};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values with a header (`.csv`).
    Csv,
    /// Tab-separated values with a header (`.tsv`, `.tab`).
    Tsv,
    /// One JSON object a line (`.jsonl`, `.ndjson`).
    JsonLines,
    /// One label a line (`.txt`).
    Plain,
}

impl Format {
    /// The format that a file name's extension stands for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::JsonLines),
            "txt" => Some(Format::Plain),
            _ => None,
        }
    }
}

/// What the file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How the table is written; `None` goes by the file name's extension.
    pub format: Option<Format>,
    /// The release; `None` takes it from the space name, or else "1".
    pub version: Option<String>,
}

/// Reads a table as a release of its own ontology: name, kind and language are those of the space.
///
/// # Errors
/// [`Error::InvalidOption`] when the format cannot be told, or `space` pins another release than the options give;
/// [`Error::Input`] with row and column when the file is not a table of that format; [`Error::InvalidName`];
/// [`Error::Io`]; [`Error::Cancelled`].
pub fn read(
    path: impl AsRef<Path>,
    space: &SpaceName,
    options: &Options,
    monitor: &Monitor,
) -> Result<(Release, ReadReport)> {
    let path = path.as_ref();
    let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
    if metadata.is_dir() {
        return Err(input_error(path, "a folder; a table is one file".to_string()));
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    let meter = Meter::new(monitor);
    meter.expect(metadata.len());
    read_sized(Box::new(file), path, Some(metadata.len()), space, options, &meter)
}

/// Reads a table from anything, such as standard input. `name` stands for it in errors and reports, and its extension
/// says the format unless the options do.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    reader: impl Read,
    name: impl AsRef<Path>,
    space: &SpaceName,
    options: &Options,
    monitor: &Monitor,
) -> Result<(Release, ReadReport)> {
    read_sized(Box::new(reader), name.as_ref(), None, space, options, &Meter::new(monitor))
}

fn read_sized(
    reader: Box<dyn Read + '_>,
    path: &Path,
    size: Option<u64>,
    space: &SpaceName,
    options: &Options,
    meter: &Meter,
) -> Result<(Release, ReadReport)> {
    let mut builder = ReleaseBuilder::new(space.ontology(), version(space, options)?, space.language())?;
    match format(path, options)? {
        Format::Csv => columns::read(Records::new(reader, path, size, Dialect::Comma, meter)?, space, &mut builder)?,
        Format::Tsv => columns::read(Records::new(reader, path, size, Dialect::Tab, meter)?, space, &mut builder)?,
        Format::JsonLines => json::read(plain::TextLines::new(reader, path, size, meter), space, &mut builder)?,
        Format::Plain => plain::read(plain::TextLines::new(reader, path, size, meter), space, &mut builder)?,
    }
    let (release, report) = builder.finish();
    if release.concepts().is_empty() {
        return Err(input_error(path, "no row with a label".to_string()));
    }
    Ok((release, report))
}

fn format(path: &Path, options: &Options) -> Result<Format> {
    options.format.or_else(|| Format::of(path)).ok_or_else(|| Error::InvalidOption {
        option: "format",
        expected: "a file called .csv, .tsv, .jsonl or .txt, or the format to be given".to_string(),
        got: path.display().to_string(),
    })
}

fn version<'a>(space: &'a SpaceName, options: &'a Options) -> Result<&'a str> {
    match (options.version.as_deref(), space.version()) {
        (Some(given), Some(pinned)) if given != pinned => Err(Error::InvalidOption {
            option: "release",
            expected: format!("{pinned}, as in the space `{space}`"),
            got: given.to_string(),
        }),
        (given, pinned) => Ok(given.or(pinned).unwrap_or("1")),
    }
}

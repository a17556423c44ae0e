//! Rows of delimited text, with their places for errors, and under limits.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};

use super::lines::{END_LINE, Lines, RecordBudget, Refused};
use super::meter::Meter;
use crate::error::{Error, Result};
use crate::ontology::{DefectKind, ReadReport};

/// Columns of one file, or keys of one object: the widest file of ESCO and O*NET has 14 columns.
pub(super) const MAX_COLUMNS: usize = 1_000;
/// Rows of one file.
pub(super) const MAX_ROWS: u64 = 10_000_000;
/// Rows between two looks at the monitor.
pub(super) const ROWS_PER_LOOK: u64 = 1_024;

/// How fields are separated and quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Commas; a field may be quoted and then hold anything.
    Comma,
    /// Tabs; a field may be quoted and then hold anything.
    Tab,
    /// Tabs; quotes are characters like others (O*NET).
    TabUnquoted,
}

/// A row and the line on which it starts.
pub(crate) struct Row<'a> {
    fields: &'a StringRecord,
    /// From 1; the header is line 1.
    pub(crate) line: u64,
}

impl<'a> Row<'a> {
    /// A field without white space at its ends; empty when the row is too short.
    pub(crate) fn get(&self, column: usize) -> &'a str {
        self.fields.get(column).unwrap_or_default().trim()
    }

    /// A field of a column that the file may not have.
    pub(crate) fn optional(&self, column: Option<usize>) -> &'a str {
        column.map(|column| self.get(column)).unwrap_or_default()
    }
}

/// Reads a file with a header row by row.
///
/// Blank lines are skipped. Every other row is handed out, and counted as ragged where it has more or fewer fields than the header.
pub(crate) struct Records<'a> {
    path: PathBuf,
    size: Option<u64>,
    reader: csv::Reader<Lines<Box<dyn Read + 'a>>>,
    budget: RecordBudget,
    header: Vec<String>,
    fields: StringRecord,
    rows: u64,
    meter: &'a Meter<'a>,
}

impl<'a> Records<'a> {
    /// Reads the header.
    pub(crate) fn new(
        reader: Box<dyn Read + 'a>,
        path: &Path,
        size: Option<u64>,
        dialect: Dialect,
        meter: &'a Meter<'a>,
    ) -> Result<Self> {
        let mut records = Self::unread(reader, path, size, dialect, meter);
        records.read_header()?;
        Ok(records)
    }

    /// A file whose first line is a record already; the columns have these names in errors.
    #[cfg(feature = "workbench")]
    pub(crate) fn without_header(
        reader: Box<dyn Read + 'a>,
        path: &Path,
        size: Option<u64>,
        (dialect, columns): (Dialect, &[&str]),
        meter: &'a Meter<'a>,
    ) -> Self {
        let header = columns.iter().map(|name| name.to_string()).collect();
        Self { header, ..Self::unread(reader, path, size, dialect, meter) }
    }

    fn unread(
        reader: Box<dyn Read + 'a>,
        path: &Path,
        size: Option<u64>,
        dialect: Dialect,
        meter: &'a Meter<'a>,
    ) -> Self {
        let budget = RecordBudget::new();
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(if dialect == Dialect::Comma { b',' } else { b'\t' })
            .quoting(dialect != Dialect::TabUnquoted)
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_reader(Lines::new(reader, budget.clone()));
        let (path, header, fields) = (path.to_path_buf(), Vec::new(), StringRecord::new());
        Self { path, size, reader, budget, header, fields, rows: 0, meter }
    }

    fn read_header(&mut self) -> Result<()> {
        let Some(line) = self.read()? else {
            return Err(self.error(None, None, "the file is empty; expected a header row".to_string()));
        };
        self.header = self.fields.iter().map(|name| name.trim().to_string()).collect();
        for (at, name) in self.header.iter().enumerate() {
            let earlier = self.header[..at].iter().position(|other| !name.is_empty() && other == name);
            if let Some(earlier) = earlier {
                let problem = format!("columns {} and {} have the same header; rename one", earlier + 1, at + 1);
                return Err(self.error(Some(line), Some(name.clone()), problem));
            }
        }
        Ok(())
    }

    /// The column headers.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The file's name in reports.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The column with this header, in any case, if there is one.
    pub(crate) fn optional(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|header| header.eq_ignore_ascii_case(name))
    }

    /// The column with this header.
    ///
    /// # Errors
    /// [`Error::Input`] with the headers that there are.
    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        self.optional(name).ok_or_else(|| {
            let found = preview(&self.header.join(", "), 300);
            self.error(Some(1), Some(name.to_string()), format!("no such column; the header has: {found}"))
        })
    }

    /// The next row; at the end `None`, with the file noted in the report.
    pub(crate) fn next(&mut self, report: &mut ReadReport) -> Result<Option<Row<'_>>> {
        if self.rows.is_multiple_of(ROWS_PER_LOOK) {
            self.meter.at(self.reader.position().byte(), self.size)?;
        }
        let Some(line) = self.read()? else {
            self.meter.file_done(self.reader.position().byte(), self.size)?;
            report.files.push((self.name(), self.rows));
            return Ok(None);
        };
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(self.error(Some(line), None, format!("the file has more than {MAX_ROWS} rows")));
        }
        if self.fields.len() != self.header.len() {
            let what = format!("{} fields, the header has {}", self.fields.len(), self.header.len());
            report.note(&self.name(), DefectKind::RaggedRow, line, what);
        }
        Ok(Some(Row { fields: &self.fields, line }))
    }

    /// An error in a row.
    pub(crate) fn error_at(&self, line: u64, column: Option<usize>, problem: String) -> Error {
        self.error(Some(line), column.map(|column| self.column_name(column)), problem)
    }

    fn column_name(&self, column: usize) -> String {
        self.header.get(column).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| (column + 1).to_string())
    }

    fn error(&self, row: Option<u64>, column: Option<String>, problem: String) -> Error {
        Error::Input { path: self.path.clone(), row, column, problem }
    }

    /// Reads a record into `fields`; returns the line on which it starts, or `None` at the end of the file.
    fn read(&mut self) -> Result<Option<u64>> {
        let mut record = std::mem::take(&mut self.fields).into_byte_record();
        let Some(line) = self.read_bytes(&mut record)? else { return Ok(None) };
        if record.len() > MAX_COLUMNS {
            let problem = format!("{} columns; at most {MAX_COLUMNS}", record.len());
            return Err(self.error(Some(line), None, problem));
        }
        if let Some(column) = record.iter().position(|field| field.contains(&0)) {
            return Err(self.nul_error(&record, line, column));
        }
        self.fields = StringRecord::from_byte_record(record).map_err(|error| self.encoding_error(line, error))?;
        Ok(Some(line))
    }

    fn read_bytes(&mut self, record: &mut ByteRecord) -> Result<Option<u64>> {
        let before = self.reader.position().line();
        self.budget.renew();
        let more = self.reader.read_byte_record(record).map_err(|error| read_error(&self.path, before, error))?;
        // Every line ends in one `\n`, those inside quotes too: the record starts as many lines back.
        let breaks = record.iter().map(|field| field.iter().filter(|&&byte| byte == b'\n').count() as u64).sum::<u64>();
        let line = self.reader.position().line().saturating_sub(1 + breaks).max(before);
        let at_end_line = record.len() == 1 && record.get(0) == Some(END_LINE.as_bytes());
        if !more || at_end_line && !self.reader.read_byte_record(&mut ByteRecord::new()).unwrap_or(true) {
            return Ok(None);
        }
        Ok(Some(line))
    }

    fn encoding_error(&self, line: u64, error: csv::FromUtf8Error) -> Error {
        let (column, at) = (error.utf8_error().field(), error.utf8_error().valid_up_to());
        let record = error.into_byte_record();
        let utf16 = record.get(0).is_some_and(|field| field.starts_with(b"\xff\xfe") || field.starts_with(b"\xfe\xff"));
        let hint = if utf16 { " (it looks like UTF-16)" } else { "" };
        let problem = format!("not UTF-8 from byte {} of the field on; save the file as UTF-8{hint}", at + 1);
        self.error_at(line, Some(column), problem)
    }

    /// A NUL in the text, or the end line swallowed by an open quote.
    fn nul_error(&mut self, record: &ByteRecord, line: u64, column: usize) -> Error {
        let at_end = column + 1 == record.len() && record.get(column).is_some_and(|field| field.ends_with(b"\0\n"));
        let breaks = record.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64;
        let start = self.reader.position().line().saturating_sub(breaks);
        if at_end && !self.reader.read_byte_record(&mut ByteRecord::new()).unwrap_or(true) {
            let problem = "the quoted field is not closed before the end of the file".to_string();
            return self.error_at(start, Some(column), problem);
        }
        self.error_at(line, Some(column), "the field holds a NUL character; is the file text, in UTF-8?".to_string())
    }
}

fn read_error(path: &Path, line: u64, error: csv::Error) -> Error {
    let described = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => source_error(path, line, error),
        _ => Error::Input { path: path.to_path_buf(), row: Some(line), column: None, problem: described },
    }
}

/// A failure of reading: of the operating system, or of what was read (a limit, a damaged archive).
pub(super) fn source_error(path: &Path, line: u64, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::io("read", path)(error);
    }
    let refused = error.get_ref().is_some_and(|inner| inner.is::<Refused>());
    let problem = if refused { error.to_string() } else { format!("cannot be read from here on: {error}") };
    Error::Input { path: path.to_path_buf(), row: Some(line), column: None, problem }
}

/// The start of a text.
fn preview(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

//! Lists with one entry a line: a label, or a JSON object (`json.rs`).

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ontology::source::lines::{END_LINE, Lines, RecordBudget};
use crate::ontology::source::meter::Meter;
use crate::ontology::source::records::{MAX_ROWS, ROWS_PER_LOOK, source_error};
use crate::ontology::{Concept, ReadReport, ReleaseBuilder, SpaceName};

/// Reads a text line by line, with the number of each line, without the blank ones.
pub(super) struct TextLines<'a> {
    path: PathBuf,
    size: Option<u64>,
    reader: BufReader<Lines<Box<dyn Read + 'a>>>,
    budget: RecordBudget,
    line: Vec<u8>,
    number: u64,
    rows: u64,
    position: u64,
    meter: &'a Meter<'a>,
}

impl<'a> TextLines<'a> {
    pub(super) fn new(reader: Box<dyn Read + 'a>, path: &Path, size: Option<u64>, meter: &'a Meter<'a>) -> Self {
        let budget = RecordBudget::new();
        let reader = BufReader::with_capacity(1 << 16, Lines::new(reader, budget.clone()));
        let (path, line) = (path.to_path_buf(), Vec::new());
        Self { path, size, reader, budget, line, number: 0, rows: 0, position: 0, meter }
    }

    /// The file's name in reports.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The next line that is not blank, stripped, with its number; at the end `None`, with the file noted in the report.
    pub(super) fn next(&mut self, report: &mut ReadReport) -> Result<Option<(u64, &str)>> {
        loop {
            if self.number.is_multiple_of(ROWS_PER_LOOK) {
                self.meter.at(self.position, self.size)?;
            }
            if !self.read_line()? {
                self.meter.file_done(self.position, self.size)?;
                report.files.push((self.name(), self.rows));
                return Ok(None);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(self.error(None, format!("the file has more than {MAX_ROWS} rows")));
        }
        let text = std::str::from_utf8(&self.line).map_err(|error| {
            self.error(
                None,
                format!("not UTF-8 from byte {} of the line on; save the file as UTF-8", error.valid_up_to() + 1),
            )
        })?;
        if text.contains('\0') {
            return Err(self.error(None, "the line holds a NUL character; is the file text, in UTF-8?".to_string()));
        }
        Ok(Some((self.number, text.trim())))
    }

    /// Reads a line; `false` at the end.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        self.budget.renew();
        let n = self
            .reader
            .read_until(b'\n', &mut self.line)
            .map_err(|error| source_error(&self.path, self.number + 1, error))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        self.number += 1;
        self.position += n as u64;
        let at_end = n == 0 || self.line == END_LINE.as_bytes() && self.reader.fill_buf().is_ok_and(<[u8]>::is_empty);
        Ok(!at_end)
    }

    /// An error in the current line.
    pub(super) fn error(&self, column: Option<&str>, problem: String) -> Error {
        let (path, column) = (self.path.clone(), column.map(str::to_string));
        Error::Input { path, row: Some(self.number), column, problem }
    }
}

/// Reads a list with one label a line.
pub(super) fn read(mut lines: TextLines, space: &SpaceName, builder: &mut ReleaseBuilder) -> Result<()> {
    let file = lines.name();
    while let Some((number, label)) = lines.next(builder.report())? {
        builder.add(Concept::new(label, space.kind().clone(), label), &file, number);
    }
    Ok(())
}

//! The texts to rank for: from the arguments, or line by line from a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use workindex::SpaceName;

use crate::console::Console;
use crate::failure::{Failure, Outcome};
use crate::interrupt;

/// Queries ranked together, at most: enough for all cores.
pub const PART: usize = 256;

/// Hits held at a time, so that a file of any length takes little memory, full rankings of large spaces included.
const HITS: usize = 1 << 17;

/// How many queries to rank together when each has so many hits.
pub fn part_of(hits: usize) -> usize {
    (HITS / hits.max(1)).clamp(1, PART)
}

/// No text is longer than this; such a line is no text but another kind of file.
const MAX_LINE: u64 = 1 << 20;

/// Reads the name of a space.
pub fn space_name(text: &str) -> Result<SpaceName, String> {
    text.parse().map_err(|error: workindex::Error| error.to_string())
}

/// A text and where it is from.
pub struct Query {
    pub text: String,
    pub place: String,
}

/// Queries, part by part.
pub enum Queries {
    Given(Vec<String>),
    Lines(Lines),
}

impl Queries {
    /// The texts if there is no file, else its lines.
    pub fn new(texts: &[String], file: Option<&Path>) -> Outcome<Self> {
        Ok(match file {
            None => Queries::Given(texts.to_vec()),
            Some(path) => Queries::Lines(Lines::open(path)?),
        })
    }

    /// Whether they come from a file.
    pub fn are_many(&self) -> bool {
        matches!(self, Queries::Lines(_))
    }

    /// The next ones, at least one and at most `size`; none at the end.
    pub fn next_part(&mut self, size: usize, console: &Console) -> Outcome<Option<Vec<Query>>> {
        let part = match self {
            Queries::Given(texts) => {
                let number = texts.len().min(size);
                let given = texts.drain(..number);
                given.map(|text| Query { text, place: "the text".to_string() }).collect()
            }
            Queries::Lines(lines) => lines.next_part(size, console)?,
        };
        Ok(if part.is_empty() { None } else { Some(part) })
    }
}

/// The lines of a file that is not yet read.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Outcome<Self> {
        if path == Path::new("-") {
            let reader = Box::new(BufReader::new(io::stdin()));
            return Ok(Self { name: "standard input".to_string(), reader, number: 0 });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::plain(format!("cannot open {name}: {error}")))?;
        Ok(Self { name, reader: Box::new(BufReader::new(file)), number: 0 })
    }

    fn next_part(&mut self, size: usize, console: &Console) -> Outcome<Vec<Query>> {
        let mut part = Vec::new();
        while part.len() < size {
            let Some(text) = self.next_line()? else { break };
            let place = format!("{}, line {}", self.name, self.number);
            if text.is_empty() {
                console.note(format_args!("note: {place} skipped: it is empty"));
            } else {
                part.push(Query { text, place });
            }
        }
        Ok(part)
    }

    /// The next line, stripped, without a byte order mark; none at the end.
    fn next_line(&mut self) -> Outcome<Option<String>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE);
        let read = interrupt::while_waiting(|| limited.read_until(b'\n', &mut line));
        self.number += 1;
        let place = format!("{}, line {}", self.name, self.number);
        match read {
            Err(error) => return Err(Failure::plain(format!("cannot read {place}: {error}"))),
            Ok(0) => return Ok(None),
            Ok(n) if n as u64 == MAX_LINE && line.last() != Some(&b'\n') => {
                return Err(Failure::new(format!("{place}: longer than a megabyte"), "give one text a line"));
            }
            Ok(_) => {}
        }
        let text = String::from_utf8(line).map_err(|_| {
            Failure::new(format!("{place}: not UTF-8"), "convert the file, as in `iconv -f latin1 -t utf-8`")
        })?;
        let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { &text };
        Ok(Some(text.trim().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use workindex::CancelToken;

    fn lines(bytes: &'static [u8]) -> Lines {
        Lines { name: "f".to_string(), reader: Box::new(bytes), number: 0 }
    }

    fn all(mut lines: Lines) -> Outcome<Vec<Vec<String>>> {
        let console = Console::new(true, CancelToken::new());
        let mut parts = Vec::new();
        loop {
            let part = lines.next_part(PART, &console)?;
            if part.is_empty() {
                return Ok(parts);
            }
            parts.push(part.into_iter().map(|query| query.text).collect());
        }
    }

    #[test]
    fn full_rankings_of_large_spaces_are_made_few_at_a_time() {
        assert_eq!((part_of(10), part_of(14_000), part_of(1 << 20), part_of(0)), (PART, 9, 1, PART));
    }

    #[test]
    fn a_mark_line_ends_and_empty_lines_do_not_matter() {
        assert_eq!(all(lines(b"\xef\xbb\xbfwelder\r\n\n  nurse \n\t\ncook")).unwrap(), [["welder", "nurse", "cook"]]);
        assert!(all(lines(b"")).unwrap().is_empty());
        assert!(all(lines(b"\n\n")).unwrap().is_empty());
    }

    #[test]
    fn long_input_comes_in_parts() {
        let text = "x\n".repeat(2 * PART + 1);
        let parts = all(lines(text.leak().as_bytes())).unwrap();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [PART, PART, 1]);
    }

    #[test]
    fn other_files_are_refused_by_line() {
        let problem = |bytes| match all(lines(bytes)) {
            Err(Failure::Other { problem, hint }) => (problem, hint.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(problem(b"caf\xe9"), ("f, line 1: not UTF-8".to_string(), true));
        let long = vec![b'x'; MAX_LINE as usize + 1].leak();
        assert_eq!(problem(long), ("f, line 1: longer than a megabyte".to_string(), true));
    }
}

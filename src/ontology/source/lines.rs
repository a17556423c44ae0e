//! The lines under a source file: one kind of line end, no byte order mark, a known end, and records of bounded size.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes of one record: the longest of ESCO and O*NET takes 5 kB, the longest of a file that is not used 630 kB.
pub(super) const MAX_RECORD_BYTES: u64 = 8 << 20;

/// The line that [`Lines`] adds at the end of the input. Sources hold no NUL, so it is not taken for a record of theirs.
pub(super) const END_LINE: &str = "\0";

/// An input that is refused, on its way through [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, refused)
    }
}

/// How many bytes the current record may still take; shared with whoever knows where records end.
#[derive(Clone)]
pub(super) struct RecordBudget(Rc<Cell<u64>>);

impl RecordBudget {
    pub(super) fn new() -> Self {
        Self(Rc::new(Cell::new(MAX_RECORD_BYTES)))
    }

    /// A new record begins.
    pub(super) fn renew(&self) {
        self.0.set(MAX_RECORD_BYTES);
    }

    /// How much of `wanted` may be read.
    fn grant(&self, wanted: usize) -> io::Result<usize> {
        match usize::try_from(self.0.get()).unwrap_or(usize::MAX).min(wanted) {
            0 if wanted > 0 => {
                let problem = format!(
                    "the record is longer than {MAX_RECORD_BYTES} bytes; is a quote not closed, or is it the wrong file?"
                );
                Err(Refused(problem).into())
            }
            granted => Ok(granted),
        }
    }

    fn spend(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes as u64));
    }
}

/// Passes text on with every line end (`\r\n`, `\r`, `\n`) as `\n`, without a UTF-8 byte order mark, and with a last
/// line of [`END_LINE`]: a parser that does not see that line as a record of its own stands inside an open quote.
pub(super) struct Lines<R> {
    inner: R,
    budget: RecordBudget,
    /// Bytes taken from the start while looking for the mark; passed on first.
    start: Option<io::Cursor<Vec<u8>>>,
    after_return: bool,
    in_line: bool,
    /// What is still to be added at the end, once it is reached.
    end: Option<&'static [u8]>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(inner: R, budget: RecordBudget) -> Self {
        Self { inner, budget, start: None, after_return: false, in_line: false, end: None }
    }

    fn read_raw(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let start = match &mut self.start {
            Some(start) => start,
            None => {
                let mut bytes = Vec::new();
                self.inner.by_ref().take(3).read_to_end(&mut bytes)?;
                if bytes == b"\xef\xbb\xbf" {
                    bytes.clear();
                }
                self.start.insert(io::Cursor::new(bytes))
            }
        };
        match start.read(buf)? {
            0 => self.inner.read(buf),
            n => Ok(n),
        }
    }

    /// Makes one kind of line end, in place; returns the new length.
    fn normalise(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            let second_half = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            if !second_half {
                bytes[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
        }
        if let Some(last) = bytes[..kept].last() {
            self.in_line = *last != b'\n';
        }
        kept
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.end.is_none() {
            let granted = self.budget.grant(buf.len())?;
            let n = self.read_raw(&mut buf[..granted])?;
            if n == 0 {
                self.end = Some(if self.in_line { b"\n\0\n" } else { b"\0\n" });
                break;
            }
            let kept = self.normalise(&mut buf[..n]);
            if kept > 0 {
                self.budget.spend(kept);
                return Ok(kept);
            }
        }
        let mut rest = self.end.unwrap_or_default();
        let n = rest.read(buf)?;
        self.end = Some(rest);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = buf.len().min(1);
            self.0.read(&mut buf[..n])
        }
    }

    fn lines(bytes: &[u8]) -> String {
        let mut whole = String::new();
        Lines::new(bytes, RecordBudget::new()).read_to_string(&mut whole).unwrap();
        let mut trickled = String::new();
        Lines::new(Trickle(bytes), RecordBudget::new()).read_to_string(&mut trickled).unwrap();
        assert_eq!(whole, trickled);
        whole
    }

    #[test]
    fn every_line_end_becomes_one_and_the_end_is_marked() {
        assert_eq!(lines(b"a\r\nb\rc\nd"), "a\nb\nc\nd\n\0\n");
        assert_eq!(lines(b"a\r\n\r\nb\r\r\n"), "a\n\nb\n\n\0\n");
        assert_eq!(lines(b""), "\0\n");
        assert_eq!(lines(b"\r\n"), "\n\0\n");
    }

    #[test]
    fn the_byte_order_mark_is_dropped_at_the_start_only() {
        assert_eq!(lines("\u{feff}a\u{feff}".as_bytes()), "a\u{feff}\n\0\n");
        assert_eq!(lines("\u{feff}".as_bytes()), "\0\n");
        assert_eq!(lines(b"ab"), "ab\n\0\n");
    }

    #[test]
    fn a_record_without_end_is_cut_off() {
        let mut reader = Lines::new(io::repeat(b'x'), RecordBudget::new());
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
        assert_eq!(read.len() as u64, MAX_RECORD_BYTES);
    }
}

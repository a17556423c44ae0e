//! The one error type of the crate: every variant says where (path, row, column, tensor), what was expected, what was
//! found and, where it is not obvious, what to do about it.

use std::path::{Path, PathBuf};

/// What every fallible operation of the crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, typed so that an application can act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb phrase ("read", "create the folder").
        action: &'static str,
        /// The file or folder it was attempted on.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// A source file (ESCO, O*NET, a table) cannot be read as what it should be.
    #[error("{}{}: {problem}", path.display(), Place { row: *row, column: column.as_deref() })]
    Input {
        /// The file, or `archive.zip/entry.csv` for an entry of an archive.
        path: PathBuf,
        /// The line on which the record starts, from 1; the header is line 1.
        row: Option<u64>,
        /// The column's header, or its number from 1 where there is no header.
        column: Option<String>,
        /// What was expected and what was found.
        problem: String,
    },

    /// A model directory cannot be used as an encoder.
    #[error("encoder {}: {problem}", path.display())]
    Encoder {
        /// The file or folder at fault.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },

    /// A tensor of a checkpoint or of a token-matrix file is missing or has another shape or type than expected.
    #[error("{}: tensor `{tensor}`: expected {expected}, found {got}", path.display())]
    Tensor {
        /// The safetensors file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The shape and type that were expected.
        expected: String,
        /// What the file holds instead.
        got: String,
    },

    /// A file of the index is damaged.
    #[error("{} is damaged: expected {expected}, found {got}; run `workindex verify` for a full list", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What an intact file holds there.
        expected: String,
        /// What this one holds.
        got: String,
    },

    /// A file of the index was written by a version of the format that this build cannot read.
    #[error(
        "{} has format version {found}; this build reads {}; make a new index (`workindex init`) and ingest again, or use the \
         version of workindex that wrote it",
        path.display(),
        versions(*oldest, *newest)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found in it.
        found: u32,
        /// The oldest version that can be read.
        oldest: u32,
        /// The newest version that can be read.
        newest: u32,
    },

    /// The path holds no index.
    #[error("{} is not a workindex database: {problem}; create one with `workindex init`", path.display())]
    NotAnIndex {
        /// The path that was given.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },

    /// An index cannot be created where something already is.
    #[error("{} already exists and is not empty", path.display())]
    AlreadyExists {
        /// The path that was given.
        path: PathBuf,
    },

    /// The encoder of a space that was opened before has been replaced, and its model files were removed since.
    #[error(
        "the encoder `{name}` of this space is not in the index any more ({}): the index has been re-indexed; refresh it and \
         open the space again (if that does not help, `workindex verify` tells what is missing)",
        path.display()
    )]
    EncoderRemoved {
        /// Where its model files were.
        path: PathBuf,
        /// What people call it.
        name: String,
    },

    /// Another writer has the index open.
    #[error("{} is open for writing elsewhere: one writer at a time; readers are not affected", path.display())]
    Locked {
        /// The index.
        path: PathBuf,
    },

    /// The last writer was killed, and this process may not write, which bringing the index to its last commit needs.
    #[error(
        "the last writer of {} was interrupted, and reading it again needs write permission once ({source}); \
         open it with write permission, or copy it to where you have it: the last commit is intact",
        path.display()
    )]
    Interrupted {
        /// The index.
        path: PathBuf,
        /// Why this process could not write.
        source: std::io::Error,
    },

    /// The catalog (redb) failed.
    #[error("catalog {}: {source}", path.display())]
    Catalog {
        /// The catalog file.
        path: PathBuf,
        /// redb's reason.
        source: Box<redb::Error>,
    },

    /// An earlier write failed, so this writer refuses to go on.
    #[error("this writer of {} failed earlier ({reason}); drop it and open a new one: the last commit is intact", path.display())]
    Poisoned {
        /// The index.
        path: PathBuf,
        /// The first failure.
        reason: String,
    },

    /// No such target space or release in the index.
    #[error("no space `{name}`; the index has: {available}")]
    UnknownSpace {
        /// The name that was asked for.
        name: String,
        /// The names that exist, separated by commas.
        available: String,
    },

    /// No such concept in a target space.
    #[error("no concept with the id `{id}` in {space}; the ids are those of a ranking's hits")]
    UnknownConcept {
        /// The id that was asked for.
        id: String,
        /// The space, with its release.
        space: String,
    },

    /// A name (of a space, a kind, an encoder) is not well-formed.
    #[error("`{name}` is not a valid {what}: {problem}")]
    InvalidName {
        /// What the name should name.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The rule it breaks, with an example.
        problem: String,
    },

    /// An option or argument is out of its range.
    #[error("{option}: expected {expected}, found {got}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// The accepted range.
        expected: String,
        /// The value that was given.
        got: String,
    },

    /// A text has nothing that can be embedded.
    #[error("nothing to embed in {}{text:?}: {problem}", Number(*position))]
    EmptyText {
        /// The start of the text.
        text: String,
        /// Where several texts were given: which of them, from 0.
        position: Option<usize>,
        /// Why nothing is left.
        problem: &'static str,
    },

    /// A token matrix is malformed, or does not fit the space it is ranked against.
    #[error("token matrix: expected {expected}, found {got}")]
    Matrix {
        /// What was expected.
        expected: String,
        /// What was given.
        got: String,
    },

    /// The operation was cancelled through its [`CancelToken`](crate::CancelToken).
    #[error("cancelled")]
    Cancelled,
}

/// A range of versions in words.
fn versions(oldest: u32, newest: u32) -> String {
    if oldest == newest { format!("version {newest}") } else { format!("versions {oldest} to {newest}") }
}

impl Error {
    /// Wraps an [`std::io::Error`] with what was attempted and where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// An error about one text, which is the one at `place` among several.
    pub(crate) fn in_batch(mut self, place: usize) -> Error {
        if let Error::EmptyText { position, .. } = &mut self {
            *position = Some(place);
        }
        self
    }

    /// An error about a text whose place among others means nothing.
    pub(crate) fn out_of_batch(mut self) -> Error {
        if let Error::EmptyText { position, .. } = &mut self {
            *position = None;
        }
        self
    }

    /// An error about one of several texts, which have `before` others before them.
    pub(crate) fn in_part(mut self, before: usize) -> Error {
        if let Error::EmptyText { position: Some(position), .. } = &mut self {
            *position = position.saturating_add(before);
        }
        self
    }

    /// A file of the index that does not hold what it should.
    pub(crate) fn corrupt(path: &Path, expected: impl Into<String>, got: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_path_buf(), expected: expected.into(), got: got.into() }
    }
}

/// Renders "text 3, " for the position 2.
struct Number(Option<usize>);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |position| write!(f, "text {}, ", position.saturating_add(1)))
    }
}

/// Renders ", row 12, column `label`" behind a path.
struct Place<'a> {
    row: Option<u64>,
    column: Option<&'a str>,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}

//! An operation on files, and what a gate may say to it.

use std::io;
use std::path::PathBuf;

/// What storage is about to ask of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Looks at names, kinds or sizes.
    Look(PathBuf),
    /// Opens for reading, or maps; or opens a catalog that exists.
    Open(PathBuf),
    /// Reads from a catalog or a file.
    Read(PathBuf),
    /// Creates a file.
    Create(PathBuf),
    /// Writes into a file.
    Write { path: PathBuf, offset: u64, data: Vec<u8> },
    /// Cuts or lengthens a file.
    SetLen { path: PathBuf, len: u64 },
    /// Makes a file's content durable.
    Sync(PathBuf),
    /// Creates a folder.
    CreateDir(PathBuf),
    /// Makes a folder's entries durable.
    SyncDir(PathBuf),
    /// Renames a file or folder.
    Rename { from: PathBuf, to: PathBuf },
    /// Removes a file.
    RemoveFile(PathBuf),
    /// Removes an empty folder.
    RemoveDir(PathBuf),
}

impl Operation {
    /// Whether it changes what is on the medium, or makes it durable.
    pub(crate) fn writes(&self) -> bool {
        !matches!(self, Self::Look(_) | Self::Open(_) | Self::Read(_))
    }
}

/// A refused operation.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What the operating system says.
    pub(crate) error: io::Error,
    /// How many bytes of a write are done nevertheless.
    pub(crate) written: usize,
}

/// Who is asked before each operation.
pub(crate) trait Gate: std::fmt::Debug + Send + Sync {
    /// Lets an operation through, or not.
    fn pass(&self, operation: Operation) -> Result<(), Refusal>;
}

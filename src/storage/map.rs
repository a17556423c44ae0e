//! Read-only memory maps of immutable files. The only unsafe code of the storage rooms.

use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::fs;
use crate::error::{Error, Result};

/// A file of the index, mapped for reading.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    /// Maps the whole of a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // Before it is opened, because opening a pipe would wait for whoever writes into it.
        if !fs::is_regular(path)? {
            return Err(Error::corrupt(path, "a regular file", "something else"));
        }
        let file = fs::open(path)?;
        // SAFETY: the map is only read, and segment files are immutable by the format: they are created under a name
        // that nothing else uses, published by a rename once complete, never written again, and removed only by
        // unlinking, which leaves existing maps intact (index-format.md, "Assumptions"). A process outside workindex
        // that truncates or rewrites a published segment breaks that promise; no reader of mapped files can defend
        // itself against it.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Self { path: path.to_path_buf(), map })
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}

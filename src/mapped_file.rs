//! Read-only memory maps of files that nobody writes in place. The only unsafe code beside the kernels.

#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, Result};

/// A regular file, mapped whole for reading.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        // Looked at before it is opened, because opening a pipe would wait for whoever writes into it.
        if !std::fs::metadata(path).map_err(Error::io("open", path))?.is_file() {
            let other = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(Error::io("map", path)(other));
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the map is only read, and nothing writes the mapped files in place. Segments are immutable by the format:
        // created under a name that nothing else uses, published by a rename once complete, never written again, and
        // removed only by unlinking, which leaves existing maps intact (index-format.md, "Assumptions"). Model files inside
        // an index are likewise written once; those outside are replaced by their publishers' tools (written beside and
        // renamed), not rewritten, while an encoder is loaded or lives. A process that truncates a mapped file breaks that
        // promise and can end this one with a bus error; no reader of mapped files can defend itself against it.
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

    /// Takes the pages of a range out of the process's resident memory; whoever reads them next gets them from the system's
    /// page cache, or from the file. A hint: nothing happens where the system has no such thing.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if range.start < range.end && range.end <= self.map.len() {
            // SAFETY: dropping pages loses what was written to them and not to the file. The map is read-only and of a file
            // that nobody writes, so a page that is read again has the bytes that it had, also for references that exist.
            let advised = unsafe {
                self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
            if let Err(error) = advised {
                tracing::debug!(%error, "pages of {} stay resident", self.path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_mapped_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("file"), folder.path().join("other"));
        for content in [&b""[..], b"x"] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(MappedFile::open(&file).unwrap().bytes(), content);
        }
        let refused =
            |path: &Path| assert!(matches!(MappedFile::open(path), Err(Error::Io { path: at, .. }) if at == path));
        refused(&other);
        refused(folder.path());
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&file, &link).unwrap();
            assert_eq!(MappedFile::open(&link).unwrap().bytes(), b"x");
            std::fs::remove_file(&file).unwrap();
            refused(&link);
            std::os::unix::fs::symlink(&other, &other).unwrap();
            refused(&other);
            let pipe = folder.path().join("pipe");
            if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
                refused(&pipe);
            }
        }
    }
}

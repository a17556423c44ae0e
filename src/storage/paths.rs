//! Where the files of an index are. Relative names only, so that the folder can be moved and copied.

use std::path::{Path, PathBuf};

use super::files::Files;
use crate::error::{Error, Result};

/// Files and folders whose names begin like this are being written, and belong to no commit.
pub(crate) const STAGED: &str = ".staged-";

/// The places in an index folder, and how files there are reached.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    root: PathBuf,
    files: Files,
}

impl Paths {
    /// The places in the index at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), files: Files::default() }
    }

    /// The same, reached through another file system.
    #[cfg(test)]
    pub(crate) fn through(root: &Path, files: Files) -> Self {
        Self { root: root.to_path_buf(), files }
    }

    /// The places in the index at another root, reached in the same way.
    pub(crate) fn at(&self, root: &Path) -> Self {
        Self { root: root.to_path_buf(), files: self.files.clone() }
    }

    /// How files are reached.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// The index folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The catalog.
    pub(crate) fn catalog(&self) -> PathBuf {
        self.root.join("catalog.redb")
    }

    /// The catalog, if one is there.
    pub(crate) fn existing_catalog(&self) -> Result<PathBuf> {
        let path = self.catalog();
        match self.files.exists(&path)? {
            true => Ok(path),
            false => Err(Error::NotAnIndex { path: self.root.clone(), problem: "it has no catalog.redb".to_string() }),
        }
    }

    /// The folder of segments.
    pub(crate) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The segment with a content hash.
    pub(crate) fn segment(&self, hash: &[u8; 32]) -> PathBuf {
        self.segments().join(format!("{}.seg", hex(hash)))
    }

    /// The folder of encoders.
    pub(crate) fn encoders(&self) -> PathBuf {
        self.root.join("encoders")
    }

    /// The model directory of the encoder with a fingerprint.
    pub(crate) fn encoder(&self, fingerprint: &[u8; 32]) -> PathBuf {
        self.encoders().join(hex(fingerprint))
    }
}

/// A hash as 64 lower-case hexadecimal digits.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

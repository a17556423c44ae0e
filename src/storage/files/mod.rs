//! The one place that makes, reads, moves and removes files of an index, but for reading model files, which is the encoder's
//! business: every error names its path and what was attempted.

mod file_system;
mod making;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase};

use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;

pub(crate) use file_system::{Disk, FileSystem, NewFile, ReadAt};
#[cfg(test)]
pub(crate) use file_system::{open_catalog, open_catalog_read_only};

/// Files reached through a file system: that of the operating system, but for tests.
#[derive(Debug, Clone)]
pub(crate) struct Files(Arc<dyn FileSystem>);

impl Default for Files {
    fn default() -> Self {
        Self(Arc::new(Disk))
    }
}

impl Files {
    /// Files reached through another file system than the operating system's.
    #[cfg(test)]
    pub(crate) fn through(file_system: Arc<dyn FileSystem>) -> Self {
        Self(file_system)
    }

    /// Opens a file for reading at any place.
    pub(crate) fn open_at(&self, path: &Path) -> Result<Box<dyn ReadAt>> {
        self.0.open_at(path).map_err(Error::io("open", path))
    }

    /// Maps a file that nobody writes in place.
    pub(crate) fn map(&self, path: &Path) -> Result<MappedFile> {
        self.0.map(path)
    }

    /// Creates a file that must not exist yet.
    pub(crate) fn create(&self, path: &Path) -> Result<Box<dyn NewFile>> {
        self.0.create(path).map_err(Error::io("create", path))
    }

    /// Opens the catalog for writing, or makes a new one.
    pub(crate) fn catalog(&self, path: &Path, new: bool, builder: &Builder) -> Result<Database, DatabaseError> {
        self.0.catalog(path, new, builder)
    }

    /// Opens the catalog for reading.
    pub(crate) fn catalog_read_only(&self, path: &Path, builder: &Builder) -> Result<ReadOnlyDatabase, DatabaseError> {
        self.0.catalog_read_only(path, builder)
    }

    /// Makes the entries of a folder durable: creations, renames and removals in it.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.sync_dir(path).map_err(Error::io("synchronise", path))
    }

    /// Renames a file or folder within one file system; atomic.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.rename(from, to).map_err(Error::io("rename", from))
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, path: &Path) -> Result<()> {
        self.0.remove_file(path).map_err(Error::io("remove", path))
    }

    /// Whether the path is a folder, or a link to one, with nothing in it.
    pub(crate) fn is_empty_dir(&self, path: &Path) -> bool {
        self.0.names(path).is_ok_and(|names| names.is_empty())
    }

    /// The absolute path without links of something that exists.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf> {
        self.0.resolve(path).map_err(Error::io("resolve", path))
    }

    /// Removes a folder with nothing in it.
    pub(crate) fn remove_empty_dir(&self, path: &Path) -> Result<()> {
        self.0.remove_dir(path).map_err(Error::io("remove", path))
    }

    /// Removes a folder and all that is in it. Links, the path itself too, are removed and not followed.
    pub(crate) fn remove_dir(&self, path: &Path) -> Result<()> {
        if !self.is_dir(path)? {
            return self.remove_file(path);
        }
        let mut folders = vec![path.to_path_buf()];
        let mut at = 0;
        while let Some(folder) = folders.get(at).cloned() {
            for name in self.0.names(&folder).map_err(Error::io("list", &folder))? {
                let inside = folder.join(name);
                match self.0.kind(&inside).map_err(Error::io("look at", &inside))?.is_dir() {
                    true => folders.push(inside),
                    false => self.remove_file(&inside)?,
                }
            }
            at += 1;
        }
        // Those found last are the innermost.
        folders.iter().rev().try_for_each(|folder| self.remove_empty_dir(folder))
    }

    /// Creates a folder and its parents, unless they exist, and makes the names of the new ones durable.
    pub(crate) fn create_dir(&self, path: &Path) -> Result<()> {
        let mut missing = Vec::new();
        for folder in path.ancestors().take_while(|folder| !is_here(folder)) {
            if self.exists(folder)? {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            match self.0.create_dir(folder) {
                // Someone else was faster.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(Error::io("create the folder", folder))?,
            }
            let parent = folder.parent().filter(|parent| !is_here(parent)).unwrap_or(Path::new("."));
            self.sync_dir(parent)?;
        }
        Ok(())
    }

    /// Whether something is at the path. What cannot be looked at is an error, and not nothing.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        match self.0.kind(path) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(false),
            Err(error) => Err(Error::io("look at", path)(error)),
        }
    }

    /// Whether a folder, and no link to one, is at the path.
    pub(crate) fn is_dir(&self, path: &Path) -> Result<bool> {
        Ok(self.0.kind(path).map_err(Error::io("look at", path))?.is_dir())
    }

    /// The size of a file in bytes.
    pub(crate) fn size(&self, path: &Path) -> Result<u64> {
        self.0.size(path).map_err(Error::io("read the size of", path))
    }

    /// The names in a folder, sorted; names that are not UTF-8 are none of ours and left out.
    pub(crate) fn names(&self, path: &Path) -> Result<Vec<String>> {
        let names = self.0.names(path).map_err(Error::io("list", path))?;
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// All files below a folder, as sorted paths relative to it; links are not followed.
    pub(crate) fn files_below(&self, root: &Path) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for name in self.names(&root.join(&folder))? {
                let relative = folder.join(name);
                let path = root.join(&relative);
                match self.0.kind(&path).map_err(Error::io("look at", &path))? {
                    kind if kind.is_dir() => folders.push(relative),
                    kind if kind.is_file() => files.push(relative),
                    _ => {}
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The size of a folder's files together.
    pub(crate) fn total_bytes(&self, folder: &Path) -> Result<u64> {
        self.files_below(folder)?.iter().map(|file| self.size(&folder.join(file))).sum()
    }

    /// Copies a file to a path where nothing is yet, durably.
    pub(crate) fn copy_durably(&self, from: &Path, to: &Path) -> Result<()> {
        let mut source = self.0.open(from).map_err(Error::io("open", from))?;
        let mut target = self.create(to)?;
        let mut buffer = vec![0u8; 1 << 20];
        loop {
            match read_some(&mut source, &mut buffer).map_err(Error::io("read", from))? {
                0 => break,
                n => target.write_all(&buffer[..n]).map_err(Error::io("copy to", to))?,
            }
        }
        target.sync().map_err(Error::io("synchronise", to))
    }

    /// The blake3 hash of the first `length` bytes of a file, read in pieces; `progress` is told the size of each piece.
    pub(crate) fn hash_prefix(
        &self,
        path: &Path,
        length: u64,
        mut progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<blake3::Hash> {
        let mut file = self.0.open(path).map_err(Error::io("open", path))?.take(length);
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0u8; 1 << 20];
        loop {
            let n = read_some(&mut file, &mut buffer).map_err(Error::io("read", path))?;
            if n == 0 {
                return Ok(hasher.finalize());
            }
            hasher.update(&buffer[..n]);
            progress(n as u64)?;
        }
    }
}

/// Reads what there is, trying again when a signal came between.
fn read_some(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Whether a path is the empty one, which stands for the working folder.
fn is_here(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

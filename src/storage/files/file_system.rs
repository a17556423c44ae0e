//! What storage asks of an operating system.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase};

use crate::error::Result;
use crate::mapped_file::MappedFile;

/// The operations on files that storage is made of. [`Disk`] does them; tests put implementations before it that record
/// them, refuse them or kill the process at one of them.
pub(crate) trait FileSystem: Debug + Send + Sync {
    /// Opens a file for reading from its start.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Opens a file for reading at any place.
    fn open_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>>;

    /// Maps a file for reading.
    fn map(&self, path: &Path) -> Result<MappedFile>;

    /// Creates a file that must not exist yet (`O_EXCL`).
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;

    /// Opens a catalog for writing, or makes it where nothing is yet (`O_EXCL`).
    fn catalog(&self, path: &Path, new: bool, builder: &Builder) -> Result<Database, DatabaseError>;

    /// Opens a catalog for reading.
    fn catalog_read_only(&self, path: &Path, builder: &Builder) -> Result<ReadOnlyDatabase, DatabaseError>;

    /// Creates a folder in one that exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Creates a file of a name that begins and ends as given and that nobody can foretell.
    fn create_unforeseen(&self, parent: &Path, prefix: &str, suffix: &str) -> io::Result<(File, PathBuf)>;

    /// Opens a file that exists, to lock it.
    fn open_lock(&self, path: &Path) -> io::Result<File>;

    /// Makes the entries of a folder durable: creations, renames and removals in it.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames a file or folder within one file system, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder.
    fn names(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// What is at the path itself, a link not followed.
    fn kind(&self, path: &Path) -> io::Result<FileType>;

    /// The size of a file in bytes.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// The absolute path without links of something that exists.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
}

/// A file that can be read at any place.
pub(crate) trait ReadAt: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadAt for T {}

/// A file being written for the first time.
pub(crate) trait NewFile: Write + Send {
    /// Makes the content and size durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The operating system.
#[derive(Debug)]
pub(crate) struct Disk;

impl FileSystem for Disk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(File::open(path)?))
    }

    fn map(&self, path: &Path) -> Result<MappedFile> {
        MappedFile::open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn catalog(&self, path: &Path, new: bool, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(FileBackend::new(open_catalog(path, new)?)?)
    }

    fn catalog_read_only(&self, path: &Path, builder: &Builder) -> Result<ReadOnlyDatabase, DatabaseError> {
        builder.open_read_only_with_backend(FileBackend::new(open_catalog_read_only(path)?)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_unforeseen(&self, parent: &Path, prefix: &str, suffix: &str) -> io::Result<(File, PathBuf)> {
        Ok(tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(parent)?.keep()?)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        check_is_file(path)?;
        OpenOptions::new().write(true).open(path)
    }

    /// Windows has no such operation on folders; NTFS journals its entries.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if cfg!(windows) {
            return Ok(());
        }
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn kind(&self, path: &Path) -> io::Result<FileType> {
        Ok(fs::symlink_metadata(path)?.file_type())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}

/// A catalog's file, for reading and writing. An existing one must not be empty: redb would make a new catalog of it.
pub(crate) fn open_catalog(path: &Path, new: bool) -> io::Result<File> {
    if !new {
        check_is_file(path)?;
    }
    let file = OpenOptions::new().read(true).write(true).create_new(new).open(path)?;
    if !new && file.metadata()?.len() == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
    }
    Ok(file)
}

/// A catalog's file, for reading.
pub(crate) fn open_catalog_read_only(path: &Path) -> io::Result<File> {
    check_is_file(path)?;
    File::open(path)
}

/// Looked at before it is opened, because opening a pipe would wait for whoever writes into it.
fn check_is_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

impl NewFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

//! The operating system behind a gate.

use std::ffi::OsString;
use std::fs::{File, FileType};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, ReadOnlyDatabase, StorageBackend};

use super::operation::{Gate, Operation, Refusal};
use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;
use crate::storage::files::{Disk, FileSystem, Files, NewFile, ReadAt, open_catalog, open_catalog_read_only};

/// Files of the operating system, each operation on which passes a gate.
pub(crate) fn gated(gate: Arc<dyn Gate>) -> Files {
    Files::through(Arc::new(Gated { gate }))
}

#[derive(Debug)]
struct Gated {
    gate: Arc<dyn Gate>,
}

impl Gated {
    fn pass(&self, operation: Operation) -> io::Result<()> {
        self.gate.pass(operation).map_err(|refusal| refusal.error)
    }

    fn opened<T>(&self, path: &Path, opened: T) -> Opened<T> {
        Opened { file: opened, path: path.to_path_buf(), offset: 0, gate: Arc::clone(&self.gate) }
    }
}

impl FileSystem for Gated {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.pass(Operation::Open(path.to_path_buf()))?;
        Ok(Box::new(self.opened(path, Disk.open(path)?)))
    }

    fn open_at(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        self.pass(Operation::Open(path.to_path_buf()))?;
        Ok(Box::new(self.opened(path, Disk.open_at(path)?)))
    }

    fn map(&self, path: &Path) -> Result<MappedFile> {
        self.pass(Operation::Open(path.to_path_buf())).map_err(Error::io("open", path))?;
        Disk.map(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.pass(Operation::Create(path.to_path_buf()))?;
        Ok(Box::new(self.opened(path, Disk.create(path)?)))
    }

    fn catalog(&self, path: &Path, new: bool, builder: &Builder) -> Result<Database, DatabaseError> {
        let at = path.to_path_buf();
        self.pass(if new { Operation::Create(at) } else { Operation::Open(at) })?;
        builder.create_with_backend(self.opened(path, FileBackend::new(open_catalog(path, new)?)?))
    }

    fn catalog_read_only(&self, path: &Path, builder: &Builder) -> Result<ReadOnlyDatabase, DatabaseError> {
        self.pass(Operation::Open(path.to_path_buf()))?;
        let file = open_catalog_read_only(path)?;
        builder.open_read_only_with_backend(self.opened(path, FileBackend::new(file)?))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.pass(Operation::CreateDir(path.to_path_buf()))?;
        Disk.create_dir(path)
    }

    /// Foreseen here, so that the gate hears the name beforehand.
    fn create_unforeseen(&self, parent: &Path, prefix: &str, suffix: &str) -> io::Result<(File, PathBuf)> {
        let path = parent.join(format!("{prefix}unforeseen{suffix}"));
        self.pass(Operation::Create(path.clone()))?;
        Ok((File::create_new(&path)?, path))
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        self.pass(Operation::Open(path.to_path_buf()))?;
        Disk.open_lock(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.pass(Operation::SyncDir(path.to_path_buf()))?;
        Disk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(Operation::Rename { from: from.to_path_buf(), to: to.to_path_buf() })?;
        Disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.pass(Operation::RemoveFile(path.to_path_buf()))?;
        Disk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.pass(Operation::RemoveDir(path.to_path_buf()))?;
        Disk.remove_dir(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.pass(Operation::Look(path.to_path_buf()))?;
        Disk.names(path)
    }

    fn kind(&self, path: &Path) -> io::Result<FileType> {
        self.pass(Operation::Look(path.to_path_buf()))?;
        Disk.kind(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.pass(Operation::Look(path.to_path_buf()))?;
        Disk.size(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.pass(Operation::Look(path.to_path_buf()))?;
        Disk.resolve(path)
    }
}

/// An open file behind the gate: one being read, a new one, or a catalog.
#[derive(Debug)]
struct Opened<T> {
    file: T,
    path: PathBuf,
    /// Where a new file's next write goes.
    offset: u64,
    gate: Arc<dyn Gate>,
}

impl<T> Opened<T> {
    fn pass(&self, operation: impl FnOnce(PathBuf) -> Operation) -> Result<(), Refusal> {
        self.gate.pass(operation(self.path.clone()))
    }
}

impl Read for Opened<Box<dyn Read + Send>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass(Operation::Read).map_err(|refusal| refusal.error)?;
        self.file.read(buffer)
    }
}

impl Read for Opened<Box<dyn ReadAt>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass(Operation::Read).map_err(|refusal| refusal.error)?;
        self.file.read(buffer)
    }
}

impl Seek for Opened<Box<dyn ReadAt>> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Write for Opened<Box<dyn NewFile>> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let offset = self.offset;
        let passed = self.pass(|path| Operation::Write { path, offset, data: data.to_vec() });
        let allowed = passed.as_ref().map_or_else(|refusal| refusal.written.min(data.len()), |()| data.len());
        self.file.write_all(&data[..allowed])?;
        self.offset += allowed as u64;
        match passed {
            // A signal leaves a short write.
            Err(refusal) if refusal.error.kind() != io::ErrorKind::Interrupted || allowed == 0 => Err(refusal.error),
            _ => Ok(allowed),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile for Opened<Box<dyn NewFile>> {
    fn sync(&mut self) -> io::Result<()> {
        self.pass(Operation::Sync).map_err(|refusal| refusal.error)?;
        self.file.sync()
    }
}

impl StorageBackend for Opened<FileBackend> {
    fn len(&self) -> io::Result<u64> {
        self.pass(Operation::Look).map_err(|refusal| refusal.error)?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.pass(Operation::Read).map_err(|refusal| refusal.error)?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.pass(|path| Operation::SetLen { path, len }).map_err(|refusal| refusal.error)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.pass(Operation::Sync).map_err(|refusal| refusal.error)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let passed = self.pass(|path| Operation::Write { path, offset, data: data.to_vec() });
        let allowed = passed.as_ref().map_or_else(|refusal| refusal.written.min(data.len()), |()| data.len());
        if allowed > 0 {
            self.file.write(offset, &data[..allowed])?;
        }
        passed.map_err(|refusal| refusal.error)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

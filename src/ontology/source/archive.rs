//! A zip archive, read in place: nothing is ever extracted to disk, and what comes out of it is bounded.
//!
//! The sizes that an archive declares are believed only as promises to hold it to: the bytes that really come out of an
//! entry are counted while they are read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::lines::Refused;
use crate::error::{Error, Result};

/// Entries of one archive.
const MAX_ENTRIES: usize = 10_000;
/// Bytes read to list the entries. An entry takes 46 bytes and its name.
const MAX_DIRECTORY_BYTES: u64 = 8 << 20;
/// Uncompressed bytes of one entry.
const MAX_ENTRY_BYTES: u64 = 1 << 30;
/// Uncompressed bytes of all entries read from one archive.
const MAX_TOTAL_BYTES: u64 = 4 << 30;
/// Uncompressed bytes for each compressed one, once [`RATIO_FROM`] bytes came out. ESCO and O*NET stay below 15.
const MAX_RATIO: u64 = 200;
const RATIO_FROM: u64 = 1 << 20;

/// One file in an archive.
pub(super) struct ArchiveEntry {
    /// Its position in the archive.
    pub(super) index: usize,
    /// Its path in the archive, checked to be a plain relative one.
    pub(super) name: String,
    /// The uncompressed size that the archive declares.
    pub(super) size: u64,
}

/// An open archive.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<Budgeted>,
    /// Uncompressed bytes that came out so far.
    unpacked: u64,
}

impl Archive {
    /// Opens an archive and checks its list of entries.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<ArchiveEntry>)> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let left = Rc::new(Cell::new(MAX_DIRECTORY_BYTES));
        let reader = Budgeted { inner: BufReader::new(file), left: Rc::clone(&left) };
        let zip = ZipArchive::new(reader).map_err(|error| unreadable(path, error))?;
        let mut archive = Self { path: path.to_path_buf(), zip, unpacked: 0 };
        let entries = archive.checked_entries()?;
        left.set(u64::MAX);
        Ok((archive, entries))
    }

    /// The path that errors about an entry give.
    pub(super) fn entry_path(&self, name: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("/");
        path.push(name);
        path.into()
    }

    fn checked_entries(&mut self) -> Result<Vec<ArchiveEntry>> {
        if self.zip.len() > MAX_ENTRIES {
            return Err(self.refuse(format!("the archive has {} entries; at most {MAX_ENTRIES}", self.zip.len())));
        }
        if self.zip.has_duplicate_names() {
            return Err(self.refuse("the archive has two entries of the same name".to_string()));
        }
        let entries = (0..self.zip.len()).map(|index| self.entry(index)).collect::<Result<Vec<_>>>()?;
        match self.zip.has_overlapping_entries() {
            Ok(false) => Ok(entries.into_iter().flatten().collect()),
            Ok(true) => Err(self.refuse("entries of the archive overlap".to_string())),
            Err(error) => Err(unreadable(&self.path, error)),
        }
    }

    /// Checks one entry; `None` for a folder.
    fn entry(&self, index: usize) -> Result<Option<ArchiveEntry>> {
        let entry = self.zip.by_index_data(index).map_err(|error| unreadable(&self.path, error))?;
        let name = entry.name().map_err(|error| unreadable(&self.path, error))?.into_owned();
        let problem = if let Some(problem) = name_problem(&name) {
            problem
        } else if entry.is_symlink() {
            "a symbolic link"
        } else if entry.encrypted() {
            "encrypted; unpack it with its password and give the folder"
        } else if entry.is_dir() {
            return Ok(None);
        } else {
            return Ok(Some(ArchiveEntry { index, size: entry.size(), name }));
        };
        let path = self.entry_path(&name.escape_debug().to_string());
        Err(Error::Input { path, row: None, column: None, problem: format!("refused archive entry: {problem}") })
    }

    /// Opens an entry for reading, under the limits.
    pub(super) fn read(&mut self, entry: &ArchiveEntry) -> Result<impl Read + use<'_>> {
        let path = self.entry_path(&entry.name);
        let file = self.zip.by_index(entry.index).map_err(|error| unreadable(&path, error))?;
        let (declared, compressed) = (file.size(), file.compressed_size());
        Ok(Guarded { inner: file, declared, compressed, produced: 0, unpacked: &mut self.unpacked })
    }

    fn refuse(&self, problem: String) -> Error {
        Error::Input { path: self.path.clone(), row: None, column: None, problem }
    }
}

/// What is wrong with an entry's path, which must be relative, with forward slashes, and stay inside.
fn name_problem(name: &str) -> Option<&'static str> {
    let drive = name.as_bytes().get(1) == Some(&b':');
    if name.is_empty() || name.contains('\0') {
        Some("its name is empty or holds a NUL")
    } else if name.starts_with('/') || drive {
        Some("its name is an absolute path")
    } else if name.contains('\\') {
        Some("its name holds a backslash")
    } else if name.split('/').any(|part| part == "..") {
        Some("its name leads out of the archive")
    } else {
        None
    }
}

fn unreadable(path: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => Error::io("read", path)(error),
        error => {
            let problem = format!("cannot be read as a zip archive: {error}");
            Error::Input { path: path.to_path_buf(), row: None, column: None, problem }
        }
    }
}

/// The file under an archive, of which so many bytes may be read and no more.
struct Budgeted {
    inner: BufReader<File>,
    left: Rc<Cell<u64>>,
}

impl Read for Budgeted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let Some(left) = self.left.get().checked_sub(n as u64) else {
            return Err(Refused(format!("its directory takes more than {MAX_DIRECTORY_BYTES} bytes")).into());
        };
        self.left.set(left);
        Ok(n)
    }
}

impl Seek for Budgeted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// An entry whose bytes are counted against the limits.
struct Guarded<'a, R> {
    inner: R,
    declared: u64,
    compressed: u64,
    produced: u64,
    unpacked: &'a mut u64,
}

impl<R> Guarded<'_, R> {
    fn check(&self) -> Result<(), Refused> {
        let problem = if self.produced > self.declared {
            format!("the entry unpacks to more than the {} bytes that the archive declares", self.declared)
        } else if self.produced > MAX_ENTRY_BYTES {
            format!("the entry unpacks to more than {MAX_ENTRY_BYTES} bytes")
        } else if self.produced > RATIO_FROM && self.produced / MAX_RATIO > self.compressed {
            format!("the entry unpacks to more than {MAX_RATIO} times its compressed size")
        } else if *self.unpacked > MAX_TOTAL_BYTES {
            format!("the archive unpacks to more than {MAX_TOTAL_BYTES} bytes")
        } else {
            return Ok(());
        };
        Err(Refused(problem))
    }
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.produced += n as u64;
        *self.unpacked += n as u64;
        self.check()?;
        Ok(n)
    }
}

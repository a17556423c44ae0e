//! The catalog as if it were open for writing, with all that is written kept in memory: so that redb compares the checksum
//! of every page, which it does only for a writer, while the file stays as it is and others use it.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, SeekFrom};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, Database, StorageBackend};

use super::super::files::ReadAt;
use super::tables::{failed, guarded};
use crate::error::Result;

/// redb's page, and the unit in which changes are kept.
const PAGE: usize = 4096;
/// Cache of the catalog that is checked. Every page is read about twice, one after the other.
const CACHE: usize = 8 << 20;

/// The first page of a catalog, in which each commit leaves its mark.
pub(crate) type Header = Vec<u8>;

/// A catalog's file with changes that are in memory only.
pub(crate) struct Overlay(Mutex<Inner>);

struct Inner {
    file: Box<dyn ReadAt>,
    /// Where the file ends. What lies between it and `len` is zero.
    file_len: u64,
    len: u64,
    changed: HashMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    /// The catalog in a file. Its first page is read now and not again.
    pub(crate) fn new(mut file: Box<dyn ReadAt>) -> io::Result<(Self, Header)> {
        let header = settled_header(&mut file)?;
        if header.len() < PAGE {
            // redb would make a new catalog of an empty file.
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file is shorter than a page"));
        }
        let file_len = file.seek(SeekFrom::End(0))?;
        let mut first = Box::new([0; PAGE]);
        first.copy_from_slice(&header);
        let changed = HashMap::from([(0, first)]);
        Ok((Self(Mutex::new(Inner { file, file_len, len: file_len, changed })), header))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic of redb while it holds the lock leaves a map of whole pages.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first page, read twice alike: a writer replaces it while it is read.
fn settled_header(file: &mut impl ReadAt) -> io::Result<Header> {
    let mut header = read_header(file)?;
    loop {
        let again = read_header(file)?;
        if again == header {
            return Ok(header);
        }
        header = again;
    }
}

/// The first page of a catalog as it is now; shorter where the file is.
pub(crate) fn read_header(file: &mut impl ReadAt) -> io::Result<Header> {
    let mut header = Vec::with_capacity(PAGE);
    file.seek(SeekFrom::Start(0))?;
    file.take(PAGE as u64).read_to_end(&mut header)?;
    Ok(header)
}

impl Inner {
    /// A page as it is in the file, zero beyond the file's end.
    fn read_file(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let in_file = self.file_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (from_file, beyond) = out.split_at_mut(in_file);
        beyond.fill(0);
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(from_file)
    }

    fn check_range(&self, offset: u64, length: usize) -> io::Result<()> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "a page beyond the end of the file")),
        }
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check_range(offset, out.len())?;
        self.read_file(offset, out)?;
        for (page, within, of_out) in parts(offset, out.len()) {
            if let Some(changed) = self.changed.get(&page) {
                out[of_out].copy_from_slice(&changed[within]);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_range(offset, data.len())?;
        for (page, within, of_data) in parts(offset, data.len()) {
            if !self.changed.contains_key(&page) {
                let mut whole = Box::new([0; PAGE]);
                self.read_file(page * PAGE as u64, &mut *whole)?;
                self.changed.insert(page, whole);
            }
            if let Some(changed) = self.changed.get_mut(&page) {
                changed[within].copy_from_slice(&data[of_data]);
            }
        }
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        // What is cut off is zero when it comes back.
        self.file_len = self.file_len.min(len);
        self.len = len;
        self.changed.retain(|page, _| page * (PAGE as u64) < len);
        if let Some(last) = self.changed.get_mut(&(len / PAGE as u64)) {
            last[(len % PAGE as u64) as usize..].fill(0);
        }
        Ok(())
    }
}

/// A range of bytes page by page: the page, the bytes of it, and which bytes of the range these are.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % PAGE as u64) as usize;
        let n = (PAGE - within).min(length - done);
        done += n;
        Some((at / PAGE as u64, within..within + n, done - n..done))
    })
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("changed", &self.inner().changed.len()).finish_non_exhaustive()
    }
}

/// Nobody else can reach these pages, so that every lock is free.
impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner().read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner().set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner().write(offset, data)
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

/// Compares the checksum of every page of the catalog that belongs to its last commit.
///
/// # Errors
/// [`Error::Corrupt`](crate::error::Error::Corrupt) when one differs, and also when the file changed meanwhile: the header
/// that [`Overlay::new`] gave tells the two apart.
pub(crate) fn check_pages(path: &Path, overlay: Overlay) -> Result<()> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    guarded(path, || builder.create_with_backend(overlay).map(drop).map_err(failed(path)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn overlay(bytes: Vec<u8>) -> Overlay {
        Overlay::new(Box::new(Cursor::new(bytes))).unwrap().0
    }

    /// Against a plain vector, in every mixture of reads, writes and lengths.
    #[test]
    fn it_is_a_file_of_its_own() {
        let start: Vec<u8> = (0..3 * PAGE as u32 + 700).map(|n| (n * 31 % 251) as u8).collect();
        let (overlay, mut plain) = (overlay(start.clone()), start);
        let mut state = 7u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        for round in 0..2000 {
            match below(8) {
                0 => {
                    let len = below(6 * PAGE);
                    overlay.set_len(len as u64).unwrap();
                    plain.resize(len, 0);
                }
                1..=3 if !plain.is_empty() => {
                    let at = below(plain.len());
                    let n = below(2 * PAGE + 3).min(plain.len() - at);
                    let data: Vec<u8> = (0..n).map(|k| (k + round) as u8).collect();
                    overlay.write(at as u64, &data).unwrap();
                    plain[at..at + n].copy_from_slice(&data);
                }
                _ if !plain.is_empty() => {
                    let at = below(plain.len());
                    let mut out = vec![9; below(3 * PAGE).min(plain.len() - at)];
                    overlay.read(at as u64, &mut out).unwrap();
                    assert_eq!(out, plain[at..at + out.len()]);
                }
                _ => {}
            }
            assert_eq!(overlay.len().unwrap(), plain.len() as u64);
        }
        assert!(overlay.read(plain.len() as u64, &mut [0]).is_err());
        assert!(overlay.write(u64::MAX, &[0, 0]).is_err());
    }

    #[test]
    fn every_page_is_compared_and_the_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        let table: redb::TableDefinition<u32, &[u8]> = redb::TableDefinition::new("t");
        let db = Database::create(&path).unwrap();
        let txn = db.begin_write().unwrap();
        for n in 0..2000 {
            txn.open_table(table).unwrap().insert(n, &[n as u8; 100][..]).unwrap();
        }
        txn.commit().unwrap();
        drop(db);
        let sound = std::fs::read(&path).unwrap();
        let check = |bytes: &[u8]| check_pages(&path, overlay(bytes.to_vec()));
        check(&sound).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), sound);
        // A value in the middle of a page: redb reads it without a complaint.
        let at = sound.windows(100).rposition(|window| window == [77; 100]).unwrap();
        let mut damaged = sound.clone();
        damaged[at + 50] ^= 1;
        let error = check(&damaged).unwrap_err();
        assert!(matches!(&error, crate::Error::Corrupt { path: of, .. } if *of == path), "{error}");
        assert!(check(&sound[..sound.len() / 2]).is_err());
        assert!(check(&[0; 5000]).is_err());
    }
}

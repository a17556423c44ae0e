//! The one place that makes, moves and removes files of an index: every error names its path and what was attempted.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(Error::io("open", path))
}

/// Creates a file that must not exist yet (`O_EXCL`).
pub(crate) fn create_new(path: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(Error::io("create", path))
}

/// Makes a file's content and size durable.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<()> {
    file.sync_all().map_err(Error::io("synchronise", path))
}

/// Makes the entries of a folder durable: creations, renames and removals in it.
///
/// Windows has no such operation on folders; NTFS journals its entries.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    sync_file(&open(path)?, path)
}

/// Renames a file or folder within one file system; atomic.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io("rename", from))
}

/// Removes a file.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(Error::io("remove", path))
}

/// Whether the path is a folder, or a link to one, with nothing in it.
pub(crate) fn is_empty_dir(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// The absolute path without links of something that exists.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(Error::io("resolve", path))
}

/// A new folder of an unused name that goes away when dropped. Its permissions are those of any new folder: an index
/// made in it is for whom the user's umask says.
pub(crate) fn temporary_dir(parent: &Path, prefix: &str) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.prefix(prefix).tempdir_in(parent).map_err(Error::io("create a folder in", parent))
}

/// Removes a folder with nothing in it.
pub(crate) fn remove_empty_dir(path: &Path) -> Result<()> {
    fs::remove_dir(path).map_err(Error::io("remove", path))
}

/// Removes a folder and all that is in it.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    fs::remove_dir_all(path).map_err(Error::io("remove", path))
}

/// Creates a folder and its parents, unless they exist, and makes the names of the new ones durable.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !exists(folder) && !is_here(folder)).collect();
    fs::create_dir_all(path).map_err(Error::io("create the folder", path))?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !is_here(parent)).unwrap_or(Path::new("."));
        sync_dir(parent)?;
    }
    Ok(())
}

/// Whether a path is the empty one, which stands for the working folder.
fn is_here(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// Whether something is at the path.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether a folder, and no link to one, is at the path.
pub(crate) fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The size of a file in bytes.
pub(crate) fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(Error::io("read the size of", path))?.len())
}

/// The names in a folder, sorted; names that are not UTF-8 are none of ours and left out.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
        let entry = entry.map_err(Error::io("list", path))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// All files below a folder, as sorted paths relative to it; links are not followed.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for name in names(&root.join(&folder))? {
            let relative = folder.join(name);
            let path = root.join(&relative);
            let kind = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?.file_type();
            match kind {
                kind if kind.is_dir() => folders.push(relative),
                kind if kind.is_file() => files.push(relative),
                _ => {}
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Copies a file to a path where nothing is yet, durably.
pub(crate) fn copy_durably(from: &Path, to: &Path) -> Result<()> {
    let mut source = open(from)?;
    let mut target = create_new(to)?;
    std::io::copy(&mut source, &mut target).map_err(Error::io("copy to", to))?;
    sync_file(&target, to)
}

/// The blake3 hash of the first `length` bytes of a file, read in pieces; `progress` is told the size of each piece.
pub(crate) fn hash_prefix(
    path: &Path,
    length: u64,
    mut progress: impl FnMut(u64) -> Result<()>,
) -> Result<blake3::Hash> {
    let mut file = open(path)?.take(length);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if n == 0 {
            return Ok(hasher.finalize());
        }
        hasher.update(&buffer[..n]);
        progress(n as u64)?;
    }
}

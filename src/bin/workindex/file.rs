//! Writing a file: whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;
use workindex::Error;

use crate::failure::{Failure, Outcome};

/// Refuses a folder before any work is done for it.
pub fn check(path: &Path) -> Outcome {
    match path.is_dir() {
        true => Err(Failure::new(format!("{} is a folder", path.display()), "give the name of a file in it")),
        false => Ok(()),
    }
}

/// Writes a file beside its place and moves it there, so that a reader sees the old one or the new one.
pub fn write(path: &Path, text: &str) -> Outcome {
    check(path)?;
    write_beside(path, text).map_err(|source| Error::Io { action: "write", path: path.to_path_buf(), source }.into())
}

fn write_beside(path: &Path, text: &str) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(text.as_bytes())?;
    keep(file, path)
}

/// A file beside a path, to be filled and [kept](keep).
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".workindex-").suffix(".part");
    // What any new file gets; the user's umask takes away from it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Moves a filled file to its place.
pub fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(write(folder.path(), "x"), Err(Failure::Other { .. })));
        let missing = folder.path().join("missing/page.html");
        assert!(matches!(write(&missing, "x"), Err(Failure::Library(Error::Io { path, .. })) if path == missing));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

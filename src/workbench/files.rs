//! Files of results: written whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file beside its place and renames it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Error::io("write", path)(error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    let mut builder = tempfile::Builder::new();
    // A new file is as readable as any that the user makes: the umask takes from this what it takes from others.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

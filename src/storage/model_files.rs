//! The model files that an index carries, so that it travels whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::Files;
use crate::error::Result;

/// Copies files of a model directory, given by their relative names, into a new folder, durably.
pub(crate) fn copy(files: &Files, source: &Path, names: &[PathBuf], target: &Path) -> Result<()> {
    files.create_dir(target)?;
    let mut folders = BTreeSet::from([target.to_path_buf()]);
    for name in names {
        let to = target.join(name);
        if let Some(folder) = to.parent() {
            files.create_dir(folder)?;
            folders.insert(folder.to_path_buf());
        }
        files.copy_durably(&source.join(name), &to)?;
    }
    folders.iter().try_for_each(|folder| files.sync_dir(folder))
}

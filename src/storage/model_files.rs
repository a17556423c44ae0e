//! The model files that an index carries, so that it travels whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fs;
use crate::error::Result;

/// Copies files of a model directory, given by relative paths, into a new folder, durably.
pub(crate) fn copy(source: &Path, files: &[PathBuf], target: &Path) -> Result<()> {
    fs::create_dir(target)?;
    let mut folders = BTreeSet::from([target.to_path_buf()]);
    for file in files {
        let to = target.join(file);
        if let Some(folder) = to.parent() {
            fs::create_dir(folder)?;
            folders.insert(folder.to_path_buf());
        }
        fs::copy_durably(&source.join(file), &to)?;
    }
    folders.iter().try_for_each(|folder| fs::sync_dir(folder))
}

/// The size of a folder's files together.
pub(crate) fn total_bytes(folder: &Path) -> Result<u64> {
    fs::files_below(folder)?.iter().map(|file| fs::size(&folder.join(file))).sum()
}

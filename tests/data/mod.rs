//! Where real data is that does not belong to the repository.

use std::path::{Path, PathBuf};

/// A file or folder of the data, if the machine has it: under `WORKINDEX_DATA`, else beside the repository.
pub fn path(relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WORKINDEX_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no data at {}", path.display());
    None
}

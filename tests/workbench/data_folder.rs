//! A folder of evaluation data, made of the fixtures.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A data folder with both releases of mini-esco, mini-onet and the annotations of the fixtures.
pub fn data_folder() -> TempDir {
    let (folder, fixtures) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    for version in ["1.0.0", "1.1.0"] {
        copy(&fixtures.join("mini-esco").join(version), &folder.path().join("esco").join(version));
    }
    for version in ["27.0", "29.0"] {
        copy(&fixtures.join("mini-onet").join(version), &folder.path().join("onet").join(version));
    }
    copy(&fixtures.join("workbench/data/workbench"), &folder.path().join("workbench"));
    folder
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { _ = std::fs::copy(&path, &target).unwrap() }
    }
}

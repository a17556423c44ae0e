//! From gathered files to a model directory that is whole or absent.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use workindex::Checkpoint;

use super::model::Model;
use super::{Unfetched, checksum};
use crate::failure::{Failure, Outcome};

/// Whether a folder holds the model, checked as far as it can be.
pub fn is_intact(model: &Model, target: &Path) -> bool {
    let complete = model.files().unwrap_or_default().iter().all(|file| target.join(file).is_file());
    complete && checksum::check(target, model.checksums()).is_ok() && Checkpoint::open(target).is_ok()
}

/// Whether a folder can be made there without replacing anything.
pub fn is_free(target: &Path) -> bool {
    match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// A folder beside the target, removed unless it becomes the target.
pub struct Staging {
    folder: TempDir,
}

impl Staging {
    pub fn beside(target: &Path) -> Outcome<Self> {
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        let folder =
            tempfile::Builder::new().prefix(".fetch-").tempdir_in(parent).map_err(failed("write in", parent))?;
        fs::create_dir(folder.path().join("model")).map_err(failed("write in", folder.path()))?;
        Ok(Self { folder })
    }

    /// Where the model's files go.
    pub fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    /// A folder for anything else, removed with this.
    pub fn scratch(&self) -> Outcome<PathBuf> {
        let scratch = self.folder.path().join("scratch");
        fs::create_dir_all(&scratch).map_err(failed("create", &scratch))?;
        Ok(scratch)
    }

    /// Makes the folders above a file of the model, and returns its path. The name is a safe one.
    pub fn place(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.model().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create", folder))?;
        }
        Ok(path)
    }

    /// Checks that the gathered files are the model.
    pub fn check(&self, model: &Model) -> Result<(), Unfetched> {
        let folder = self.model();
        checksum::check(&folder, model.checksums()).map_err(Unfetched::Failed)?;
        match Checkpoint::open(&folder) {
            Ok(_) => Ok(()),
            Err(error) => Err(Unfetched::Failed(format!("what came is no encoder that can be used: {error}"))),
        }
    }

    /// Becomes the target.
    pub fn install(self, target: &Path) -> Outcome {
        if target.exists() {
            fs::remove_dir_all(target).map_err(failed("replace", target))?;
        }
        fs::rename(self.model(), target).map_err(failed("create", target))
    }
}

/// A failure of the file system.
pub fn failed<'a>(action: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Failure + 'a {
    move |error| Failure::plain(format!("cannot {action} {}: {error}", path.display()))
}

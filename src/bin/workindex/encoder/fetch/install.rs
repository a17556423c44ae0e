//! From gathered files to a model directory that is whole or absent.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use workindex::Checkpoint;

use super::model::Model;
use super::{Unfetched, checksum};
use crate::failure::{Failure, Outcome};

/// The file that says which model a folder was fetched as. Hidden, so that it is no part of the model.
const FETCHED_AS: &str = ".fetched-as";

/// Whether a folder holds the model, checked as far as it can be: by its checksums, or else by what it was fetched as.
pub fn is_intact(model: &Model, target: &Path) -> bool {
    let complete = model.files().unwrap_or_default().iter().all(|file| target.join(file).is_file());
    let known = !model.checksums().is_empty()
        || fs::read_to_string(target.join(FETCHED_AS)).is_ok_and(|name| name.trim() == model.name());
    complete && known && checksum::check(target, model.checksums()).is_ok() && Checkpoint::open(target).is_ok()
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
    pub fn install(self, model: &Model, target: &Path) -> Outcome {
        let mark = self.model().join(FETCHED_AS);
        fs::write(&mark, model.name()).map_err(failed("write", &mark))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => copy(&entry.path(), &to.join(entry.file_name())),
                false => _ = fs::copy(entry.path(), to.join(entry.file_name())).unwrap(),
            }
        }
    }

    #[test]
    fn a_folder_is_whole_or_absent_and_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (target, tiny) = (folder.path().join("deep/target"), Model::Repository("org/tiny".to_string()));
        let staging = Staging::beside(&target).unwrap();
        assert!(matches!(staging.check(&tiny), Err(Unfetched::Failed(_))), "an empty folder is no model");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert"), &staging.model());
        assert!(staging.check(&tiny).is_ok());
        assert!(!target.exists() && is_free(&target));
        staging.install(&tiny, &target).unwrap();
        assert!(is_intact(&tiny, &target) && !is_free(&target));
        assert!(!is_intact(&Model::Repository("org/other".to_string()), &target));
        assert!(!is_intact(&Model::MiniLm, &target));
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 1, "nothing else is left there");
        fs::remove_file(target.join("model.safetensors")).unwrap();
        assert!(!is_intact(&tiny, &target));
    }

    #[test]
    fn a_model_with_other_weights_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::beside(&folder.path().join("target")).unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert"), &staging.model());
        match staging.check(&Model::MiniLm) {
            Err(Unfetched::Failed(problem)) => assert!(problem.starts_with("model.safetensors is not"), "{problem}"),
            _ => panic!("other weights must be refused"),
        }
    }
}

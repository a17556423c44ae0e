//! A folder in the making: beside its final place, locked while someone works on it, and removed by the next maker when
//! nobody does any more.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Files;
use crate::error::{Error, Result};

/// Folders being made begin like this.
const PREFIX: &str = ".workindex-creating-";
/// Beside each lies a file that its maker has locked; its name is the folder's and this.
const LOCK: &str = ".lock";

/// A folder that goes away with all that is in it when dropped, unless it is finished.
#[derive(Debug)]
pub(crate) struct MakingDir {
    files: Files,
    path: PathBuf,
    /// Where it is to be.
    to: PathBuf,
    lock_path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
    finished: bool,
}

impl Files {
    /// A new folder to be finished at `to`, where nothing is, or an empty folder. What makers that died have left in the same
    /// place is removed.
    pub(crate) fn make_dir(&self, to: &Path) -> Result<MakingDir> {
        if self.exists(to)? && !self.is_empty_dir(to) {
            return Err(Error::AlreadyExists { path: to.to_path_buf() });
        }
        // An empty folder may be reached through a link: what is made belongs where the link leads.
        let to = if self.exists(to)? { self.resolve(to)? } else { to.to_path_buf() };
        let parent = parent_of(&to);
        self.create_dir(&parent)?;
        self.remove_stale(&parent);
        let (lock_path, lock) = self.lock_new(&parent)?;
        // The lock is durable before the folder, so that no crash leaves a folder that nobody finds.
        let path = lock_path.with_extension("");
        let made = self
            .sync_dir(&parent)
            .and_then(|()| self.0.create_dir(&path).map_err(Error::io("create the folder", &path)));
        if let Err(error) = made {
            _ = self.remove_file(&lock_path);
            return Err(error);
        }
        Ok(MakingDir { files: self.clone(), path, to, lock_path, _lock: lock, finished: false })
    }

    /// A new locked file.
    fn lock_new(&self, parent: &Path) -> Result<(PathBuf, File)> {
        loop {
            let made = self.0.create_unforeseen(parent, PREFIX, LOCK);
            let (lock, path) = made.map_err(Error::io("create a file in", parent))?;
            // Where files cannot be locked, nobody takes this for stale either.
            let taken = matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock));
            // Another maker may have found it between its creation and the lock, and removed it as stale.
            if !taken && self.exists(&path)? {
                return Ok((path, lock));
            }
        }
    }

    /// Removes what makers that died have left in a folder. Best effort: what stays costs space and nothing else.
    fn remove_stale(&self, parent: &Path) {
        let is_lock = |name: &String| name.starts_with(PREFIX) && name.ends_with(LOCK);
        for name in self.names(parent).unwrap_or_default().iter().filter(|name| is_lock(name)) {
            let lock_path = parent.join(name);
            if let Err(error) = self.remove_if_stale(&lock_path) {
                tracing::warn!(%error, "what an interrupted creation left stays behind");
            }
        }
    }

    /// Removes a folder durably: as long as it may be there, its lock is too.
    fn remove_made(&self, made: &Path) -> Result<()> {
        self.remove_dir(made)?;
        self.sync_dir(&parent_of(made))
    }

    fn remove_if_stale(&self, lock_path: &Path) -> Result<()> {
        let Ok(lock) = self.0.open_lock(lock_path) else { return Ok(()) };
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let made = lock_path.with_extension("");
        if self.exists(&made)? {
            self.remove_made(&made)?;
        }
        self.remove_file(lock_path)
    }
}

impl MakingDir {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to its place, durably; returns that.
    pub(crate) fn finish(mut self) -> Result<PathBuf> {
        self.files.sync_dir(&self.path)?;
        if self.files.exists(&self.to)? {
            self.files.remove_empty_dir(&self.to).map_err(|error| or_mounted(error, &self.to))?;
        }
        self.files.rename(&self.path, &self.to)?;
        self.finished = true;
        self.files.sync_dir(&parent_of(&self.to))?;
        Ok(self.to.clone())
    }

    fn remove(&self) -> Result<()> {
        if !self.finished {
            self.files.remove_made(&self.path)?;
        }
        self.files.remove_file(&self.lock_path)
    }
}

impl Drop for MakingDir {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "what a creation left stays behind until the next one");
        }
    }
}

/// A file system is mounted at an empty folder that is in use: nothing can be moved into its place, only into it.
fn or_mounted(error: Error, to: &Path) -> Error {
    match error {
        Error::Io { action, path, source } if source.kind() == std::io::ErrorKind::ResourceBusy => {
            let inside = to.join("work.index");
            let problem = format!("it is a mount point or in use; choose a folder inside it, as {}", inside.display());
            Error::io(action, &path)(std::io::Error::new(source.kind(), problem))
        }
        error => error,
    }
}

fn parent_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !super::is_here(parent)).unwrap_or(Path::new(".")).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        Files::default().names(folder).unwrap()
    }

    #[test]
    fn what_a_dead_maker_left_goes_and_what_a_living_one_makes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // A maker that died: its lock is nobody's.
        std::fs::create_dir_all(at(".workindex-creating-dead/segments")).unwrap();
        std::fs::write(at(".workindex-creating-dead/segments/x"), "x").unwrap();
        std::fs::write(at(".workindex-creating-dead.lock"), "").unwrap();
        // One that died before it made its folder, or after it had moved it.
        std::fs::write(at(".workindex-creating-moved.lock"), "").unwrap();
        // Someone else's.
        std::fs::create_dir(at(".workindex-creating-unlocked")).unwrap();
        let files = Files::default();
        let living = files.make_dir(&at("a.index")).unwrap();
        let second = files.make_dir(&at("b.index")).unwrap();
        assert_ne!(living.path(), second.path());
        drop(second);
        std::fs::write(living.path().join("x"), "x").unwrap();
        assert_eq!(names(folder.path()).len(), 3, "{:?}", names(folder.path()));
        assert_eq!(living.finish().unwrap(), at("a.index"));
        assert_eq!(names(folder.path()), [".workindex-creating-unlocked", "a.index"]);
        assert!(matches!(files.make_dir(&at("a.index")), Err(Error::AlreadyExists { .. })));
    }

    #[test]
    fn a_mount_point_is_told_from_other_reasons() {
        let to = Path::new("mounted");
        let refused = |kind| or_mounted(Error::io("remove", to)(std::io::Error::from(kind)), to).to_string();
        let busy = refused(std::io::ErrorKind::ResourceBusy);
        assert!(busy.starts_with("cannot remove mounted: it is a mount point"), "{busy}");
        assert!(busy.contains("work.index"), "{busy}");
        assert!(!refused(std::io::ErrorKind::PermissionDenied).contains("mount point"));
    }

    /// Who may write beside an index must not get others to remove what they may not.
    #[cfg(unix)]
    #[test]
    fn links_are_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("home")).unwrap();
        std::fs::write(at("home/precious"), "x").unwrap();
        std::fs::write(at(".workindex-creating-planted.lock"), "").unwrap();
        std::os::unix::fs::symlink(at("home"), at(".workindex-creating-planted")).unwrap();
        std::fs::create_dir(at("model")).unwrap();
        std::os::unix::fs::symlink(at("home"), at("model/inside")).unwrap();
        drop(Files::default().make_dir(&at("a.index")).unwrap());
        Files::default().remove_dir(&at("model")).unwrap();
        assert_eq!(names(folder.path()), ["home"]);
        assert_eq!(std::fs::read(at("home/precious")).unwrap(), b"x");
    }

    #[test]
    fn many_makers_at_once_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    for n in 0..50 {
                        let making = Files::default().make_dir(&folder.join(format!("{thread}-{n}"))).unwrap();
                        std::fs::write(making.path().join("x"), "x").unwrap();
                        making.finish().unwrap();
                    }
                });
            }
        });
        assert_eq!(names(folder.path()).len(), 200);
    }
}

//! What has to be synchronised is, before what relies on it: a file before it is renamed, a folder after an entry came into
//! it, and both before a step ends. What the catalog writes and when is redb's business; `crash_images.rs` has it too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::crash_images::{Recording, record};
use super::scenario::SCENARIOS;
use crate::storage::STAGED;
use crate::storage::simulated::Operation;

#[test]
fn nothing_is_relied_on_before_it_is_durable() {
    let mut renames = 0;
    for scenario in SCENARIOS {
        let Recording { trace, ends, .. } = record(scenario);
        let mut pending = Pending::default();
        for (at, operation) in (1..).zip(&trace) {
            if let Operation::Rename { from, .. } = operation {
                assert!(!pending.files.contains(from), "{}: renamed before it is synchronised", scenario.name);
                renames += 1;
            }
            pending.note(operation);
            // A step that ended has promised what it did. Removals may be lost: the next collection finds them.
            if ends.contains(&at) {
                assert!(pending.files.is_empty(), "{}: {:?} not synchronised", scenario.name, pending.files);
                assert!(pending.folders.is_empty(), "{}: {:?} not synchronised", scenario.name, pending.folders);
            }
        }
    }
    assert!(renames > 10, "{renames}");
}

/// What was changed and not synchronised.
#[derive(Debug, Default)]
struct Pending {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Pending {
    fn note(&mut self, operation: &Operation) {
        let parent = |path: &PathBuf| path.parent().unwrap().to_path_buf();
        match operation {
            Operation::Create(path) => {
                self.files.insert(path.clone());
                // A staged file belongs to no commit: its entry may be lost until it is renamed.
                if !is_staged(path) {
                    self.folders.insert(parent(path));
                }
            }
            Operation::Write { path, .. } | Operation::SetLen { path, .. } if is_catalog(path) => {}
            Operation::Write { path, .. } | Operation::SetLen { path, .. } => drop(self.files.insert(path.clone())),
            Operation::CreateDir(path) => drop(self.folders.insert(parent(path))),
            // On its way out: what is lost of a removal the next collection finds.
            Operation::Rename { to, .. } if is_staged(to) => {}
            Operation::Rename { to, .. } => drop(self.folders.insert(parent(to))),
            Operation::Sync(path) => drop(self.files.remove(path)),
            Operation::SyncDir(path) => drop(self.folders.remove(path)),
            Operation::RemoveFile(path) => drop(self.files.remove(path)),
            Operation::RemoveDir(path) => drop(self.folders.remove(path)),
            Operation::Look(_) | Operation::Open(_) | Operation::Read(_) => {}
        }
    }
}

fn is_staged(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STAGED))
}

fn is_catalog(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "redb")
}

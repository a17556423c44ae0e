//! Without permission to write, and from a read-only medium, an index is read and verified like any other; after a crash such a
//! reader is told what is needed, and what it may not read is named. Nothing is changed by trying.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::children::{AS_CHILD, child, heard, role, say, started, with_role};
use common::*;
use workindex::{Error, WorkIndex};

/// Not a test of its own: what the children of the other tests do.
#[test]
fn child_process() {
    let Some((role, path, _)) = role() else { return };
    match role.as_str() {
        "look" => {
            say(reading(&path));
            say(writing(&path));
        }
        "idle-writer" => {
            let mut writer = WorkIndex::writer(&path).unwrap();
            ingest_list(&mut writer, &list_release("uncommitted", &["nothing"]));
            say("ready");
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        other => panic!("no role {other}"),
    }
}

/// What comes of reading an index, in a word.
fn reading(path: &Path) -> String {
    if let Err(error) = std::fs::metadata(path.join("catalog.redb")) {
        return format!("unreachable: {error}");
    }
    let used = WorkIndex::open(path).and_then(|index| Ok((index.space("list/skill/en")?, index)));
    match used {
        Ok((space, index)) => {
            assert_eq!(answers(&space).len(), 9);
            assert_intact(&index);
            "serves".to_string()
        }
        Err(Error::Interrupted { path: of, .. }) if of == path => "interrupted".to_string(),
        Err(Error::Io { path: of, source, .. }) => {
            format!("{:?} {}", source.kind(), of.strip_prefix(path).unwrap().display())
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn writing(path: &Path) -> String {
    match WorkIndex::writer(path) {
        Ok(_) => "writes".to_string(),
        Err(Error::Locked { .. }) => "locked".to_string(),
        Err(Error::Io { path: of, .. }) if of.starts_with(path) => "refused".to_string(),
        Err(error) => panic!("{error:?}"),
    }
}

/// An index that others can reach.
fn index_of_one_release() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder"]));
    writer.commit().unwrap();
    mode(folder.path(), 0o755);
    (folder, path)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Takes from everyone, or gives back, the permission to write.
fn set_writable(path: &Path, writable: bool) {
    let (folder, file) = if writable { (0o755, 0o644) } else { (0o555, 0o444) };
    mode(path, folder);
    mode(&path.join("segments"), folder);
    mode(&path.join("catalog.redb"), file);
}

/// The user who may do anything: permissions mean nothing to him, so that his children look as somebody else.
fn is_root(of: &Path) -> bool {
    set_writable(of, false);
    let root = std::fs::OpenOptions::new().write(true).open(of.join("catalog.redb")).is_ok();
    set_writable(of, true);
    root
}

/// How an index looks to somebody who may not write it: reading and writing. None when this machine cannot show it.
fn look_without_permission(path: &Path, root: bool) -> Option<[String; 2]> {
    const NOBODY: u32 = 65_534;
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_role(command.args(AS_CHILD), "look", path, 0);
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    look(&mut command)
}

fn look(command: &mut Command) -> Option<[String; 2]> {
    let (mut child, mut out) = match started(command) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("skipped: no child can look: {error}");
            return None;
        }
    };
    let said = heard(&mut out).zip(heard(&mut out)).map(|(reading, writing)| [reading, writing]);
    assert!(child.wait().unwrap().success() || said.is_none(), "{said:?}");
    match said {
        Some(said) if !said[0].starts_with("unreachable") => Some(said),
        said => {
            eprintln!("skipped: the child could not look: {said:?}");
            None
        }
    }
}

/// Kills a writer that has the index open.
fn crash(path: &Path) {
    let (mut writer, mut out) = child("idle-writer", path, 0);
    assert_eq!(heard(&mut out).as_deref(), Some("ready"));
    writer.kill().unwrap();
    writer.wait().unwrap();
}

/// All files of an index and what is in them.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let segments = segment_names(path).into_iter().map(|name| path.join("segments").join(name));
    let files = segments.chain([path.join("catalog.redb")]);
    files.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn who_may_not_write_reads_and_is_told_after_a_crash() {
    let (_folder, path) = index_of_one_release();
    let root = is_root(&path);
    set_writable(&path, false);
    let Some(sound) = look_without_permission(&path, root) else { return set_writable(&path, true) };
    assert_eq!(sound, ["serves", "refused"]);
    // Beside a writer too, who was there first.
    set_writable(&path, true);
    let writer = WorkIndex::writer(&path).unwrap();
    set_writable(&path, false);
    assert_eq!(look_without_permission(&path, root).unwrap(), ["serves", "refused"]);
    drop(writer);
    set_writable(&path, true);
    crash(&path);
    set_writable(&path, false);
    let before = contents(&path);
    assert_eq!(look_without_permission(&path, root).unwrap(), ["interrupted", "refused"]);
    assert_eq!(contents(&path), before);
    // Who may, does, and then all can read again.
    set_writable(&path, true);
    assert_intact(&WorkIndex::open(&path).unwrap());
    set_writable(&path, false);
    assert_eq!(look_without_permission(&path, root).unwrap(), ["serves", "refused"]);
    set_writable(&path, true);
}

#[test]
fn what_may_not_be_read_is_named() {
    let (_folder, path) = index_of_one_release();
    let root = is_root(&path);
    let segment = only_segment(&path);
    for (at, from, to) in [(segment, 0o000, 0o644), (path.join("segments"), 0o000, 0o755)] {
        mode(&at, from);
        let said = look_without_permission(&path, root);
        mode(&at, to);
        let Some([reading, _]) = said else { return };
        let named = only_segment(&path);
        assert_eq!(reading, format!("PermissionDenied {}", named.strip_prefix(&path).unwrap().display()));
    }
}

/// Mounted read-only in a namespace of the child's own, where the system lets its users do that.
#[test]
fn a_read_only_medium_is_read_and_verified() {
    let (folder, path) = index_of_one_release();
    let mount = folder.path().join("medium");
    std::fs::create_dir(&mount).unwrap();
    let on_medium = || {
        let script = "mount --bind \"$1\" \"$2\" && mount -o remount,bind,ro \"$2\" && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&path).arg(&mount);
        with_role(command.arg(std::env::current_exe().unwrap()).args(AS_CHILD), "look", &mount, 0);
        look(&mut command)
    };
    let Some(sound) = on_medium() else { return };
    assert_eq!(sound, ["serves", "refused"]);
    crash(&path);
    let before = contents(&path);
    assert_eq!(on_medium().unwrap(), ["interrupted", "refused"]);
    assert_eq!(contents(&path), before);
    assert_intact(&WorkIndex::open(&path).unwrap());
    assert_eq!(on_medium().unwrap(), ["serves", "refused"]);
}

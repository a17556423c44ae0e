//! An index is a folder that can be moved, copied and reached by any path, and its bytes mean the same everywhere.

mod common;

use std::path::Path;

use common::*;
use workindex::{Error, Monitor, RankOptions, WorkIndex};

/// An index in a folder of its own, and what it answers.
fn index_with_answers() -> (tempfile::TempDir, std::path::PathBuf, Vec<workindex::Ranking>) {
    let (folder, path) = scratch();
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &list_release("1", &["weld", "solder", "braze"]));
    writer.commit().unwrap();
    drop(writer);
    let before = answers(&WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap());
    (folder, path, before)
}

fn assert_answers(path: &Path, expected: &[workindex::Ranking]) {
    let index = WorkIndex::open(path).unwrap();
    assert_eq!(answers(&index.space("list/skill/en").unwrap()), expected, "{}", path.display());
    assert_intact(&index);
}

#[test]
fn a_moved_index_answers_as_before_and_can_be_written() {
    let (folder, path, expected) = index_with_answers();
    let moved = folder.path().join("naam met spaties/índex 漢字 🦀.index");
    std::fs::create_dir(moved.parent().unwrap()).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    assert_answers(&moved, &expected);
    let mut writer = WorkIndex::writer(&moved).unwrap();
    ingest_list(&mut writer, &list_release("2", &["sing"]));
    writer.commit().unwrap();
    assert_eq!(WorkIndex::open(&moved).unwrap().space("list/skill/en").unwrap().len(), 1);
    assert!(matches!(WorkIndex::open(&path), Err(Error::NotAnIndex { .. })));
}

#[test]
fn a_moved_index_still_embeds_texts() {
    let (folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &mini_esco_dutch());
    drop(writer);
    let rank = |path: &Path| {
        let space = WorkIndex::open(path).unwrap().space("esco/skill/nl").unwrap();
        space.rank("verpleegkundige", &RankOptions::top(5)).unwrap()
    };
    let before = rank(&path);
    let moved = folder.path().join("elsewhere.index");
    std::fs::rename(&path, &moved).unwrap();
    assert_eq!(rank(&moved), before);
    assert_eq!(ingest(&mut WorkIndex::writer(&moved).unwrap(), &list_release("1", &["lassen"])).embedded, 1);
}

#[test]
fn a_copy_answers_as_the_original_and_goes_its_own_way() {
    let (folder, path, expected) = index_with_answers();
    let copy = folder.path().join("copy.index");
    copy_folder(&path, &copy);
    assert_answers(&copy, &expected);
    let mut writer = WorkIndex::writer(&copy).unwrap();
    let _other = WorkIndex::writer(&path).unwrap();
    writer.drop_release("list@1/skill/en").unwrap();
    writer.compact(&Monitor::silent()).unwrap();
    assert_answers(&path, &expected);
}

#[test]
fn relative_paths_and_links_lead_to_the_index() {
    let (folder, path, expected) = index_with_answers();
    // The working folder is the process's and other tests run beside this one: a relative path that climbs out of it.
    let here = std::env::current_dir().unwrap().canonicalize().unwrap();
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    let absolute = path.canonicalize().unwrap();
    let relative = up.join(absolute.strip_prefix("/").unwrap_or(&absolute));
    if cfg!(unix) {
        assert!(relative.is_relative());
        assert_answers(&relative, &expected);
    }
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_answers(&link, &expected);
        let mut writer = WorkIndex::writer(&link).unwrap();
        assert!(matches!(WorkIndex::writer(&path), Err(Error::Locked { .. })), "one index, whatever its path");
        ingest_list(&mut writer, &list_release("2", &["sing"]));
        writer.commit().unwrap();
        assert_eq!(WorkIndex::open(&path).unwrap().info().unwrap().releases.len(), 2);
    }
    drop(folder);
}

#[test]
fn an_index_is_created_in_an_empty_folder_and_nowhere_else_that_exists() {
    let (folder, _) = scratch();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    drop(list_index(&empty));
    assert_intact(&WorkIndex::open(&empty).unwrap());
    let encoder = workindex::DeclaredEncoder::new("made-by-hand", DIM).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"mine").unwrap();
    for taken in [&empty, &file, &folder.path().to_path_buf()] {
        let error = WorkIndex::create_declared(taken, &encoder).unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    drop(list_index(&folder.path().join("not/there/yet")));
    let leftovers = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(leftovers.filter(|name| name.to_string_lossy().starts_with(".workindex")).count(), 0);
}

/// The index belongs where a link leads, which may be another disk; the link stays.
#[cfg(unix)]
#[test]
fn an_index_is_created_where_a_link_to_an_empty_folder_leads() {
    let (folder, link) = scratch();
    let target = folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    drop(list_index(&link));
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_intact(&WorkIndex::open(&target).unwrap());
}

/// An index is for whom the umask says, like any folder: not for its creator alone.
#[cfg(unix)]
#[test]
fn a_new_index_has_the_permissions_of_a_new_folder() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = scratch();
    let plain = folder.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    drop(list_index(&path));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
    assert_eq!(mode(&path.join("segments")), mode(&plain));
}

/// The format, frozen: fixed matrices make a file of fixed content. When this hash has to change, the bytes of a
/// segment have changed, which is a new format version (`index-format.md`, "Version history").
#[test]
fn fixed_matrices_make_a_segment_of_fixed_bytes() {
    let (_folder, path, _) = index_with_answers();
    let segment = only_segment(&path);
    let bytes = std::fs::read(&segment).unwrap();
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "d8af6495cc61a65ce78bc32b74abdeb71548aa5b6cdab3a542f9036a21cdd33f"
    );
    // The name is the hash of everything before the trailer.
    let name = segment.file_stem().unwrap().to_str().unwrap();
    assert_eq!(name, blake3::hash(&bytes[..bytes.len() - 64]).to_hex().as_str());
}

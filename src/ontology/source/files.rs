//! The files that several inputs offer together: each input a folder, a zip archive or a single file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::archive::{Archive, ArchiveEntry};
use super::meter::Meter;
use super::records::{Dialect, Records};
use crate::error::{Error, Result};
use crate::monitor::Monitor;

/// Files that one folder may hold; more means that it is the wrong folder.
const MAX_FOLDER_FILES: usize = 10_000;

/// A file that some input offers.
pub(super) struct SourceFile {
    /// Its name without folders.
    pub(super) name: String,
    /// Where it is: a path, or `archive.zip/entry`.
    pub(super) path: PathBuf,
    /// Its (uncompressed) size in bytes, as far as it is known before reading.
    pub(super) size: u64,
    /// The archive that it is in, and its entry there.
    entry: Option<(usize, ArchiveEntry)>,
}

/// The files of all inputs.
pub(super) struct InputFiles<'a> {
    files: Vec<SourceFile>,
    archives: Vec<Archive>,
    meter: Meter<'a>,
}

impl<'a> InputFiles<'a> {
    /// Lists the files in the given folders (with the archives and folders directly in them), archives and single files.
    pub(super) fn gather<P: AsRef<Path>>(paths: &[P], monitor: &'a Monitor) -> Result<Self> {
        let mut input = Self { files: Vec::new(), archives: Vec::new(), meter: Meter::new(monitor) };
        for path in paths {
            monitor.check()?;
            input.add(path.as_ref(), 2)?;
        }
        if input.files.is_empty() {
            let got = match paths {
                [] => "no path".to_string(),
                _ => "no file in them".to_string(),
            };
            let expected = "folders, zip archives or files to read".to_string();
            return Err(Error::InvalidOption { option: "paths", expected, got });
        }
        Ok(input)
    }

    /// Adds a path, going down `depth` folders.
    fn add(&mut self, path: &Path, depth: u32) -> Result<()> {
        let metadata = fs::metadata(path).map_err(Error::io("read", path))?;
        if metadata.is_dir() {
            return if depth > 0 { self.add_folder(path, depth) } else { Ok(()) };
        }
        if !metadata.is_file() {
            return Err(input_error(path, "neither a folder nor a regular file".to_string()));
        }
        if is_archive(path)? {
            return self.add_archive(path);
        }
        let name = base_name(path);
        self.files.push(SourceFile { name, path: path.to_path_buf(), size: metadata.len(), entry: None });
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, depth: u32) -> Result<()> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
            let entry = entry.map_err(Error::io("list", folder))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
            if paths.len() > MAX_FOLDER_FILES {
                return Err(input_error(folder, format!("the folder holds more than {MAX_FOLDER_FILES} files")));
            }
        }
        paths.sort();
        paths.iter().try_for_each(|path| self.add(path, depth - 1))
    }

    fn add_archive(&mut self, path: &Path) -> Result<()> {
        let (archive, entries) = Archive::open(path)?;
        for entry in entries {
            let name = base_name(Path::new(&entry.name));
            let made_by_macos = entry.name.starts_with("__MACOSX/");
            if !name.starts_with('.') && !made_by_macos {
                let (path, size) = (archive.entry_path(&entry.name), entry.size);
                self.files.push(SourceFile { name, path, size, entry: Some((self.archives.len(), entry)) });
            }
        }
        self.archives.push(archive);
        Ok(())
    }

    /// All files, in the order of the inputs.
    pub(super) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The position of the one file that fits.
    ///
    /// # Errors
    /// [`Error::Input`] when two inputs offer such a file.
    pub(super) fn find(&self, fits: impl Fn(&SourceFile) -> bool) -> Result<Option<usize>> {
        let mut found = self.files.iter().enumerate().filter(|(_, file)| fits(file));
        let first = found.next();
        match (first, found.next()) {
            (Some((_, one)), Some((_, two))) => Err(given_twice(one, two)),
            _ => Ok(first.map(|(at, _)| at)),
        }
    }

    /// The position of the one file of this name, in any case.
    pub(super) fn named(&self, name: &str) -> Result<Option<usize>> {
        self.find(|file| file.name.eq_ignore_ascii_case(name))
    }

    /// Announces which files will be read, for the progress.
    pub(super) fn expect(&self, used: &[usize]) {
        let sizes = used.iter().filter_map(|&at| self.files.get(at)).map(|file| file.size);
        self.meter.expect(sizes.fold(0, u64::saturating_add));
    }

    /// Opens the file at a position (from [`find`](Self::find)) for reading.
    pub(super) fn open(&mut self, at: usize) -> Result<Box<dyn Read + '_>> {
        open(&self.files[at], &mut self.archives)
    }

    /// Opens the file at a position (from [`find`](Self::find)) as rows of delimited text.
    pub(super) fn records(&mut self, at: usize, dialect: Dialect) -> Result<Records<'_>> {
        let file = &self.files[at];
        let reader = open(file, &mut self.archives)?;
        Records::new(reader, &file.path, Some(file.size), dialect, &self.meter)
    }
}

fn open<'r>(file: &SourceFile, archives: &'r mut [Archive]) -> Result<Box<dyn Read + 'r>> {
    match &file.entry {
        Some((archive, entry)) => Ok(Box::new(archives[*archive].read(entry)?)),
        None => Ok(Box::new(File::open(&file.path).map_err(Error::io("open", &file.path))?)),
    }
}

/// Two inputs offer what only one may.
pub(super) fn given_twice(one: &SourceFile, two: &SourceFile) -> Error {
    let problem = format!("the same file is also given as {}; give one of them", two.path.display());
    input_error(&one.path, problem)
}

/// Whether a file is called a zip archive, or begins like one.
fn is_archive(path: &Path) -> Result<bool> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        return Ok(true);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(4).read_to_end(&mut start).map_err(Error::io("read", path))?;
    Ok(start == b"PK\x03\x04")
}

fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// An error about an input as a whole.
pub(super) fn input_error(path: &Path, problem: String) -> Error {
    Error::Input { path: path.to_path_buf(), row: None, column: None, problem }
}

//! The folder that the sets are read from, and which file of it is which.
//!
//! ```text
//! DIR/esco/<release>/      the zip archives (or unpacked files) of a release, as ESCO publishes them
//! DIR/onet/<release>/      the text database of a release, as O*NET publishes it
//! DIR/workbench/           annotations, as their authors publish them; each loader says which
//! ```
//!
//! A part that is not there makes its sets missing, which is reported and no error.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::source::{Dialect, Meter, Records, Row, esco, onet};
use crate::ontology::{ReadReport, Release};

/// Which parts of the folder are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataOptions {
    /// The release of ESCO for every set; without, the one that a set was made for where it is there, else the newest.
    pub esco: Option<String>,
    /// The release of O*NET; without, the newest.
    pub onet: Option<String>,
    /// The language of ESCO's labels, as in `skills_en.csv`.
    pub language: String,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self { esco: None, onet: None, language: "en".to_string() }
    }
}

/// A folder of evaluation data. Releases are read once, when a set first needs them.
pub struct Data {
    root: PathBuf,
    options: DataOptions,
    /// By ontology, version and language.
    releases: Mutex<BTreeMap<[String; 3], Arc<Release>>>,
}

/// How a set of rows is written.
pub(super) enum Header<'a> {
    /// The first line names the columns; each of these may go by several names.
    Named(&'a [&'a [&'a str]]),
    /// There is none; these are the columns.
    Without(&'a [&'a str]),
}

impl Data {
    /// A folder with at least one of `esco`, `onet` and `workbench` in it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when it has none of them, or not the release that the options name.
    pub fn open(root: impl Into<PathBuf>, options: DataOptions) -> Result<Self> {
        let data = Self { root: root.into(), options, releases: Mutex::default() };
        let parts = ["esco", "onet", "workbench"];
        if !parts.iter().any(|part| data.root.join(part).is_dir()) {
            return Err(Error::InvalidOption {
                option: "data",
                expected: format!("a folder with {} in it", parts.join("/, ") + "/"),
                got: data.root.display().to_string(),
            });
        }
        for (option, ontology, wanted) in [("esco", "esco", &data.options.esco), ("onet", "onet", &data.options.onet)] {
            let found = data.versions(ontology);
            if let Some(wanted) = wanted.as_ref().filter(|wanted| !found.contains(wanted)) {
                let there = if found.is_empty() { "none".to_string() } else { found.join(", ") };
                let expected = format!("a release below {}: {there}", data.root.join(ontology).display());
                return Err(Error::InvalidOption { option, expected, got: wanted.clone() });
            }
        }
        Ok(data)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The options.
    pub fn options(&self) -> &DataOptions {
        &self.options
    }

    /// The releases of an ontology that are there, oldest first: folders that are named by a number.
    pub fn versions(&self, ontology: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root.join(ontology)) else { return Vec::new() };
        let folders = entries.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_dir());
        let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
        let mut numbered: Vec<(Vec<u32>, String)> = names.filter_map(|name| Some((number(&name)?, name))).collect();
        numbered.sort();
        numbered.into_iter().map(|(_, name)| name).collect()
    }

    /// The release of ESCO to use for a set that was made for `original`, if any is there.
    pub(super) fn esco_version(&self, original: Option<&str>) -> Option<String> {
        let mut versions = self.versions("esco");
        match (&self.options.esco, original) {
            (Some(wanted), _) => Some(wanted.clone()),
            (None, Some(original)) if versions.iter().any(|version| version == original) => Some(original.to_string()),
            _ => versions.pop(),
        }
    }

    /// The release of O*NET to use, if any is there.
    pub(super) fn onet_version(&self) -> Option<String> {
        self.options.onet.clone().or_else(|| self.versions("onet").pop())
    }

    /// A release of ESCO, in the language of the options.
    pub(super) fn esco(&self, version: &str, monitor: &Monitor) -> Result<Arc<Release>> {
        self.esco_in(&self.options.language, version, monitor)
    }

    /// A release of ESCO that is there, in the language of the options.
    ///
    /// # Errors
    /// As [`esco::read`](crate::esco::read).
    pub fn esco_release(&self, version: &str, monitor: &Monitor) -> Result<Arc<Release>> {
        self.esco(version, monitor)
    }

    /// A release of O*NET that is there.
    ///
    /// # Errors
    /// As [`onet::read`](crate::onet::read).
    pub fn onet_release(&self, version: &str, monitor: &Monitor) -> Result<Arc<Release>> {
        self.onet(version, monitor)
    }

    /// A release of ESCO in a language.
    pub(super) fn esco_in(&self, language: &str, version: &str, monitor: &Monitor) -> Result<Arc<Release>> {
        self.release(["esco", version, language], |folder| {
            let language = Some(language.to_string());
            let options = esco::Options { version: Some(version.to_string()), language };
            Ok(esco::read(&[folder], &options, monitor)?.0)
        })
    }

    /// A release of O*NET.
    pub(super) fn onet(&self, version: &str, monitor: &Monitor) -> Result<Arc<Release>> {
        self.release(["onet", version, "en"], |folder| {
            let options = onet::Options { version: Some(version.to_string()) };
            Ok(onet::read(&[folder], &options, monitor)?.0)
        })
    }

    fn release(
        &self,
        [ontology, version, language]: [&str; 3],
        read: impl FnOnce(&Path) -> Result<Release>,
    ) -> Result<Arc<Release>> {
        let key = [ontology, version, language].map(str::to_string);
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(release) = releases.get(&key) {
            return Ok(Arc::clone(release));
        }
        let release = Arc::new(read(&self.root.join(ontology).join(version))?);
        releases.insert(key, Arc::clone(&release));
        Ok(release)
    }

    /// A file below `workbench`, if it is there.
    pub(super) fn annotations(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join("workbench").join(name)).filter(|path| path.is_file())
    }

    /// The names of the folders below `workbench` that begin with `prefix`, sorted.
    pub(super) fn annotation_folders(&self, prefix: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root.join("workbench")) else { return Vec::new() };
        let folders = entries.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_dir());
        let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.len() > prefix.len() && name.starts_with(prefix)).collect();
        names.sort();
        names
    }

    /// A path as results name it: from the data folder on, with `/`.
    pub(super) fn relative(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data").field("root", &self.root).field("options", &self.options).finish_non_exhaustive()
    }
}

/// Reads a file of delimited text row by row; `each` gets the fields of the wanted columns, stripped, and the line.
pub(super) fn each_row(
    path: &Path,
    dialect: Dialect,
    header: &Header<'_>,
    monitor: &Monitor,
    mut each: impl FnMut(&[&str], u64) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let (meter, mut report) = (Meter::new(monitor), ReadReport::default());
    let (mut records, columns): (Records, Vec<usize>) = match header {
        Header::Named(columns) => {
            let records = Records::new(Box::new(file), path, Some(size), dialect, &meter)?;
            let columns = columns.iter().map(|names| column(&records, names)).collect::<Result<_>>()?;
            (records, columns)
        }
        Header::Without(names) => {
            let records = Records::without_header(Box::new(file), path, Some(size), (dialect, names), &meter);
            (records, (0..names.len()).collect())
        }
    };
    while let Some(row) = records.next(&mut report)? {
        let fields: Vec<&str> = columns.iter().map(|&column| Row::get(&row, column)).collect();
        each(&fields, row.line)?;
    }
    Ok(())
}

/// An error about a row.
pub(super) fn row_error(path: &Path, line: u64, column: &str, problem: String) -> Error {
    Error::Input { path: path.to_path_buf(), row: Some(line), column: Some(column.to_string()), problem }
}

/// The column that goes by one of these names; the first of them in errors.
fn column(records: &Records, names: &[&str]) -> Result<usize> {
    match names.iter().find_map(|name| records.optional(name)) {
        Some(column) => Ok(column),
        None => records.column(names.first().copied().unwrap_or_default()),
    }
}

/// "1.1.0" as numbers.
fn number(name: &str) -> Option<Vec<u32>> {
    name.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_folders_named_by_numbers_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1.1.1", "1.10.0", "1.0-partial", "1.2", "notes"] {
            std::fs::create_dir_all(folder.path().join("esco").join(name)).unwrap();
        }
        let data = Data::open(folder.path(), DataOptions::default()).unwrap();
        assert_eq!(data.versions("esco"), ["1.1.1", "1.2", "1.10.0"]);
        assert!(data.versions("onet").is_empty());
        assert_eq!(data.esco_version(None).as_deref(), Some("1.10.0"));
        assert_eq!(data.esco_version(Some("1.1.1")).as_deref(), Some("1.1.1"));
        assert_eq!(data.esco_version(Some("1.0.5")).as_deref(), Some("1.10.0"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = Data::open(folder.path(), DataOptions::default()).unwrap_err();
        assert!(error.to_string().contains("esco/, onet/, workbench/"), "{error}");
        std::fs::create_dir_all(folder.path().join("esco/1.1.0")).unwrap();
        let options = DataOptions { esco: Some("1.2.0".to_string()), ..DataOptions::default() };
        let error = Data::open(folder.path(), options).unwrap_err();
        assert!(error.to_string().contains("1.1.0") && error.to_string().contains("found 1.2.0"), "{error}");
    }
}

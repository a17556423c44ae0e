//! Reads the O*NET text database: a folder such as `db_29_0_text`, its zip archive, or single tables of it.
//!
//! | table | becomes |
//! |---|---|
//! | `Occupation Data` | occupations; the id is the O*NET-SOC code, which is the attribute `code` too |
//! | `Alternate Titles`, `Sample of Reported Titles` | alternative labels of occupations; a short title is one more |
//! | `Job Zones` | the attribute `jobZone` of occupations |
//! | `DWA Reference`, `IWA Reference` | activities; attributes `elementId`, `iwaId`, `iwaTitle` |
//! | `Task Statements` | tasks, attribute `taskType`; an occupation [`Performs`](crate::RelationKind::Performs) its tasks |
//! | `Tasks to DWAs` | a task is [`PartOf`](crate::RelationKind::PartOf) an activity |
//! | `Technology Skills`, `Tools Used` | technologies and tools, attributes `commodityCode`, `commodityTitle`, `hotTechnology`; an occupation [`Uses`](crate::RelationKind::Uses) them |
//! | `Related Occupations` | [`Related`](crate::RelationKind::Related), from the occupation to each of its related ones |
//!
//! A technology or tool is its name: the name is id and label, and all rows of the name add their commodities (150 of
//! 8,700 technologies have several). A task number is one task wherever it stands (in the releases up to 29.0 it stands
//! once). What belongs to a pair of an occupation and something else (`Incumbents Responding`, `In Demand`,
//! relatedness tiers, dates and sources) is not kept. All other tables are listed as not used; only `Occupation Data`
//! is required.

mod relations;
mod tables;

use std::io::Read;
use std::path::Path;

use super::files::InputFiles;
use super::records::{Dialect, Records, source_error};
use super::version::{version_after, versions};
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{ReadReport, Release, ReleaseBuilder};

const ATTRIBUTION: &str = "This product includes information from the O*NET Database by the U.S. Department of Labor, \
                           Employment and Training Administration (USDOL/ETA), used under the CC BY 4.0 license.";

/// The file that says which release it is.
const READ_ME: &str = "Read Me.txt";

/// What a table does to the release.
type TableReader = fn(Records, &mut ReleaseBuilder) -> Result<()>;

/// The tables that are read, in the order in which each finds the concepts that it needs.
const TABLES: [(&str, TableReader); 11] = [
    ("Occupation Data.txt", tables::occupations),
    ("Alternate Titles.txt", tables::alternate_titles),
    ("Sample of Reported Titles.txt", tables::reported_titles),
    ("Job Zones.txt", tables::job_zones),
    ("DWA Reference.txt", tables::activities),
    ("IWA Reference.txt", tables::intermediate_activities),
    ("Task Statements.txt", relations::tasks),
    ("Tasks to DWAs.txt", relations::tasks_to_activities),
    ("Technology Skills.txt", relations::technologies),
    ("Tools Used.txt", relations::tools),
    ("Related Occupations.txt", relations::related_occupations),
];

/// What the files do not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The release, such as "29.0"; `None` takes it from `Read Me.txt`, or else from the name of the folder or archive.
    pub version: Option<String>,
}

/// Reads a release of O*NET from folders, zip archives and single tables together.
///
/// The ontology is called `onet`; its language is `en`.
///
/// # Errors
/// [`Error::InvalidOption`] when the release is neither given nor found; [`Error::Input`] when a table cannot be read as
/// what its name says, is given twice, or `Occupation Data.txt` is missing; [`Error::Io`]; [`Error::Cancelled`].
pub fn read<P: AsRef<Path>>(paths: &[P], options: &Options, monitor: &Monitor) -> Result<(Release, ReadReport)> {
    let mut files = InputFiles::gather(paths, monitor)?;
    let mut found = Vec::new();
    for (name, table) in TABLES {
        found.extend(files.named(name)?.map(|at| (at, table)));
    }
    let (occupations, _) = TABLES[0];
    if files.named(occupations)?.is_none() {
        let path = paths.first().map(|path| path.as_ref().to_path_buf()).unwrap_or_default();
        let problem = format!("no `{occupations}` here; is it the O*NET database in its text format?");
        return Err(Error::Input { path, row: None, column: None, problem });
    }
    let version = match &options.version {
        Some(version) => version.clone(),
        None => version(&mut files, paths)?,
    };
    let mut builder = ReleaseBuilder::new("onet", &version, "en")?;
    builder.attribution(ATTRIBUTION);
    let positions: Vec<usize> = found.iter().map(|&(at, _)| at).collect();
    let unused = files.files().iter().enumerate().filter(|(at, _)| !positions.contains(at));
    builder.report().unused_files = unused.map(|(_, file)| file.name.clone()).filter(|name| name != READ_ME).collect();
    files.expect(&positions);
    for (at, table) in found {
        table(files.records(at, Dialect::TabUnquoted)?, &mut builder)?;
    }
    Ok(builder.finish())
}

/// The release by the database's own words, or else by the names of the inputs and of the folder that each is in.
fn version<P: AsRef<Path>>(files: &mut InputFiles, paths: &[P]) -> Result<String> {
    if let Some(at) = files.named(READ_ME)? {
        let path = files.files()[at].path.clone();
        let mut start = Vec::new();
        files.open(at)?.take(400).read_to_end(&mut start).map_err(|error| source_error(&path, 1, error))?;
        if let Some(version) = version_after(&String::from_utf8_lossy(&start), "o*net", &['.']) {
            return Ok(version);
        }
    }
    let tables =
        files.files().iter().filter(|file| TABLES.iter().any(|(name, _)| file.name.eq_ignore_ascii_case(name)));
    let found = versions(tables.map(|file| file.path.as_path()), paths, |name| version_after(name, "db_", &['_', '.']));
    let list = found.iter().cloned().collect::<Vec<_>>().join(", ");
    let expected = match found.len() {
        1 => return Ok(list),
        0 => "a release to be given, because neither `Read Me.txt` nor a name such as `db_29_0_text` says it",
        _ => "files of one release, or the release to be given",
    };
    let got = if list.is_empty() { "none".to_string() } else { list };
    Err(Error::InvalidOption { option: "release", expected: expected.to_string(), got })
}

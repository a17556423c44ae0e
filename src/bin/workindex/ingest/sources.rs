//! The inputs that can be ingested, and their arguments.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use workindex::{ReadReport, Release, SpaceName, TokenMatrix, esco, onet, read_matrices, table};

use super::{Common, Source};
use crate::console::Console;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::rank::space_name;

const ESCO_EXAMPLES: &str = "\
Examples:
  workindex ingest esco work.index 'ESCO dataset - v1.1.1 - classification - en - csv.zip' \\
                                   'ESCO dataset - v1.1.1 - relations - csv.zip'
  workindex ingest esco work.index unpacked/ --release 1.2.0 --language nl --forms all";

/// The official CSV distribution of ESCO: any 1.x release, any language.
///
/// Makes the spaces esco/skill, esco/occupation, esco/isco-group and esco/skill-group of the language.
#[derive(Debug, ClapArgs)]
#[command(after_help = ESCO_EXAMPLES)]
pub struct Esco {
    /// The index.
    index: PathBuf,
    /// Zip archives as downloaded, folders or single files, together one release.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The release, such as 1.1.1. Otherwise it is taken from the names.
    #[arg(long, value_name = "R")]
    release: Option<String>,
    /// The language, such as en. Otherwise it is taken from the names.
    #[arg(long, value_name = "L")]
    language: Option<String>,
    #[command(flatten)]
    common: Common,
}

const ONET_EXAMPLES: &str = "\
Examples:
  workindex ingest onet work.index db_29_0_text.zip
  workindex rank work.index onet/task/en 'weld stainless steel pipes'";

/// The O*NET database as text files.
///
/// Makes the spaces onet/occupation/en, onet/task/en, onet/technology/en, onet/tool/en and onet/activity/en.
#[derive(Debug, ClapArgs)]
#[command(after_help = ONET_EXAMPLES)]
pub struct Onet {
    /// The index.
    index: PathBuf,
    /// The zip archive as downloaded, its folder or single tables, together one release.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The release, such as 29.0. Otherwise it is taken from the read-me or the names.
    #[arg(long, value_name = "R")]
    release: Option<String>,
    #[command(flatten)]
    common: Common,
}

const TABLE_EXAMPLES: &str = "\
Examples:
  workindex ingest table work.index skills.csv --space our-skills/skill/en --release 2026-11
  workindex ingest table work.index titles.txt --space titles/occupation/en
  cut -f2 jobs.tsv | workindex ingest table work.index - --table-format plain --space jobs/occupation/en
  workindex ingest table ours.index skills.csv --space our-skills/skill/en --matrices skills.safetensors

Columns: label (or preferredLabel, title, name); optionally id, alternative_labels, description, kind. All others
become attributes, to be asked for with `rank --where`.";

/// Your own list: CSV, TSV or JSON lines with columns, or plain text with one label a line.
#[derive(Debug, ClapArgs)]
#[command(after_help = TABLE_EXAMPLES)]
pub struct Table {
    /// The index.
    index: PathBuf,
    /// The file; `-` is standard input. What it is its extension says: .csv, .tsv, .jsonl, .txt.
    file: PathBuf,
    /// The space to make: a name of your own, the kind of its concepts, their language.
    #[arg(long, value_name = "NAME/KIND/LANG", value_parser = space_name)]
    space: SpaceName,
    /// The release: any name for this version of the list. [default: 1]
    #[arg(long, value_name = "R")]
    release: Option<String>,
    /// What the file is, if its extension does not say it.
    #[arg(long, value_enum)]
    table_format: Option<FormatName>,
    /// Token matrices made elsewhere, one for each concept in the order of the file, for an index made with `init --declare`: a safetensors
    /// file with `tokens` (rows × dim, F32), `offsets` (texts + 1, I64) and optionally `pooled` (texts × dim, F32).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["forms", "backend", "memory"])]
    matrices: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Csv,
    Tsv,
    Jsonl,
    /// One label a line.
    Plain,
}

impl From<FormatName> for table::Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Csv => table::Format::Csv,
            FormatName::Tsv => table::Format::Tsv,
            FormatName::Jsonl => table::Format::JsonLines,
            FormatName::Plain => table::Format::Plain,
        }
    }
}

impl Source {
    pub fn index(&self) -> &Path {
        match self {
            Source::Esco(Esco { index, .. })
            | Source::Onet(Onet { index, .. })
            | Source::Table(Table { index, .. }) => index,
        }
    }

    pub fn common(&self) -> &Common {
        match self {
            Source::Esco(Esco { common, .. })
            | Source::Onet(Onet { common, .. })
            | Source::Table(Table { common, .. }) => common,
        }
    }

    pub fn read(&self, console: &Console) -> Outcome<(Release, ReadReport)> {
        match self {
            Source::Esco(args) => {
                let options = esco::Options { version: args.release.clone(), language: args.language.clone() };
                Ok(esco::read(&args.paths, &options, &console.monitor())?)
            }
            Source::Onet(args) => {
                let options = onet::Options { version: args.release.clone() };
                Ok(onet::read(&args.paths, &options, &console.monitor())?)
            }
            Source::Table(args) => args.read(console),
        }
    }

    /// Token matrices made elsewhere, if the release comes with them.
    pub fn matrices(&self) -> Outcome<Option<Vec<TokenMatrix>>> {
        match self {
            Source::Table(Table { matrices: Some(path), .. }) => Ok(Some(read_matrices(path)?)),
            _ => Ok(None),
        }
    }
}

impl Table {
    fn read(&self, console: &Console) -> Outcome<(Release, ReadReport)> {
        let options = table::Options { format: self.table_format.map(Into::into), version: self.release.clone() };
        if self.file != Path::new("-") {
            return Ok(table::read(&self.file, &self.space, &options, &console.monitor())?);
        }
        if options.format.is_none() {
            return Err(Failure::Usage("standard input needs a --table-format: csv, tsv, jsonl or plain".to_string()));
        }
        let read = || table::read_from(io::stdin(), "standard input", &self.space, &options, &console.monitor());
        Ok(interrupt::while_waiting(read)?)
    }
}

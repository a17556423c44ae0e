//! The inputs that can be ingested, and their arguments.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use workindex::{ReadReport, Release, TokenMatrix, esco};

use super::{Common, Source};
use crate::console::Console;
use crate::failure::Outcome;

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

impl Source {
    pub fn index(&self) -> &Path {
        match self {
            Source::Esco(args) => &args.index,
        }
    }

    pub fn common(&self) -> &Common {
        match self {
            Source::Esco(args) => &args.common,
        }
    }

    pub fn read(&self, console: &Console) -> Outcome<(Release, ReadReport)> {
        let monitor = console.monitor();
        Ok(match self {
            Source::Esco(args) => {
                let options = esco::Options { version: args.release.clone(), language: args.language.clone() };
                esco::read(&args.paths, &options, &monitor)?
            }
        })
    }

    /// Token matrices made elsewhere, if the release comes with them.
    pub fn matrices(&self) -> Outcome<Option<Vec<TokenMatrix>>> {
        Ok(None)
    }
}

//! `workindex ingest`: reads a release and adds it to an index.

mod describe;
mod sources;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use workindex::{Forms, IngestOptions, IngestReport, ReadReport, Release, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::settings::Means;
use crate::{info, json};

/// Read a release of an ontology and add it to an index.
///
/// Only texts that the index's encoder has never embedded are embedded, so that a new release costs what changed in it.
/// Older releases stay until they are dropped. Nothing is changed unless all of it succeeds.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    pub source: Source,
}

/// What to ingest.
#[derive(Debug, Subcommand)]
pub enum Source {
    Esco(sources::Esco),
    Onet(sources::Onet),
    Table(sources::Table),
}

/// What all sources take.
#[derive(Debug, ClapArgs)]
pub struct Common {
    /// Which texts of a concept are embedded. With `all`, a concept scores as the mean of its preferred label's score and
    /// its best label's: that ranked better on every measured set (by 0.4 to 5 MAP), for an index of ESCO's skills that is six
    /// times as large.
    #[arg(long, value_enum, default_value_t = FormsName::Preferred)]
    forms: FormsName,
    #[command(flatten)]
    means: Means,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Which texts of a concept are embedded.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormsName {
    /// The preferred label.
    Preferred,
    /// The preferred label and all alternative labels.
    All,
}

impl From<FormsName> for Forms {
    fn from(name: FormsName) -> Self {
        match name {
            FormsName::Preferred => Forms::Preferred,
            FormsName::All => Forms::All,
        }
    }
}

/// An ingest that was committed.
struct Done {
    index: PathBuf,
    release: Release,
    read: ReadReport,
    ingest: IngestReport,
    reading: Duration,
    ingesting: Duration,
    index_bytes: u64,
}

pub fn run(source: &Source, console: &Console) -> Outcome {
    let (index, common) = (source.index(), source.common());
    // Opened first: a second writer should learn of the first before it reads a gigabyte.
    let mut writer = WorkIndex::writer(index)?.on(common.means.backend);
    let start = Instant::now();
    let (release, read) = source.read(console)?;
    let reading = start.elapsed();
    let start = Instant::now();
    let options = IngestOptions { forms: common.forms.into(), memory: common.means.memory };
    let ingest = match source.matrices()? {
        Some(matrices) => writer.ingest_matrices(&release, &matrices, &console.monitor())?,
        None => writer.ingest(&release, &options, &console.monitor())?,
    };
    console.check()?;
    writer.commit()?;
    drop(writer);
    let ingesting = start.elapsed();
    let index_bytes = info::total_bytes(&WorkIndex::open(index)?.info()?);
    let done = Done { index: index.to_path_buf(), release, read, ingest, reading, ingesting, index_bytes };
    match common.json {
        true => json::print(&describe::as_json(&done)),
        false => print(describe::as_text(&done)),
    }
}

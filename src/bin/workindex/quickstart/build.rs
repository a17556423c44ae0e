//! The encoder, and the index: found where an earlier run left it, or made.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use workindex::{Encoder, Error, Forms, IndexWriter, IngestOptions, WorkIndex};

use super::ontology;
use crate::console::Console;
use crate::encoder::Choice;
use crate::failure::{Failure, Outcome};
use crate::{cache, units};

/// The variable that names a model directory.
const ENCODER: &str = "WORKINDEX_ENCODER";

/// The encoder to use: what the environment says, else the one that is built in.
pub fn encoder() -> Choice {
    match std::env::var_os(ENCODER).filter(|dir| !dir.is_empty()) {
        Some(dir) => Choice::Dir(dir.into()),
        None => Choice::BuiltIn,
    }
}

/// An index with the ontology in it.
pub struct Built {
    pub dir: PathBuf,
    pub name: String,
    pub concepts: usize,
    pub relations: usize,
    texts: usize,
    embedded: usize,
    time: Duration,
}

impl Built {
    /// What was embedded, and how fast.
    pub fn embedded(&self) -> String {
        match self.embedded {
            0 => format!("{}, there from an earlier run", units::counted(self.texts, "label")),
            n => {
                let rate = units::rate(n, self.time);
                format!("{} embedded in {} ({rate:.0}/s)", units::counted(n, "label"), units::duration(self.time))
            }
        }
    }
}

/// Makes the index, or finds it made.
pub fn index(encoder: &Encoder, dir: Option<&Path>, console: &Console) -> Outcome<Built> {
    let (dir, ours) = match dir {
        Some(dir) => (dir.to_path_buf(), false),
        None => (own_dir(encoder)?, true),
    };
    let release = ontology::read(console)?;
    let is_new = !dir.exists();
    let mut writer = open_or_create(&dir, encoder, ours)?;
    if is_new {
        console.note("embedding the labels of the ontology …");
    }
    let options = IngestOptions { forms: Forms::All, ..Default::default() };
    let start = Instant::now();
    let report = writer.ingest(&release, &options, &console.monitor())?;
    console.check()?;
    writer.commit()?;
    Ok(Built {
        dir,
        name: format!("{} {}, made for this project", release.ontology(), release.version()),
        concepts: release.concepts().len(),
        relations: release.relations().len(),
        texts: report.texts,
        embedded: report.embedded,
        time: start.elapsed(),
    })
}

/// A folder of our own for each encoder.
fn own_dir(encoder: &Encoder) -> Outcome<PathBuf> {
    let fingerprint: String = encoder.fingerprint().to_string().chars().take(8).collect();
    let folder = cache::folder()?.join("quickstart");
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::plain(format!("cannot create {}: {error}", folder.display())))?;
    Ok(folder.join(format!("{}-{fingerprint}.index", ontology::NAME)))
}

/// Opens the index, or creates it. A folder of our own that holds no index that can be used is made anew.
fn open_or_create(dir: &Path, encoder: &Encoder, ours: bool) -> Outcome<IndexWriter> {
    let problem = match WorkIndex::writer(dir) {
        Ok(writer) => {
            check_encoder(dir, encoder)?;
            return Ok(writer);
        }
        Err(error) => error,
    };
    match problem {
        Error::NotAnIndex { .. } => match WorkIndex::create(dir, encoder) {
            Err(Error::AlreadyExists { .. }) if ours => recreate(dir, encoder),
            result => Ok(result?),
        },
        Error::Corrupt { .. } | Error::Version { .. } | Error::Catalog { .. } if ours => recreate(dir, encoder),
        problem => Err(problem.into()),
    }
}

fn recreate(dir: &Path, encoder: &Encoder) -> Outcome<IndexWriter> {
    std::fs::remove_dir_all(dir)
        .map_err(|error| Failure::plain(format!("cannot replace {}: {error}", dir.display())))?;
    Ok(WorkIndex::create(dir, encoder)?)
}

fn check_encoder(dir: &Path, encoder: &Encoder) -> Outcome {
    let encoders = WorkIndex::open(dir)?.info()?.encoders;
    let fingerprint = encoder.fingerprint().to_string();
    match encoders.into_iter().find(|encoder| encoder.current && encoder.fingerprint != fingerprint) {
        None => Ok(()),
        Some(other) => Err(Failure::new(
            format!("{} was made with the encoder {}, not {}", dir.display(), other.name, encoder.name()),
            "give another folder with --index",
        )),
    }
}

//! Reads everything and checks everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::tables::{self, Tables};
use super::catalog::{
    AliasList, CatalogRead, EncoderRecord, FormRef, Overlay, ReleaseRecord, SegmentRecord, SettingsRecord, check_pages,
    read_header,
};
use super::paths::{Paths, hex};
use super::segment::{Segment, SideKey, TextHash, text_hash};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Stage};
use crate::ontology::Forms;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Everything that is wrong; empty when the index is intact.
    pub problems: Vec<Problem>,
    /// Segments read.
    pub segments: u64,
    /// Releases read.
    pub releases: u64,
    /// Bytes read, segments and encoders.
    pub bytes: u64,
    /// Whether the checksums of the catalog's pages were compared, all of the same commit. Not so beside a writer that
    /// commits faster, again and again, than they are read; the other checks do not depend on it.
    pub catalog_compared: bool,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One thing that is wrong with an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// What is asked about the model directories that an index holds. Storage knows no model.
pub(crate) trait Models {
    /// The fingerprint that the files in a folder have now, with given settings.
    fn fingerprint(&self, folder: &Path, settings: &SettingsRecord) -> Result<[u8; 32]>;

    /// Whether texts go through the model as they are: without prompts, marks, heads or layers behind the pooling.
    fn is_plain(&self, folder: &Path) -> Result<bool>;

    /// What the addresses of the embeddings of concepts of a kind contain.
    fn side_key(&self, folder: &Path, kind: &str) -> Result<SideKey>;
}

/// Checks a snapshot: every segment against its hash, every record against the others, every surface form's text
/// against the hash beside its token matrix, every encoder's files against its fingerprint.
///
/// # Errors
/// Only [`Error::Cancelled`]; what is wrong with the index is in the report.
pub(crate) fn verify(snapshot: &Snapshot, models: &dyn Models, monitor: &Monitor) -> Result<VerifyReport> {
    check(snapshot, models, monitor, false)
}

/// As [`verify`], of files that were written just now: what cannot be read is an error and no finding.
pub(super) fn verify_written(snapshot: &Snapshot, models: &dyn Models, monitor: &Monitor) -> Result<VerifyReport> {
    check(snapshot, models, monitor, true)
}

fn check(snapshot: &Snapshot, models: &dyn Models, monitor: &Monitor, fails: bool) -> Result<VerifyReport> {
    let mut check = Check {
        snapshot,
        models,
        monitor,
        report: VerifyReport::default(),
        segments: BTreeMap::new(),
        unopened: BTreeSet::new(),
        total: None,
        fails,
    };
    check.total = check.total_bytes();
    check.catalog_pages()?;
    check.segments()?;
    check.embeddings()?;
    check.releases()?;
    check.encoders()?;
    Ok(check.report)
}

/// How often the catalog's pages are read anew because a writer committed meanwhile.
const CATALOG_ATTEMPTS: usize = 40;

/// Compares the checksums of the catalog's pages; `false` when it changed too much meanwhile to tell.
fn compare_pages(paths: &Paths, path: &Path) -> Result<bool> {
    let reading = || Error::io("read the catalog", path);
    let (overlay, header) = Overlay::new(paths.files().open_at(path)?).map_err(reading())?;
    let checked = check_pages(path, overlay);
    let now = read_header(&mut paths.files().open_at(path)?).map_err(reading())?;
    match checked {
        Err(_) if now != header => Ok(false),
        checked => checked.map(|()| true),
    }
}

struct Check<'a> {
    snapshot: &'a Snapshot,
    models: &'a dyn Models,
    monitor: &'a Monitor,
    report: VerifyReport,
    /// The segments that could be opened.
    segments: BTreeMap<u32, Arc<Segment>>,
    /// Those that could not be, which is said of each. What the catalog says of their forms is not judged: where a writer has
    /// collected them meanwhile, two states one after the other must not seem to share a problem.
    unopened: BTreeSet<u32>,
    total: Option<u64>,
    /// Whether an error of the medium ends the check.
    fails: bool,
}

impl Check<'_> {
    /// Notes an error as a problem, unless it is the user's wish to stop, or the medium's failure where that is one's own.
    fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error @ (Error::Io { .. } | Error::Catalog { .. })) if self.fails => Err(error),
            Err(error) => {
                let path = match &error {
                    Error::Corrupt { path, .. } | Error::Io { path, .. } | Error::Catalog { path, .. } => path.clone(),
                    Error::Version { path, .. } | Error::Encoder { path, .. } => path.clone(),
                    _ => self.snapshot.paths().catalog(),
                };
                self.report.problems.push(Problem { path, problem: error.to_string() });
                Ok(None)
            }
        }
    }

    fn wrong(&mut self, path: PathBuf, problem: String) {
        self.report.problems.push(Problem { path, problem });
    }

    fn total_bytes(&self) -> Option<u64> {
        let catalog = self.snapshot.catalog();
        let of_segment = |sum: u64, (_, record): &(u32, SegmentRecord)| sum.saturating_add(record.bytes);
        let segments = catalog.segments().ok()?.iter().fold(0, of_segment);
        let paths = self.snapshot.paths();
        let of_encoder = |fingerprint| paths.files().total_bytes(&paths.encoder(fingerprint)).unwrap_or(0);
        let encoders: u64 = catalog.encoders().ok()?.iter().map(|(_, record)| of_encoder(&record.fingerprint)).sum();
        Some(segments.saturating_add(encoders))
    }

    fn advance(&mut self, bytes: u64) -> Result<()> {
        self.report.bytes += bytes;
        self.monitor.report(Stage::Verifying, self.report.bytes, self.total);
        self.monitor.check()
    }

    /// Every page of the catalog has its checksum. Reading takes pages as they are, so that one damaged with luck is
    /// another sound catalog, with an entry less.
    ///
    /// A writer may commit meanwhile, and then reuse pages of the commit that is being read. The snapshot keeps all pages
    /// that a reader can reach, but redb's own tables are not among them: so damage counts only while the header stays.
    fn catalog_pages(&mut self) -> Result<()> {
        let path = self.snapshot.paths().catalog();
        for _ in 0..CATALOG_ATTEMPTS {
            self.monitor.check()?;
            let compared = compare_pages(self.snapshot.paths(), &path);
            if !matches!(compared, Ok(false)) {
                self.report.catalog_compared = true;
                return self.note(compared).map(drop);
            }
        }
        tracing::warn!(catalog = %path.display(), "a writer commits too often for its pages to be compared");
        Ok(())
    }

    fn segments(&mut self) -> Result<()> {
        let records = self.snapshot.catalog().segments();
        let Some(records) = self.note(records)? else { return Ok(()) };
        for (number, record) in records {
            let path = self.snapshot.paths().segment(&record.hash);
            let Some(segment) = self.note(Segment::open(self.snapshot.paths().files(), &path, &record.hash))? else {
                self.unopened.insert(number);
                continue;
            };
            let checked = segment.verify(|bytes| self.advance(bytes));
            self.note(checked)?;
            if (segment.n_rows(), segment.n_forms(), segment.bytes()) != (record.n_rows, record.n_forms, record.bytes) {
                self.wrong(
                    self.snapshot.paths().catalog(),
                    format!("segment {number} has other counts than its record"),
                );
            }
            let encoder = self.snapshot.catalog().encoder(record.encoder);
            if let Some(encoder) = self.note(encoder)?
                && (&encoder.fingerprint, encoder.dim as usize) != (segment.encoder(), segment.dim())
            {
                let problem = format!("segment {number} is not by its encoder, or has rows of another length");
                self.wrong(self.snapshot.paths().catalog(), problem);
            }
            self.report.segments += 1;
            self.segments.insert(number, Arc::new(segment));
        }
        Ok(())
    }

    /// Every embedding's entry names a form with its text hash, in a segment by its encoder.
    fn embeddings(&mut self) -> Result<()> {
        let catalog = self.snapshot.catalog();
        let encoders = catalog.encoders();
        let Some(encoders) = self.note(encoders)? else { return Ok(()) };
        let fingerprints: HashMap<u32, [u8; 32]> = encoders.into_iter().map(|(n, e)| (n, e.fingerprint)).collect();
        let mut wrong = 0u64;
        let read = self.snapshot.catalog().entries(tables::EMBEDDINGS, .., |(encoder, text), place| {
            let by = fingerprints.get(&encoder);
            let sound = by.is_some_and(|by| self.holds(FormRef::unpacked(place), text, by));
            wrong += u64::from(!sound);
            Ok(())
        });
        self.note(read)?;
        if wrong > 0 {
            self.wrong(self.snapshot.paths().catalog(), format!("{wrong} embeddings are not where the catalog says"));
        }
        Ok(())
    }

    fn releases(&mut self) -> Result<()> {
        let releases = self.snapshot.catalog().releases();
        let Some(releases) = self.note(releases)? else { return Ok(()) };
        self.strangers(&releases.iter().map(|(number, _)| *number).collect())?;
        for (number, record) in releases {
            self.monitor.check()?;
            let checked = self.release(number, &record);
            self.note(checked)?;
            self.report.releases += 1;
        }
        Ok(())
    }

    /// What the tables say of releases is of releases that there are.
    fn strangers(&mut self, releases: &BTreeSet<u32>) -> Result<()> {
        let catalog = self.snapshot.catalog();
        let mut strangers = 0u64;
        let mut count = |release: u32| {
            strangers += u64::from(!releases.contains(&release));
            Ok(())
        };
        let read = catalog
            .entries(tables::SPACES, .., |(release, _), _| count(release))
            .and_then(|()| catalog.entries(tables::ALIASES, .., |(release, _), _| count(release)))
            .and_then(|()| catalog.entries(tables::DETAILS, .., |(release, _, _), _| count(release)))
            .and_then(|()| catalog.entries(tables::ATTRIBUTES, .., |(release, _, _), _| count(release)))
            .and_then(|()| catalog.entries(tables::RELATIONS, .., |release, _| count(release)));
        self.note(read)?;
        if strangers > 0 {
            self.wrong(self.snapshot.paths().catalog(), format!("{strangers} entries belong to no release"));
        }
        Ok(())
    }

    /// The release reads, has the content it had when it was ingested, and each form's row belongs to its text.
    fn release(&mut self, number: u32, record: &ReleaseRecord) -> Result<()> {
        let catalog = self.snapshot.catalog();
        let damaged = |what: &str| Error::corrupt(catalog.path(), what, format!("another in release {number}"));
        let release = catalog.release(number, record)?;
        if super::catalog::content_hash(&release) != record.content {
            return Err(damaged("the content that was ingested"));
        }
        if release.relations().len() != record.n_relations as usize {
            return Err(damaged(&format!("{} relations", record.n_relations)));
        }
        let encoder = catalog.encoder(record.encoder)?;
        let forms = if record.all_forms { Forms::All } else { Forms::Preferred };
        for (kind, n) in &record.kinds {
            let targets = catalog.targets(number, kind)?;
            let concepts = release.concepts().iter().filter(|concept| concept.kind.as_str() == kind);
            if catalog.aliases(number, kind, targets.len())? != AliasList::new(concepts.clone()) {
                return Err(damaged(&format!("the labels of kind {kind} among the aliases")));
            }
            if concepts.clone().count() != *n as usize {
                return Err(damaged(&format!("{n} concepts of kind {kind}")));
            }
            // What is wrong with the files of a model is said of the model.
            let Ok(side) = self.side_key(&encoder, kind) else { continue };
            for (target, concept) in concepts.enumerate() {
                let places = targets.forms(target);
                let texts: Vec<_> = forms.of(concept).map(|text| text_hash(text, &side)).collect();
                let mut pairs = places.iter().zip(&texts);
                if places.len() != texts.len()
                    || !pairs.all(|(place, text)| self.holds(*place, text, &encoder.fingerprint))
                {
                    return Err(damaged(&format!("the token matrices of `{}`", concept.label)));
                }
            }
        }
        Ok(())
    }

    /// Whether a form's token matrix is that of its text by an encoder of this fingerprint, as far as its segment could be opened.
    fn holds(&self, place: FormRef, text: &TextHash, encoder: &[u8; 32]) -> bool {
        self.unopened.contains(&place.segment)
            || self
                .segments
                .get(&place.segment)
                .is_some_and(|segment| segment.encoder() == encoder && segment.text_hash(place.form) == *text)
    }

    fn side_key(&self, encoder: &EncoderRecord, kind: &str) -> Result<SideKey> {
        match encoder.settings {
            Some(_) => self.models.side_key(&self.snapshot.paths().encoder(&encoder.fingerprint), kind),
            None => Ok(None),
        }
    }

    fn encoders(&mut self) -> Result<()> {
        let current = self.snapshot.catalog().current_encoder();
        self.note(current)?;
        let encoders = self.snapshot.catalog().encoders();
        for (_, record) in self.note(encoders)?.unwrap_or_default() {
            let Some(settings) = record.settings else { continue };
            let folder = self.snapshot.paths().encoder(&record.fingerprint);
            let found = self.models.fingerprint(&folder, &settings);
            if let Some(found) = self.note(found)?
                && found != record.fingerprint
            {
                self.wrong(
                    folder.clone(),
                    format!("fingerprint {} instead of {}", hex(&found), hex(&record.fingerprint)),
                );
            }
            let bytes = self.snapshot.paths().files().total_bytes(&folder).unwrap_or(0);
            self.advance(bytes)?;
        }
        Ok(())
    }
}

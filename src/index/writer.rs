//! The one writer of an index.

use std::collections::HashMap;
use std::path::Path;

use super::embedding::Embed;
use super::encoders;
use super::ingest::{self, IngestOptions};
use super::reindex::{self, ReindexOptions, ReindexReport, Successor};
use super::report::IngestReport;
use super::rules;
use crate::encoder::{Backend, DeclaredEncoder, Encoder, Profile};
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{Kind, Release, SpaceName};
use crate::storage::catalog::{CatalogRead, EncoderRecord};
use crate::storage::segment::SideKey;
use crate::storage::{Paths, Reclaimed, WriteStore};
use crate::token_matrix::TokenMatrix;

/// An index opened for writing: one at a time, over all processes. Readers are not disturbed.
///
/// Changes are collected until [`commit`](Self::commit), which makes them durable and visible together. Dropping the
/// writer, or an error in the middle of an operation, forgets all changes since the last commit; an argument that is
/// refused at once (an unknown space, matrices that do not fit) forgets nothing. After an error of the medium or the
/// catalog, or a panic of a progress callback, the writer answers everything with [`Error::Poisoned`].
///
/// ```no_run
/// use workindex::{Encoder, IngestOptions, Monitor, WorkIndex, esco};
/// let encoder = Encoder::open("all-MiniLM-L6-v2".as_ref())?;
/// let mut writer = WorkIndex::create("work.index", &encoder)?;
/// let (release, report) = esco::read(&["ESCO dataset - v1.1.1"], &esco::Options::default(), &Monitor::silent())?;
/// writer.ingest(&release, &IngestOptions::default(), &Monitor::silent())?;
/// writer.commit()?;
/// # let _ = report;
/// # Ok::<(), workindex::Error>(())
/// ```
pub struct IndexWriter {
    store: WriteStore,
    /// The encoder of new texts; loaded at the first one.
    encoder: Option<Encoder>,
    backend: Backend,
}

impl IndexWriter {
    /// Creates an index whose texts the encoder embeds. The model's files are copied into it.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when something other than an empty folder is at the path, [`Error::Encoder`] for a scoring
    /// rule in `workindex.json` that is out of its range, [`Error::Io`].
    pub fn create(path: impl AsRef<Path>, encoder: &Encoder) -> Result<Self> {
        Self::create_at(Paths::new(path.as_ref()), encoder)
    }

    pub(super) fn create_at(paths: Paths, encoder: &Encoder) -> Result<Self> {
        let record = encoders::to_record(encoder);
        let checkpoint = encoder.checkpoint();
        // What the model says of its use is refused now, not at the first ranking.
        rules::check(checkpoint.profile(), checkpoint.dir())?;
        let store = WriteStore::create(paths, &record, Some((checkpoint.dir(), checkpoint.files())))?;
        Ok(Self { store, encoder: Some(encoder.clone()), backend: Backend::default() })
    }

    /// Creates an index of token matrices that an encoder makes elsewhere. It cannot rank texts, only token matrices.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_declared(path: impl AsRef<Path>, encoder: &DeclaredEncoder) -> Result<Self> {
        Self::create_declared_at(Paths::new(path.as_ref()), encoder)
    }

    pub(super) fn create_declared_at(paths: Paths, encoder: &DeclaredEncoder) -> Result<Self> {
        let record = EncoderRecord {
            fingerprint: *encoder.fingerprint().as_bytes(),
            name: encoder.name().to_string(),
            dim: encoder.dim() as u32,
            settings: None,
        };
        let store = WriteStore::create(paths, &record, None)?;
        Ok(Self { store, encoder: None, backend: Backend::default() })
    }

    /// Opens an index for writing.
    ///
    /// # Errors
    /// [`Error::Locked`] at once when another writer has it open; [`Error::NotAnIndex`], [`Error::Version`],
    /// [`Error::Catalog`], [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_at(Paths::new(path.as_ref()))
    }

    pub(super) fn open_at(paths: Paths) -> Result<Self> {
        Ok(Self { store: WriteStore::open(paths)?, encoder: None, backend: Backend::default() })
    }

    /// Embeds new texts on another backend than the processor's kernels: on a GPU, say. A writer that was given its encoder when
    /// the index was created keeps that one.
    pub fn on(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// Ingests a release: embeds the surface forms that the index's encoder has never embedded, and stores the release
    /// under its name. A release of that name that differs is replaced; an equal one is left as it is.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::InvalidOption`] when the index's encoder is declared; what the encoder and the file
    /// system give.
    pub fn ingest(&mut self, release: &Release, options: &IngestOptions, monitor: &Monitor) -> Result<IngestReport> {
        let (_, record) = self.store.catalog()?.current_encoder()?;
        encoders::check_runs_here(&record)?;
        let folder = self.store.encoder_folder(&record.fingerprint);
        let profile = encoders::profile_in(&folder, &record)?;
        let Self { store, encoder, backend } = self;
        // The one of an index that was re-indexed and did not commit.
        encoder.take_if(|loaded| *loaded.fingerprint().as_bytes() != record.fingerprint);
        let mut embed =
            WithEncoder { folder: &folder, record: &record, profile: profile.as_ref(), encoder, backend: *backend };
        store.unwinding(|store| ingest::ingest(store, release, options, &mut embed, monitor))
    }

    /// Embeds every surface form of every release with another encoder, and makes it the one that embeds new texts. Its model
    /// files are copied into the index. Readers go on ranking with the old encoder; with the next [`commit`](Self::commit) all
    /// spaces switch at once. An index of token matrices made elsewhere becomes one that ranks texts.
    ///
    /// Texts that the new encoder has embedded before are not embedded again. What the old encoder leaves behind, its token
    /// matrices and its model files, goes with the next [`collect`](Self::collect) or [`compact`](Self::compact): until then
    /// the way back costs little.
    ///
    /// ```no_run
    /// use workindex::{Encoder, Monitor, ReindexOptions, WorkIndex};
    /// let mut writer = WorkIndex::writer("work.index")?;
    /// let encoder = Encoder::open("JobBERT-v2".as_ref())?;
    /// writer.reindex(&encoder, &ReindexOptions::default(), &Monitor::silent())?;
    /// writer.commit()?;
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Encoder`] when the model's files have changed since the encoder was opened, or their scoring rule is out of its
    /// range; [`Error::Cancelled`]; [`Error::InvalidOption`] for a ceiling of memory that cannot be kept; what the
    /// encoder and the file system give.
    pub fn reindex(&mut self, encoder: &Encoder, options: &ReindexOptions, monitor: &Monitor) -> Result<ReindexReport> {
        let checkpoint = encoder.checkpoint();
        rules::check(checkpoint.profile(), checkpoint.dir())?;
        let record = encoders::to_record(encoder);
        let mut embed = WithEncoder {
            folder: checkpoint.dir(),
            record: &record,
            profile: Some(checkpoint.profile()),
            encoder: &mut Some(encoder.clone()),
            backend: self.backend,
        };
        let successor = Successor { record: record.clone(), model: (checkpoint.dir(), checkpoint.files()) };
        let report = self.store.unwinding(|store| reindex::reindex(store, &successor, &mut embed, options, monitor))?;
        self.encoder = Some(encoder.clone());
        Ok(report)
    }

    /// Ingests a release with token matrices made elsewhere: one for each concept's preferred label, in the release's
    /// order. Embeddings are addressed by their text: concepts with equal labels share the first one's matrix, and a text
    /// that the index has a matrix of keeps it. Matrices of another model need another declared encoder, and so another
    /// index.
    ///
    /// # Errors
    /// [`Error::Matrix`] when there are more or fewer matrices than concepts, or their rows have another length than the
    /// index's; [`Error::InvalidOption`] when the index embeds texts itself, because matrices of two origins cannot be
    /// compared.
    pub fn ingest_matrices(
        &mut self,
        release: &Release,
        matrices: &[TokenMatrix],
        monitor: &Monitor,
    ) -> Result<IngestReport> {
        let (_, record) = self.store.catalog()?.current_encoder()?;
        if record.settings.is_some() {
            return Err(Error::InvalidOption {
                option: "matrices",
                expected: "an index created for a declared encoder".to_string(),
                got: format!("one that embeds with `{}`", record.name),
            });
        }
        let concepts = release.concepts();
        if concepts.len() != matrices.len() {
            let expected = format!("one matrix for each of {} concepts", concepts.len());
            return Err(Error::Matrix { expected, got: matrices.len().to_string() });
        }
        let dim = record.dim as usize;
        if let Some(matrix) = matrices.iter().find(|matrix| matrix.dim() != dim) {
            let (expected, got) = (format!("rows of {dim} values"), format!("rows of {} values", matrix.dim()));
            return Err(Error::Matrix { expected, got });
        }
        let labels = concepts.iter().map(|concept| concept.label.as_str());
        // Reversed, so that the first of several equal labels is the one that stays.
        let by_label: HashMap<&str, &TokenMatrix> = labels.zip(matrices).rev().collect();
        let mut embed = MadeElsewhere { by_label };
        self.store.unwinding(|store| ingest::ingest(store, release, &IngestOptions::default(), &mut embed, monitor))
    }

    /// Forgets a release with all its kinds, by the pinned name of any of its spaces (`esco@1.1.0/skill/en`).
    ///
    /// Its token matrices stay on disk until [`collect`](Self::collect) or [`compact`](Self::compact).
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a name that pins no release, [`Error::UnknownSpace`].
    pub fn drop_release(&mut self, space: &str) -> Result<()> {
        let name: SpaceName = space.parse()?;
        if name.version().is_none() {
            return Err(Error::InvalidName {
                what: "release to drop",
                name: space.to_string(),
                problem: format!(
                    "say which release, as in `{}@VERSION/{}/{}`",
                    name.ontology(),
                    name.kind(),
                    name.language()
                ),
            });
        }
        self.store.drop_release(&name)
    }

    /// Makes all changes durable and visible. Returns whether there were any. When it returns without an error, the
    /// changes survive a crash of the machine.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Catalog`]; then this writer refuses to go on, and whoever opens the index next finds the
    /// old state or the new one, whole.
    pub fn commit(&mut self) -> Result<bool> {
        self.store.commit()
    }

    /// Forgets all changes since the last commit.
    pub fn abort(&mut self) {
        self.store.discard();
    }

    /// Commits, then removes segments that no release names, encoders that nothing is embedded with, and what interrupted writers
    /// left behind.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn collect(&mut self) -> Result<Reclaimed> {
        self.store.collect()
    }

    /// Commits, then rewrites segments that hold token matrices of no release, joins small ones, and gives free space
    /// of the catalog back.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and [`Error::Cancelled`].
    pub fn compact(&mut self, monitor: &Monitor) -> Result<Reclaimed> {
        self.store.unwinding(|store| store.compact(monitor))
    }
}

/// Embeds with the index's encoder.
struct WithEncoder<'a> {
    /// Its model directory.
    folder: &'a Path,
    record: &'a EncoderRecord,
    profile: Option<&'a Profile>,
    encoder: &'a mut Option<Encoder>,
    backend: Backend,
}

impl WithEncoder<'_> {
    /// Loaded at the first text that has no embedding yet: an update often has none.
    fn loaded(&mut self) -> Result<&Encoder> {
        Ok(match &mut *self.encoder {
            Some(encoder) => encoder,
            none => none.insert(encoders::load_from(self.folder, self.record, self.backend)?),
        })
    }
}

impl Embed for WithEncoder<'_> {
    fn side_key(&self, kind: &Kind) -> SideKey {
        self.profile.and_then(|profile| profile.target_key(kind.as_str()))
    }

    fn embed(&mut self, texts: &[&str], kind: &Kind, monitor: &Monitor) -> Result<Vec<(TokenMatrix, bool)>> {
        let encoder = self.loaded()?;
        let side = encoder.target_side(kind.as_str());
        // Which of the missing texts it was says nothing to the caller; the error quotes the text.
        let encoded = encoder.encode_batch_on(texts, side, monitor).map_err(Error::out_of_batch)?;
        Ok(encoded.into_iter().map(|encoded| (encoded.matrix, encoded.truncated)).collect())
    }

    fn load(&mut self) -> Result<(usize, usize)> {
        let encoder = self.loaded()?;
        Ok((encoder.settings().max_tokens, encoder.dim()))
    }
}

/// Takes token matrices of labels as embeddings.
struct MadeElsewhere<'a> {
    by_label: HashMap<&'a str, &'a TokenMatrix>,
}

impl Embed for MadeElsewhere<'_> {
    fn side_key(&self, _: &Kind) -> SideKey {
        None
    }

    fn embed(&mut self, texts: &[&str], _: &Kind, _: &Monitor) -> Result<Vec<(TokenMatrix, bool)>> {
        let of_text = |text: &&str| self.by_label.get(text).map(|matrix| ((*matrix).clone(), false));
        let missing = || Error::Matrix { expected: "a matrix for each label".to_string(), got: "fewer".to_string() };
        texts.iter().map(of_text).collect::<Option<Vec<_>>>().ok_or_else(missing)
    }

    fn load(&mut self) -> Result<(usize, usize)> {
        let largest = self.by_label.values().map(|matrix| matrix.n_tokens()).max().unwrap_or(0);
        Ok((largest, self.by_label.values().next().map_or(0, |matrix| matrix.dim())))
    }
}

impl std::fmt::Debug for IndexWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexWriter").field("path", &self.store.paths().root()).finish_non_exhaustive()
    }
}

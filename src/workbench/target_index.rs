//! An index of the targets of sets, over which the executor scores them all.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::dataset::Target;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::index::{IngestOptions, Space, WorkIndex};
use crate::late_interaction::Rule;
use crate::monitor::Monitor;
use crate::ontology::{Concept, Forms, Kind, ReleaseBuilder};
use crate::rank::RankOptions;

/// Queries that are encoded before they are scored, at most.
const PART: usize = 1024;
/// Scores that may wait for `each` at a time.
const PART_SCORES: usize = 64 << 20;

/// An index of lists of targets, each a space of its own. A list that the index has is not embedded again.
pub struct TargetIndex {
    encoder: Encoder,
    path: PathBuf,
    /// Removed with the index, unless it is kept.
    _scratch: Option<TempDir>,
}

impl TargetIndex {
    /// The index in a folder, which is left there; made if there is none.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the index has another encoder; as [`WorkIndex::create`] and [`WorkIndex::writer`].
    pub fn kept(encoder: &Encoder, path: &Path) -> Result<Self> {
        if path.exists() {
            let info = WorkIndex::open(path)?.info()?;
            let fingerprint = encoder.fingerprint().to_string();
            if let Some(other) = info.encoders.iter().find(|other| other.current && other.fingerprint != fingerprint) {
                return Err(Error::InvalidOption {
                    option: "index",
                    expected: format!("an index of {}", encoder.name()),
                    got: format!("one of {} at {}", other.name, path.display()),
                });
            }
        } else {
            WorkIndex::create(path, encoder)?.commit()?;
        }
        Ok(Self { encoder: encoder.clone(), path: path.to_path_buf(), _scratch: None })
    }

    /// A temporary index inside a folder.
    ///
    /// # Errors
    /// As [`WorkIndex::create`].
    pub fn temporary(encoder: &Encoder, inside: &Path) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("targets-").tempdir_in(inside);
        let scratch = scratch.map_err(Error::io("create a folder in", inside))?;
        let path = scratch.path().join("targets.index");
        WorkIndex::create(&path, encoder)?.commit()?;
        Ok(Self { encoder: encoder.clone(), path, _scratch: Some(scratch) })
    }

    /// The encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// A space of the targets, in their order.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a target without a label; as [`IndexWriter::ingest`](crate::IndexWriter::ingest) and [`WorkIndex::space`].
    pub fn space(&self, targets: &[Target], kind: &Kind, forms: Forms, monitor: &Monitor) -> Result<Space> {
        let mut builder = ReleaseBuilder::new("workbench", &version_of(targets, forms), "en")?;
        for (row, target) in (1..).zip(targets) {
            let mut concept = Concept::new(row.to_string(), kind.clone(), &target.label);
            concept.alternative_labels.clone_from(&target.alternative_labels);
            if builder.add(concept, "targets", row).is_none() {
                return Err(Error::InvalidOption {
                    option: "targets",
                    expected: "targets with a label".to_string(),
                    got: format!("none at place {}", row - 1),
                });
            }
        }
        let (release, _) = builder.finish();
        let mut writer = WorkIndex::writer(&self.path)?;
        writer.ingest(&release, &IngestOptions { forms, ..IngestOptions::default() }, monitor)?;
        writer.commit()?;
        drop(writer);
        WorkIndex::open(&self.path)?.space(&release.space_name(kind).to_string())
    }

    /// Scores all targets of some spaces for texts of a kind, each space by rules of its own, encoding every text once.
    ///
    /// `summarise` is handed the place of a text, of a space and of one of its rules, and the scores of all targets; it runs on several
    /// threads. `each` gets what it returned for a text, space after space and in it rule after rule; of a text in which the
    /// encoder finds nothing to embed, none.
    ///
    /// # Errors
    /// As [`Encoder::encode_batch_on`] and [`Space::score_each_matrix`], and what `each` returns.
    pub fn score_each<R: Send>(
        &self,
        spaces: &[(Space, Vec<Rule>)],
        texts: &[&str],
        kind: Option<&str>,
        monitor: &Monitor,
        summarise: impl Fn(usize, usize, usize, Vec<f32>) -> R + Sync + Send,
        mut each: impl FnMut(usize, Option<Vec<R>>) -> Result<()> + Send,
    ) -> Result<()> {
        let side = self.encoder.query_side(kind);
        let (options, total) = (RankOptions::full(), texts.len() as u64);
        let per_text: usize = spaces.iter().map(|(space, rules)| space.len() * rules.len()).sum();
        let size = (PART_SCORES / per_text.max(1)).clamp(1, PART);
        for (part, texts) in texts.chunks(size).enumerate() {
            let first = part * size;
            let monitor = monitor.part(first as u64, total);
            let encoded = self.encode(texts, side, &monitor)?;
            let (places, matrices): (Vec<usize>, Vec<_>) = encoded.into_iter().unzip();
            let mut made: Vec<Vec<R>> = matrices.iter().map(|_| Vec::new()).collect();
            for (at, (space, rules)) in spaces.iter().enumerate() {
                let summarise = |query: usize, rule, scores| summarise(first + places[query], at, rule, scores);
                space.score_each_matrix(&matrices, &options, rules, &monitor, summarise, |query, of_space| {
                    made[query].extend(of_space);
                    Ok(())
                })?;
            }
            let mut made = places.into_iter().zip(made).peekable();
            for place in 0..texts.len() {
                let of_text = made.next_if(|(at, _)| *at == place).map(|(_, made)| made);
                each(first + place, of_text)?;
            }
        }
        Ok(())
    }

    /// The token matrices of those texts in which there is something to embed, with their places.
    fn encode(
        &self,
        texts: &[&str],
        side: crate::encoder::Side,
        monitor: &Monitor,
    ) -> Result<Vec<(usize, crate::token_matrix::TokenMatrix)>> {
        let present: Vec<usize> = (0..texts.len()).filter(|&at| !texts[at].trim().is_empty()).collect();
        let wanted: Vec<&str> = present.iter().map(|&at| texts[at].trim()).collect();
        let encoded = self.encoder.encode_batch_on(&wanted, side, monitor)?;
        let found = present.into_iter().zip(encoded).filter(|(_, encoded)| encoded.content_tokens > 0);
        Ok(found.map(|(at, encoded)| (at, encoded.matrix)).collect())
    }
}

/// A version for a list of targets: what they are decides it, so that a list is recognised.
fn version_of(targets: &[Target], forms: Forms) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for target in targets {
        add(&target.label);
        target.alternative_labels.iter().for_each(|label| add(label));
        add("");
    }
    format!("{}-{}", &hasher.finalize().to_hex()[..16], forms.as_str())
}

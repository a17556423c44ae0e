//! Ranking the concepts of one kind in one release.

mod explain;

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::encoders::LoadedEncoders;
use crate::encoder::Encoded;
use crate::error::{Error, Result};
use crate::late_interaction::query::PreparedQuery;
use crate::late_interaction::rotation::Rotation;
use crate::monitor::Monitor;
use crate::ontology::{Concept, Kind, SpaceName, fold_label};
use crate::rank::{self, ExactMatch, Hit, RankOptions, Ranking, Scored};
use crate::storage::catalog::{AliasList, CatalogRead};
use crate::storage::{Snapshot, SpaceData};
use crate::token_matrix::TokenMatrix;

/// A target space: all concepts of one kind in one release and language, ready to be ranked.
///
/// `Send + Sync` and cheap to clone. A space stays what it is, whatever is committed, dropped or collected meanwhile.
#[derive(Clone)]
pub struct Space {
    inner: Arc<Inner>,
}

struct Inner {
    snapshot: Arc<Snapshot>,
    data: SpaceData,
    aliases: OnceLock<AliasList>,
    encoders: Arc<LoadedEncoders>,
}

impl Space {
    pub(super) fn open(snapshot: Arc<Snapshot>, name: &SpaceName, encoders: &Arc<LoadedEncoders>) -> Result<Self> {
        let data = snapshot.space(name)?;
        let (aliases, encoders) = (OnceLock::new(), Arc::clone(encoders));
        Ok(Self { inner: Arc::new(Inner { snapshot, data, aliases, encoders }) })
    }

    /// The space's name, with its release.
    pub fn name(&self) -> &SpaceName {
        &self.inner.data.name
    }

    /// How many concepts it has.
    pub fn len(&self) -> usize {
        self.inner.data.targets.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What output that shows its concepts must say, by the publisher's licence.
    pub fn attribution(&self) -> Option<&str> {
        self.inner.data.record.attribution.as_deref()
    }

    /// The concept at a position of the space, as [`Hit::target`] gives it; `None` beyond the end.
    ///
    /// # Errors
    /// What a damaged index gives.
    pub fn concept(&self, target: usize) -> Result<Option<Concept>> {
        let Inner { snapshot, data, .. } = &*self.inner;
        let (Some(id), Some(label)) = (data.targets.ids.get(target), data.targets.labels.get(target)) else {
            return Ok(None);
        };
        let catalog = snapshot.catalog();
        let details = catalog.details(data.release, &data.kind, target)?;
        let mut concept = Concept::new(id, Kind::new(&data.kind)?, label);
        concept.alternative_labels = details.alternative_labels;
        concept.description = details.description;
        for name in catalog.attribute_names(data.release, &data.kind)? {
            let values = catalog.attribute(data.release, &data.kind, &name, self.len())?.values_of(target as u32);
            if !values.is_empty() {
                concept.attributes.insert(name, values);
            }
        }
        Ok(Some(concept))
    }

    /// The position of the concept with an id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.inner.data.targets.ids.position(id)
    }

    /// The names of the attributes that its concepts have, sorted: what a [`Filter`](crate::Filter) can ask for.
    ///
    /// # Errors
    /// What a damaged index gives.
    pub fn attributes(&self) -> Result<Vec<String>> {
        let Inner { snapshot, data, .. } = &*self.inner;
        snapshot.catalog().attribute_names(data.release, &data.kind)
    }

    /// Ranks the space for a text. Runs on the current rayon pool; the result does not depend on its size.
    ///
    /// # Errors
    /// [`Error::EmptyText`] for a text with nothing to embed, [`Error::InvalidOption`] for a rule out of its range or a
    /// space whose encoder runs elsewhere, and what a damaged index gives.
    pub fn rank(&self, text: &str, options: &RankOptions) -> Result<Ranking> {
        options.rule.validate()?;
        let text = text.trim();
        check_not_empty(text)?;
        let encoded = self.encoder()?.encode(text)?;
        let mut rankings = self.rank_encoded(&[text], vec![encoded], options, &Monitor::silent())?;
        rankings.pop().ok_or_else(no_ranking)
    }

    /// Ranks the space for many texts at once: encoded and scored in batches, on all cores of the current rayon pool.
    ///
    /// The rankings are in the order of the texts and equal to those of [`rank`](Self::rank) one by one, to within the
    /// encoder's rounding.
    ///
    /// # Errors
    /// As [`rank`](Self::rank), for the first text at fault, and [`Error::Cancelled`].
    pub fn rank_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RankOptions,
        monitor: &Monitor,
    ) -> Result<Vec<Ranking>> {
        options.rule.validate()?;
        let texts: Vec<&str> = texts.iter().map(|text| text.as_ref().trim()).collect();
        texts.iter().try_for_each(|text| check_not_empty(text))?;
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let encoded = self.encoder()?.encode_batch(&texts, monitor)?;
        self.rank_encoded(&texts, encoded, options, monitor)
    }

    /// Ranks the space for a token matrix made elsewhere, by the same encoder as the space's.
    ///
    /// # Errors
    /// [`Error::Matrix`] when its rows have another length than the space's, [`Error::InvalidOption`].
    pub fn rank_matrix(&self, matrix: &TokenMatrix, options: &RankOptions) -> Result<Ranking> {
        let mut rankings = self.rank_matrices(std::slice::from_ref(matrix), options, &Monitor::silent())?;
        rankings.pop().ok_or_else(no_ranking)
    }

    /// Ranks the space for many token matrices.
    ///
    /// # Errors
    /// As [`rank_matrix`](Self::rank_matrix), and [`Error::Cancelled`].
    pub fn rank_matrices(
        &self,
        matrices: &[TokenMatrix],
        options: &RankOptions,
        monitor: &Monitor,
    ) -> Result<Vec<Ranking>> {
        let scored = self.score(&matrices.iter().collect::<Vec<_>>(), options, monitor)?;
        scored.into_iter().map(|scored| self.ranking(None, false, scored)).collect()
    }

    fn encoder(&self) -> Result<crate::encoder::Encoder> {
        let Inner { snapshot, data, encoders, .. } = &*self.inner;
        encoders.get(snapshot.paths(), &data.encoder)
    }

    fn rank_encoded(
        &self,
        texts: &[&str],
        encoded: Vec<Encoded>,
        options: &RankOptions,
        monitor: &Monitor,
    ) -> Result<Vec<Ranking>> {
        for (text, encoded) in texts.iter().zip(&encoded) {
            if encoded.content_tokens == 0 {
                return Err(empty(text, "the encoder's tokenizer finds no token in it"));
            }
        }
        let matrices: Vec<&TokenMatrix> = encoded.iter().map(|encoded| &encoded.matrix).collect();
        let scored = self.score(&matrices, options, monitor)?;
        let rows = texts.iter().zip(&encoded).zip(scored);
        rows.map(|((text, encoded), scored)| self.ranking(Some(text), encoded.truncated, scored)).collect()
    }

    fn score(&self, matrices: &[&TokenMatrix], options: &RankOptions, monitor: &Monitor) -> Result<Vec<Vec<Scored>>> {
        options.rule.validate()?;
        let Inner { snapshot, data, .. } = &*self.inner;
        let allowed: Option<RoaringBitmap> =
            options.filter.as_ref().map(|filter| rank::filter_targets(filter, snapshot, data)).transpose()?;
        let rotation = Rotation::new(data.encoder.dim as usize);
        let queries = matrices.par_iter().map(|matrix| PreparedQuery::new(matrix, &rotation));
        let queries = queries.collect::<Result<Vec<_>>>()?;
        rank::execute(data, &queries, &options.rule, allowed.as_ref(), options.k, monitor)
    }

    fn ranking(&self, query: Option<&str>, truncated: bool, scored: Vec<Scored>) -> Result<Ranking> {
        let exact = query.map(|query| self.exact_matches(query)).transpose()?.unwrap_or_default();
        let targets = &self.inner.data.targets;
        let hit = |(at, scored): (usize, Scored)| {
            let target = scored.target as usize;
            // The table was checked to be sound when the space was opened: each target has an id and a label.
            let (id, label) =
                (targets.ids.get(target).unwrap_or_default(), targets.labels.get(target).unwrap_or_default());
            let exact = exact.iter().find(|(at, _)| *at == scored.target).map(|(_, exact)| *exact);
            Hit { rank: at + 1, score: scored.score, target, id, label, exact }
        };
        let hits = scored.into_iter().enumerate().map(hit).collect();
        Ok(Ranking { query: query.map(str::to_string), truncated, space: self.name().clone(), hits })
    }

    /// The targets that have the text as a label.
    fn exact_matches(&self, text: &str) -> Result<Vec<(u32, ExactMatch)>> {
        let Inner { snapshot, data, aliases, .. } = &*self.inner;
        let list = match aliases.get() {
            Some(list) => list,
            None => {
                let list = snapshot.catalog().aliases(data.release, &data.kind, self.len())?;
                aliases.get_or_init(|| list)
            }
        };
        let folded = fold_label(text);
        let mut matches = Vec::new();
        for target in list.candidates(text) {
            let label = data.targets.labels.get(target as usize).unwrap_or_default();
            if fold_label(&label) == folded {
                matches.push((target, ExactMatch::Preferred));
                continue;
            }
            let details = snapshot.catalog().details(data.release, &data.kind, target as usize)?;
            if details.alternative_labels.iter().any(|label| fold_label(label) == folded) {
                matches.push((target, ExactMatch::Alternative));
            }
        }
        Ok(matches)
    }
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").field("name", self.name()).field("len", &self.len()).finish_non_exhaustive()
    }
}

fn check_not_empty(text: &str) -> Result<()> {
    if text.is_empty() { Err(empty(text, "it is empty or only white space")) } else { Ok(()) }
}

fn empty(text: &str, problem: &'static str) -> Error {
    Error::EmptyText { text: text.chars().take(40).collect(), problem }
}

/// One query gives one ranking; this is what the impossible rest would be.
fn no_ranking() -> Error {
    Error::Matrix { expected: "one ranking".to_string(), got: "none".to_string() }
}

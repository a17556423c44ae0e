//! The concepts of one kind in one release. `ranking.rs` ranks them.

use std::sync::{Arc, OnceLock};

use super::encoders::LoadedEncoders;
use super::pool::Pool;
use super::rules;
use crate::encoder::{Encoder, Profile};
use crate::error::{Error, Result};
use crate::late_interaction::Rule;
use crate::late_interaction::query::PreparedQuery;
use crate::late_interaction::rotation::Rotation;
use crate::ontology::{Concept, Kind, SpaceName, fold_label};
use crate::rank::{ExactMatch, ScanPlan};
use crate::storage::catalog::{AliasList, CatalogRead};
use crate::storage::{Snapshot, SpaceData};
use crate::token_matrix::TokenMatrix;

/// A target space: all concepts of one kind in one release and language, ready to be ranked.
///
/// `Send + Sync` and cheap to clone. A space stays what it is, whatever is committed, dropped or collected meanwhile.
#[derive(Clone)]
pub struct Space {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) data: SpaceData,
    aliases: OnceLock<AliasList>,
    encoders: Arc<LoadedEncoders>,
    /// Kept here too, so that a space ranks on when the index has moved on to another encoder.
    encoder: OnceLock<Encoder>,
    pub(super) pool: Pool,
    plan: OnceLock<ScanPlan>,
    rotation: OnceLock<Rotation>,
}

impl Space {
    pub(super) fn open(
        snapshot: Arc<Snapshot>,
        name: &SpaceName,
        encoders: &Arc<LoadedEncoders>,
        pool: &Pool,
    ) -> Result<Self> {
        let data = snapshot.space(name)?;
        encoders.check_there(snapshot.paths(), &data.encoder)?;
        let (encoders, pool) = (Arc::clone(encoders), pool.clone());
        let (aliases, encoder, plan, rotation) = Default::default();
        Ok(Self { inner: Arc::new(Inner { snapshot, data, aliases, encoders, encoder, pool, plan, rotation }) })
    }

    /// The encoder of the space's texts, loaded when it is first asked for.
    pub(super) fn encoder(&self) -> Result<Encoder> {
        let Inner { snapshot, data, encoders, encoder, .. } = &*self.inner;
        if let Some(encoder) = encoder.get() {
            return Ok(encoder.clone());
        }
        let loaded = encoders.get(snapshot.paths(), &data.encoder)?;
        Ok(encoder.get_or_init(|| loaded).clone())
    }

    /// What is known of it without loading it; none where it runs elsewhere.
    pub(super) fn profile(&self) -> Result<Option<Arc<Profile>>> {
        let Inner { snapshot, data, encoders, .. } = &*self.inner;
        encoders.profile(snapshot.paths(), &data.encoder)
    }

    /// The rule of rankings that ask for none: the one that the space's encoder is for, or else [`Rule::default`].
    ///
    /// The `workindex.json` of a model directory says it. Without one it is MaxSim over the query's tokens for PyLate (ColBERT)
    /// models, and the cosine of the pooled vectors for models with layers behind the pooling (JobBERT).
    ///
    /// # Errors
    /// [`Error::Encoder`] when the model files inside the index are damaged.
    pub fn default_rule(&self) -> Result<Rule> {
        self.default_rule_for(None)
    }

    /// The same for queries of a kind (see [`RankOptions::query_kind`](crate::RankOptions::query_kind)): where the encoder is for no rule of
    /// its own, the one that [`Rule::for_queries`] gives.
    ///
    /// # Errors
    /// As [`default_rule`](Self::default_rule).
    pub fn default_rule_for(&self, query_kind: Option<&str>) -> Result<Rule> {
        let Inner { snapshot, data, .. } = &*self.inner;
        match self.profile()? {
            Some(profile) => {
                rules::default_rule(&profile, &snapshot.paths().encoder(&data.encoder.fingerprint), query_kind)
            }
            None => Ok(Rule::for_queries(query_kind)),
        }
    }

    /// The scan of all targets, laid out when it is first asked for.
    pub(super) fn plan(&self) -> &ScanPlan {
        self.inner.plan.get_or_init(|| ScanPlan::new(&self.inner.data))
    }

    /// A query ready to be ranked for.
    ///
    /// # Errors
    /// [`Error::Matrix`] when its rows have another length than the space's, or a norm exceeds f32.
    pub(super) fn prepare(&self, matrix: &TokenMatrix) -> Result<PreparedQuery> {
        let dim = self.inner.data.encoder.dim as usize;
        // Compared before a rotation of that dimension is made, which a damaged catalog could ask to be enormous.
        if matrix.dim() != dim {
            return Err(Error::Matrix {
                expected: format!("rows of {dim} values, as the target space has them"),
                got: format!("rows of {}", matrix.dim()),
            });
        }
        PreparedQuery::new(matrix, self.inner.rotation.get_or_init(|| Rotation::new(dim)))
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

    /// The concept at a position of the space, as [`Hit::target`](crate::Hit::target) gives it; `None` beyond the end.
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

    /// The targets that have the text as a label.
    pub(super) fn exact_matches(&self, text: &str) -> Result<Vec<(u32, ExactMatch)>> {
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

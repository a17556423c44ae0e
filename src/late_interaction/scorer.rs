//! The score of one target for a prepared query: what the executor calls for every target it looks at.

use super::fold::{FoldScratch, Similarities, attend, fold};
use super::kernel::Kernel;
use super::query::PreparedQuery;
use super::{Direction, Interaction, Rule};

/// A target as it is stored: master rows (rotated, unit) and the norms of the raw ones.
///
/// `rows` and `norms` may be empty where [`Rule::needs_rows`] says no, `pooled` where [`Rule::needs_pooled`] does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetRows<'a> {
    /// n × dim, row-major.
    pub(crate) rows: &'a [f32],
    /// n norms of the raw rows.
    pub(crate) norms: &'a [f32],
    /// The pooled vector, rotated and unit like the rows; `dim` values.
    pub(crate) pooled: &'a [f32],
    /// The norm of the raw pooled vector.
    pub(crate) pooled_norm: f32,
}

/// Buffers of a scorer; one per thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    cos: Vec<f32>,
    fold: FoldScratch,
    weights: Vec<f32>,
}

/// Scores targets for one query under one rule.
///
/// A score depends on the query, the rule and the target alone, to the bit: not on the thread, the scratch, or what was
/// scored before.
pub(crate) struct Scorer<'q> {
    rule: Rule,
    query: &'q PreparedQuery,
    kernel: &'static dyn Kernel,
}

impl<'q> Scorer<'q> {
    /// A scorer; `rule` has been [validated](Rule::validate).
    pub(crate) fn new(rule: Rule, query: &'q PreparedQuery, kernel: &'static dyn Kernel) -> Self {
        Self { rule, query, kernel }
    }

    /// The score, within −1…1 up to rounding and never NaN.
    pub(crate) fn score(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f32 {
        match self.rule.interaction {
            Interaction::Soft | Interaction::MaxSim => self.late_interaction(target, scratch),
            Interaction::ContextMatch => self.context_match(target, scratch),
            Interaction::MeanPool => self.mean_pool(target, scratch),
        }
    }

    fn late_interaction(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f32 {
        let cos = self.cosines(self.query.rows(), target.rows, &mut scratch.cos);
        let block = Similarities { cos, query_norms: self.query.norms(), target_norms: target.norms };
        fold(&self.rule, &block, &mut scratch.fold)
    }

    fn mean_pool(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f32 {
        // Empty only for a target without a pooled vector, which scores like a zero vector.
        self.cosines(self.query.pooled(), target.pooled, &mut scratch.cos).first().copied().unwrap_or(0.0)
    }

    fn context_match(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f32 {
        let score = match self.rule.direction {
            Direction::Query => self.query_in_context(target, scratch),
            Direction::Target => self.target_in_context(target, scratch),
            Direction::Both => (self.query_in_context(target, scratch) + self.target_in_context(target, scratch)) / 2.0,
        };
        score as f32
    }

    /// The query's tokens against the pooled target.
    fn query_in_context(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f64 {
        let cos = self.cosines(self.query.rows(), target.pooled, &mut scratch.cos);
        attend(&self.rule, cos, target.pooled_norm, self.query.norms(), &mut scratch.weights)
    }

    /// The target's tokens against the pooled query.
    fn target_in_context(&self, target: &TargetRows<'_>, scratch: &mut Scratch) -> f64 {
        let cos = self.cosines(self.query.pooled(), target.rows, &mut scratch.cos);
        attend(&self.rule, cos, self.query.pooled_norm(), target.norms, &mut scratch.weights)
    }

    /// All dot products of two sets of rows.
    fn cosines<'s>(&self, query_rows: &[f32], target_rows: &[f32], out: &'s mut Vec<f32>) -> &'s [f32] {
        let dim = self.query.dim();
        out.clear();
        out.resize((query_rows.len() / dim) * (target_rows.len() / dim), 0.0);
        self.kernel.dots(query_rows, target_rows, dim, out);
        out
    }
}

/// The score of a concept from those of its surface forms, the preferred one first: the mean of the preferred form's and
/// the best form's. `None` without any form.
pub(crate) fn concept_score(forms: &[f32]) -> Option<f32> {
    let preferred = *forms.first()?;
    let best = forms.iter().copied().fold(preferred, f32::max);
    Some(((f64::from(preferred) + f64::from(best)) / 2.0) as f32)
}

//! Scores every target that a filter lets through, in parallel, and keeps the best.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::top_k::{Scored, TopK};
use crate::error::Result;
use crate::late_interaction::Rule;
use crate::late_interaction::kernel::detect;
use crate::late_interaction::query::PreparedQuery;
use crate::late_interaction::scorer::{Scorer, Scratch, TargetRows, concept_score};
use crate::monitor::{Monitor, Stage};
use crate::storage::SpaceData;
use crate::storage::catalog::FormRef;

/// Queries scored together, so that restoring a target's rows is paid once for all of them.
const PANEL: usize = 32;
/// Targets of one task: some tens of tasks for a space of 14,000, so that cores finish together.
const TASK: usize = 256;

/// Ranks a space for each query: the best `k` targets, or all.
///
/// A score depends on its query and target alone, and equal scores are in the order of the targets, so the result is
/// the same at every thread count and in every batch.
pub(crate) fn execute(
    space: &SpaceData,
    queries: &[PreparedQuery],
    rule: &Rule,
    allowed: Option<&RoaringBitmap>,
    k: Option<usize>,
    monitor: &Monitor,
) -> Result<Vec<Vec<Scored>>> {
    let targets: Vec<u32> = match allowed {
        Some(allowed) => allowed.iter().collect(),
        None => (0..space.targets.len() as u32).collect(),
    };
    let k = k.unwrap_or(targets.len());
    tracing::debug!(space = %space.name, queries = queries.len(), targets = targets.len(), kernel = detect().name());
    let mut rankings = Vec::with_capacity(queries.len());
    for panel in queries.chunks(PANEL) {
        monitor.check()?;
        rankings.append(&mut rank_panel(space, panel, rule, &targets, k));
        monitor.report(Stage::Ranking, rankings.len() as u64, Some(queries.len() as u64));
    }
    Ok(rankings)
}

fn rank_panel(space: &SpaceData, panel: &[PreparedQuery], rule: &Rule, targets: &[u32], k: usize) -> Vec<Vec<Scored>> {
    let tasks: Vec<Vec<f32>> = targets.par_chunks(TASK).map(|task| score_task(space, panel, rule, task)).collect();
    let best = |query: usize| {
        let mut top = TopK::new(k);
        for (task, scores) in targets.chunks(TASK).zip(&tasks) {
            let scores = scores.iter().skip(query).step_by(panel.len());
            task.iter().zip(scores).for_each(|(&target, &score)| top.offer(Scored { score, target }));
        }
        top.into_sorted()
    };
    (0..panel.len()).into_par_iter().map(best).collect()
}

/// The scores of some targets for all queries of a panel, target after target.
fn score_task(space: &SpaceData, panel: &[PreparedQuery], rule: &Rule, task: &[u32]) -> Vec<f32> {
    let scorers: Vec<Scorer> = panel.iter().map(|query| Scorer::new(*rule, query, detect())).collect();
    let mut scores = Vec::with_capacity(task.len() * panel.len());
    let (mut rows, mut scratch) = (RestoredForm::default(), Scratch::default());
    // Scores of the forms of one target, query after query.
    let mut of_forms: Vec<Vec<f32>> = vec![Vec::new(); panel.len()];
    for &target in task {
        of_forms.iter_mut().for_each(Vec::clear);
        for &place in space.targets.forms(target as usize) {
            rows.restore(space, rule, place);
            let target = rows.view();
            for (scorer, scores) in scorers.iter().zip(&mut of_forms) {
                scores.push(scorer.score(&target, &mut scratch));
            }
        }
        // Every target has a form: the table was checked when the space was opened.
        scores.extend(of_forms.iter().map(|forms| concept_score(forms).unwrap_or(f32::NEG_INFINITY)));
    }
    scores
}

/// A surface form at master precision; the buffers are reused from form to form.
#[derive(Default)]
struct RestoredForm {
    hi: Vec<i8>,
    rows: Vec<f32>,
    norms: Vec<f32>,
    pooled: Vec<f32>,
    pooled_norm: f32,
}

impl RestoredForm {
    /// Restores what the rule needs of a form.
    fn restore(&mut self, space: &SpaceData, rule: &Rule, place: FormRef) {
        self.rows.clear();
        self.norms.clear();
        self.pooled.clear();
        // Every form's segment was mapped, and the form found in it, when the space was opened.
        let Some(segment) = space.segment(place) else { return };
        let (tokens, pooled) = (segment.tokens(), segment.pooled());
        if rule.needs_rows() {
            let rows = segment.rows_of(place.form);
            self.norms.extend_from_slice(&tokens.norms[rows.clone()]);
            tokens.restore(rows, &mut self.hi, &mut self.rows);
        }
        if rule.needs_pooled() {
            let form = place.form as usize;
            self.pooled_norm = pooled.norms[form];
            pooled.restore(form..form + 1, &mut self.hi, &mut self.pooled);
        }
    }

    fn view(&self) -> TargetRows<'_> {
        let Self { rows, norms, pooled, pooled_norm, .. } = self;
        TargetRows { rows, norms, pooled, pooled_norm: *pooled_norm }
    }
}

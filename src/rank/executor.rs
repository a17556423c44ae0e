//! Ranks a space for queries: chooses between scanning with a certificate, scoring everything, and scoring a few.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::batch::{Batch, batches};
use super::certify::{Case, Outcome, Targets};
use super::plan::ScanPlan;
use super::sweep::{Engine, Precision, sweep};
use crate::error::Result;
use crate::late_interaction::Rule;
use crate::late_interaction::kernel::{Kernel, detect};
use crate::late_interaction::layout::BLOCK_ROWS;
use crate::late_interaction::query::PreparedQuery;
use crate::monitor::{Monitor, Stage};
use crate::storage::SpaceData;

/// The most queries of a panel: they share each reading of the rows.
const PANEL: usize = 64;
/// The most numbers that a panel keeps at a time, 64 MiB of them.
const PANEL_NUMBERS: usize = 16 << 20;
/// A space of fewer blocks × query tokens is swept where the call comes from: less work than waking another thread.
const PARALLEL_WORK: usize = 2048;
/// Full precision costs about as much as so many scans, so that asking for more than one target in so many is answered by it.
const FULL_SHARE: usize = 8;

/// What is asked of a space.
pub(crate) struct Request<'a> {
    /// The rules, answered in one pass over the data.
    pub(crate) rules: &'a [Rule],
    /// The targets that take part; all of them without.
    pub(crate) allowed: Option<&'a RoaringBitmap>,
    /// How many hits; all without.
    pub(crate) k: Option<usize>,
    /// Whether other threads than the calling one may help.
    pub(crate) parallel: bool,
}

/// Ranks a space for each query under each rule, query after query.
///
/// A score depends on its query, rule and target alone, and equal scores are in the order of the targets, so the result is
/// the same at every thread count and in every batch. `all` is the plan of the space's every target.
pub(crate) fn execute(
    space: &SpaceData,
    all: &ScanPlan,
    queries: &[PreparedQuery],
    request: &Request<'_>,
    monitor: &Monitor,
) -> Result<Vec<Vec<Outcome>>> {
    execute_on(detect(), space, all, queries, request, monitor)
}

/// As [`execute`], on a given kernel.
pub(super) fn execute_on(
    kernel: &'static dyn Kernel,
    space: &SpaceData,
    all: &ScanPlan,
    queries: &[PreparedQuery],
    request: &Request<'_>,
    monitor: &Monitor,
) -> Result<Vec<Vec<Outcome>>> {
    let filtered =
        request.allowed.map(|allowed| (all.filtered(space, allowed), Targets::Some(allowed.iter().collect())));
    let everything = Targets::All(space.targets.len() as u32);
    let (plan, targets) = filtered.as_ref().map_or((all, &everything), |(plan, targets)| (plan, targets));
    tracing::debug!(space = %space.name, queries = queries.len(), targets = targets.len(), kernel = kernel.name());
    let mut outcomes = Vec::with_capacity(queries.len());
    for panel in queries.chunks(panel_size(plan, request.rules.len())) {
        monitor.check()?;
        let engine = Engine { space, kernel, parallel: request.parallel && pays(plan, panel) };
        outcomes.append(&mut rank_panel(&engine, plan, targets, panel, request));
        monitor.report(Stage::Ranking, outcomes.len() as u64, Some(queries.len() as u64));
    }
    space.trim();
    Ok(outcomes)
}

fn panel_size(plan: &ScanPlan, rules: usize) -> usize {
    (PANEL_NUMBERS / (plan.n_slots() * rules).max(1)).clamp(1, PANEL)
}

/// Whether it pays to use other threads.
fn pays(plan: &ScanPlan, panel: &[PreparedQuery]) -> bool {
    let tokens: usize = panel.iter().map(|query| query.norms().len()).sum();
    rayon::current_num_threads() > 1 && plan.n_blocks() * tokens >= PARALLEL_WORK
}

/// How the targets of a panel are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// Bounds by a scan, then full precision where they leave something open.
    Certify,
    /// All at full precision, in one sweep.
    Sweep,
    /// All at full precision, one by one.
    Each,
}

fn strategy(plan: &ScanPlan, targets: &Targets, k: usize) -> Strategy {
    // A group costs a scan about what one of its forms costs by itself.
    if plan.n_forms() <= plan.n_slots() / BLOCK_ROWS {
        Strategy::Each
    } else if k.saturating_mul(FULL_SHARE) >= targets.len() {
        Strategy::Sweep
    } else {
        Strategy::Certify
    }
}

/// Scores every target of a space at full precision for each query under each rule, panel by panel.
///
/// `summarise` is handed the place of a query, of a rule, and the scores of all targets in the order of the space; it runs on
/// several threads if the request says so. `each` gets what it made of a query, one for each rule, query after query. Filter and
/// number of hits of the request play no part.
pub(crate) fn score_all<R: Send>(
    space: &SpaceData,
    plan: &ScanPlan,
    queries: &[PreparedQuery],
    request: &Request<'_>,
    monitor: &Monitor,
    summarise: impl Fn(usize, usize, Vec<f32>) -> R + Sync,
    mut each: impl FnMut(usize, Vec<R>) -> Result<()>,
) -> Result<()> {
    let targets = Targets::All(space.targets.len() as u32);
    let mut first = 0;
    for panel in queries.chunks(panel_size(plan, request.rules.len())) {
        monitor.check()?;
        let engine = Engine { space, kernel: detect(), parallel: request.parallel && pays(plan, panel) };
        let batches = batches(panel, request.rules);
        let scores = sweep(&engine, plan, &batches, Precision::Full);
        let n_rules = request.rules.len().max(1);
        let one = |(line, (batch, query, rule)): (usize, (&Batch<'_>, usize, usize))| {
            let by_slot = scores.get(line).map(Vec::as_slice).unwrap_or_default();
            let case = Case { engine: &engine, plan, targets: &targets, batch, query, rule };
            summarise(first + line / n_rules, rule, case.scores(by_slot))
        };
        let made = on_lines(&batches, request.rules.len(), engine.parallel, one);
        for (query, of_query) in (first..).zip(made) {
            each(query, of_query)?;
        }
        first += panel.len();
        monitor.report(Stage::Ranking, first as u64, Some(queries.len() as u64));
    }
    space.trim();
    Ok(())
}

/// Calls `one` for every line of the batches (its number; batch, query of the batch, rule), and gathers what it returns query by query.
fn on_lines<'b, R: Send>(
    batches: &'b [Batch<'b>],
    n_rules: usize,
    parallel: bool,
    one: impl Fn((usize, (&'b Batch<'b>, usize, usize))) -> R + Sync + Send,
) -> Vec<Vec<R>> {
    let lines = batches.iter().flat_map(|batch| {
        (0..batch.queries().len()).flat_map(move |query| (0..n_rules).map(move |rule| (batch, query, rule)))
    });
    let lines: Vec<_> = lines.enumerate().collect();
    let n_queries = batches.iter().map(|batch| batch.queries().len()).sum::<usize>();
    let made: Vec<R> = match parallel && n_queries > 1 {
        true => lines.into_par_iter().map(one).collect(),
        false => lines.into_iter().map(one).collect(),
    };
    let mut rest = made.into_iter();
    (0..n_queries).map(|_| rest.by_ref().take(n_rules).collect()).collect()
}

fn rank_panel(
    engine: &Engine<'_>,
    plan: &ScanPlan,
    targets: &Targets,
    panel: &[PreparedQuery],
    request: &Request<'_>,
) -> Vec<Vec<Outcome>> {
    let k = request.k.unwrap_or(targets.len());
    let strategy = strategy(plan, targets, k);
    let batches = batches(panel, request.rules);
    let numbers = match strategy {
        Strategy::Certify => sweep(engine, plan, &batches, Precision::Bounds),
        Strategy::Sweep => sweep(engine, plan, &batches, Precision::Full),
        Strategy::Each => Vec::new(),
    };
    let one = |(line, (batch, query, rule)): (usize, (&Batch<'_>, usize, usize))| {
        let numbers = numbers.get(line).map(Vec::as_slice).unwrap_or_default();
        let case = Case { engine, plan, targets, batch, query, rule };
        match strategy {
            Strategy::Certify => case.certify(numbers, k),
            Strategy::Sweep => case.select(numbers, k),
            Strategy::Each => case.each(k),
        }
    };
    on_lines(&batches, request.rules.len(), engine.parallel, one)
}

#[cfg(test)]
mod tests {
    use super::super::test_space;
    use super::*;
    use crate::late_interaction::kernel::all;
    use crate::late_interaction::rotation::Rotation;
    use crate::late_interaction::test_matrices::random_matrix;
    use crate::late_interaction::{Direction, Interaction, Weights};
    use crate::token_matrix::TokenMatrix;

    fn rules() -> Vec<Rule> {
        let mut rules = Vec::new();
        for interaction in [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool] {
            for direction in [Direction::Query, Direction::Target, Direction::Both] {
                for (weights, temperature) in [(Weights::Cosine, 0.1), (Weights::Raw, 1.0), (Weights::Cosine, 0.01)] {
                    rules.push(Rule { interaction, direction, weights, temperature });
                }
            }
        }
        rules
    }

    fn bits(outcome: &Outcome) -> Vec<(u32, u32)> {
        outcome.scored.iter().map(|scored| (scored.target, scored.score.to_bits())).collect()
    }

    /// Forms of one to six rows in two segments; every fifth form is one before it again.
    fn forms(dim: usize) -> Vec<(usize, TokenMatrix)> {
        let seed = |form: u64| if form % 5 == 4 { form / 2 } else { form };
        let matrix = |form: u64| random_matrix(seed(form) * 77, 1 + (seed(form) % 6) as usize, dim, 1.0);
        (0..300).map(|form| (form as usize % 2, matrix(form))).collect()
    }

    /// On every kernel of this machine: the three ways through the executor give the same bits, for all rules in one pass.
    #[test]
    fn every_kernel_certifies_what_it_scores() {
        for dim in [3, 33, 128] {
            let targets: Vec<Vec<usize>> = (0..200).map(|at| vec![at, at + 100]).collect();
            let (_folder, space) = test_space::make(&targets, &forms(dim));
            let (plan, rotation, rules) = (ScanPlan::new(&space), Rotation::new(dim), rules());
            let query =
                |seed| PreparedQuery::new(&random_matrix(seed, 1 + seed as usize, dim, 1.0), &rotation).unwrap();
            let queries: Vec<PreparedQuery> = [1, 4, 9, 40].map(query).into();
            let few: RoaringBitmap = [3, 150].into_iter().collect();
            for kernel in all() {
                let ask = |k: Option<usize>, allowed| {
                    let request = Request { rules: &rules, allowed, k, parallel: false };
                    execute_on(kernel, &space, &plan, &queries, &request, &Monitor::silent()).unwrap()
                };
                let (full, top, of_few) = (ask(None, None), ask(Some(5), None), ask(None, Some(&few)));
                assert_eq!((full.len(), full[0].len()), (queries.len(), rules.len()));
                for query in 0..queries.len() {
                    for (rule, name) in rules.iter().enumerate() {
                        let all = bits(&full[query][rule]);
                        assert_eq!(bits(&top[query][rule]), all[..5], "{}, {dim}, {name}", kernel.name());
                        let kept: Vec<_> = all.into_iter().filter(|(target, _)| few.contains(*target)).collect();
                        assert_eq!(bits(&of_few[query][rule]), kept, "{}, {dim}, {name}", kernel.name());
                    }
                }
            }
        }
    }

    #[test]
    fn each_way_is_taken_where_it_pays() {
        let targets: Vec<Vec<usize>> = (0..300).map(|at| vec![at]).collect();
        let (_folder, space) = test_space::make(&targets, &forms(3));
        let of = |allowed: Vec<u32>, k| {
            let bitmap: RoaringBitmap = allowed.iter().copied().collect();
            strategy(&ScanPlan::new(&space).filtered(&space, &bitmap), &Targets::Some(allowed), k)
        };
        assert_eq!(of((0..300).collect(), 10), Strategy::Certify);
        assert_eq!(of((0..300).collect(), 300), Strategy::Sweep);
        assert_eq!(of((0..300).collect(), usize::MAX), Strategy::Sweep);
        assert_eq!(of(vec![7], 1), Strategy::Each);
        assert_eq!(of(Vec::new(), 1), Strategy::Each);
    }
}

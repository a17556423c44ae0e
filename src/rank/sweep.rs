//! One pass over the rows of a plan's groups, for some batches of queries under some rules at once: approximately, giving upper
//! bounds, or at full precision, giving scores.

use rayon::prelude::*;

use super::batch::{Batch, Side};
use super::plan::{Run, ScanPlan};
use super::stored_rows::{Chunk, StoredRows};
use crate::late_interaction::bound::Slack;
use crate::late_interaction::fold::{FoldInput, FoldScratch};
use crate::late_interaction::kernel::Kernel;
use crate::late_interaction::lanes::LANES;
use crate::late_interaction::pass::{Pass, RowKind};
use crate::storage::SpaceData;

/// Where a sweep runs, and on what.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    pub(super) space: &'a SpaceData,
    pub(super) kernel: &'static dyn Kernel,
    /// Whether work is handed to the current rayon pool.
    pub(super) parallel: bool,
}

/// What a sweep computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Upper bounds of scores, from the hi plane alone.
    Bounds,
    /// Scores, from both planes.
    Full,
}

/// One number per slot for each query and rule: query after query, in each rule after rule.
pub(super) fn sweep(
    engine: &Engine<'_>,
    plan: &ScanPlan,
    batches: &[Batch<'_>],
    precision: Precision,
) -> Vec<Vec<f32>> {
    let task = |scratch: &mut Scratch, runs: &&[Run]| sweep_task(engine, runs, batches, precision, scratch);
    // One thread takes all runs as one task.
    let of_tasks: Vec<Vec<f32>> = match engine.parallel {
        true => plan.tasks().collect::<Vec<_>>().par_iter().map_init(Scratch::default, task).collect(),
        false => vec![task(&mut Scratch::default(), &plan.runs())],
    };
    let n: usize = batches.iter().map(Batch::n_lines).sum();
    if let ([_], 1) = (of_tasks.as_slice(), n) {
        return of_tasks;
    }
    let gather = |line: usize| {
        let mut slots = Vec::with_capacity(plan.n_slots());
        for task in &of_tasks {
            let width = task.len() / n.max(1);
            slots.extend_from_slice(&task[line * width..(line + 1) * width]);
        }
        slots
    };
    (0..n).map(gather).collect()
}

/// As [`sweep`], for the slots of one task: lines of equal length, one for each query and rule.
fn sweep_task(
    engine: &Engine<'_>,
    runs: &[Run],
    batches: &[Batch<'_>],
    precision: Precision,
    scratch: &mut Scratch,
) -> Vec<f32> {
    let n: usize = batches.iter().map(Batch::n_lines).sum();
    let width = runs.iter().map(|run| run.groups.len() * LANES).sum();
    let mut out = Output { width, values: vec![0.0; n * width] };
    for kind in RowKind::ALL {
        if !batches.iter().any(|batch| batch.side(kind).is_used()) {
            continue;
        }
        let mut slot = 0;
        for run in runs {
            // Every segment of the plan was mapped when the space was opened.
            if let Some(segment) = engine.space.segment_number(run.segment) {
                let rows = StoredRows::new(segment, kind);
                for groups in rows.chunks(&run.groups) {
                    let at = slot + (groups.start - run.groups.start) as usize * LANES;
                    scratch.chunk.load(&rows, &groups, precision == Precision::Full);
                    if precision == Precision::Full {
                        segment.count_master_reads(groups.len());
                    }
                    sweep_chunk(engine, &rows, batches, precision, at, scratch, &mut out);
                }
            }
            slot += run.groups.len() * LANES;
        }
    }
    out.values
}

/// The scores of a task.
struct Output {
    width: usize,
    values: Vec<f32>,
}

#[derive(Default)]
struct Scratch {
    chunk: Chunk,
    cos: Vec<f32>,
    fold: FoldScratch,
}

/// Adds what the passes over the chunk's rows give to the output, from slot `slot` of the task on.
fn sweep_chunk(
    engine: &Engine<'_>,
    rows: &StoredRows<'_>,
    batches: &[Batch<'_>],
    precision: Precision,
    slot: usize,
    scratch: &mut Scratch,
    out: &mut Output,
) {
    let mut line = 0;
    for batch in batches {
        let side = batch.side(rows.kind);
        if side.is_used() {
            similarities(engine.kernel, rows, side, precision, scratch);
        }
        for query in 0..batch.queries().len() {
            for passes in batch.passes() {
                let values = &mut out.values[line * out.width + slot..(line + 1) * out.width];
                for pass in passes.iter().filter(|pass| pass.target == rows.kind) {
                    let share = 1.0 / passes.len() as f32;
                    fold_pass(engine.kernel, rows, batch, query, pass, share, precision, scratch, values);
                    scratch.chunk.fetches_ahead = false;
                }
                line += 1;
            }
        }
    }
}

/// All similarities of a batch's rows with the chunk's, approximate or not.
fn similarities(kernel: &dyn Kernel, rows: &StoredRows<'_>, side: &Side, precision: Precision, scratch: &mut Scratch) {
    let Scratch { chunk, cos, .. } = scratch;
    let stride = chunk.columns();
    let needed = side.packed().len() * stride;
    if cos.len() < needed {
        cos.resize(needed, 0.0);
    }
    let cos = &mut cos[..needed];
    match precision {
        Precision::Bounds => {
            let scales = rows.planes.scales.get(chunk.blocks.start * LANES..).unwrap_or_default();
            kernel.scan(rows.planes.blocks(chunk.blocks.clone()), scales, side.packed(), cos, stride);
        }
        Precision::Full => kernel.dots(side.rows(), &chunk.rows, rows.planes.dim, cos, stride),
    }
}

/// Adds a pass's share of the scores of the chunk's groups, or of their bounds.
#[expect(clippy::too_many_arguments, reason = "the innermost step; a struct of its own would be made for one call")]
fn fold_pass(
    kernel: &dyn Kernel,
    rows: &StoredRows<'_>,
    batch: &Batch<'_>,
    query: usize,
    pass: &Pass,
    share: f32,
    precision: Precision,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let Scratch { chunk, cos, fold } = scratch;
    let side = batch.side(rows.kind);
    let tokens = side.place(query, pass.query);
    let spec = if precision == Precision::Full { pass.full } else { pass.scan() };
    let (first_row, stride) = (chunk.blocks.start * LANES, chunk.columns());
    let mut slack = HeightSlack::default();
    for (group, out) in chunk.groups.iter().zip(out.as_chunks_mut::<LANES>().0) {
        let input = FoldInput {
            cos: &cos[tokens.start * stride + group.column..],
            stride,
            lengths: &group.lengths,
            query_norms: batch.norms(query, pass.query),
            row_norms: rows.planes.norms.get(first_row + group.column..).unwrap_or_default(),
            ahead: group.ahead(rows, chunk),
        };
        let mut scores = [0.0; LANES];
        kernel.fold(&spec, &input, fold, &mut scores);
        if precision == Precision::Bounds {
            let Slack { per_residual, fixed } =
                slack.of(group.height, |rows| side.error(query, pass.query).map(|error| error.slack(&spec, rows)));
            for (score, residual) in scores.iter_mut().zip(&group.residuals) {
                *score += per_residual * residual + fixed;
            }
        }
        out.iter_mut().zip(scores).for_each(|(out, score)| *out += share * score);
    }
}

/// The slack of the group before, because most groups are as high as the one before.
#[derive(Default)]
struct HeightSlack(Option<(usize, Slack)>);

impl HeightSlack {
    fn of(&mut self, height: usize, make: impl FnOnce(usize) -> Option<Slack>) -> Slack {
        match self.0 {
            Some((known, slack)) if known == height => slack,
            _ => {
                // Without an error to bound there is nothing to rely on: everything is rescored.
                let slack = make(height).unwrap_or(Slack { per_residual: 0.0, fixed: f32::INFINITY });
                self.0 = Some((height, slack));
                slack
            }
        }
    }
}

//! Full-precision scores of chosen surface forms: those whose bound does not settle their place.

use super::batch::Batch;
use super::sweep::Engine;
use crate::late_interaction::fold::{FoldInput, FoldScratch};
use crate::late_interaction::lanes::{LANES, Lanes};
use crate::late_interaction::pass::{Pass, RowKind};
use crate::storage::catalog::FormRef;
use crate::storage::segment::Planes;

/// Buffers of a rescorer; one per thread.
#[derive(Default)]
pub(super) struct Rescorer {
    hi: Vec<i8>,
    rows: Vec<f32>,
    products: Vec<f32>,
    cos: Vec<f32>,
    norms: Vec<f32>,
    fold: FoldScratch,
}

impl Rescorer {
    /// Appends the scores of forms for one query of a batch under one rule: the same bits as a sweep's at full precision.
    pub(super) fn score(
        &mut self,
        engine: &Engine<'_>,
        batch: &Batch<'_>,
        query: usize,
        rule: usize,
        forms: &[FormRef],
        out: &mut Vec<f32>,
    ) {
        let passes = batch.passes().get(rule).map(Vec::as_slice).unwrap_or_default();
        for forms in forms.chunks(LANES) {
            let mut total = [0.0; LANES];
            for pass in passes {
                let scores = self.pass(engine, batch, query, pass, forms);
                let share = 1.0 / passes.len() as f32;
                total.iter_mut().zip(scores).for_each(|(total, score)| *total += share * score);
            }
            out.extend_from_slice(&total[..forms.len()]);
        }
    }

    /// Up to sixteen forms under one pass, each in a lane of its own.
    fn pass(&mut self, engine: &Engine<'_>, batch: &Batch<'_>, query: usize, pass: &Pass, forms: &[FormRef]) -> Lanes {
        let side = batch.side(pass.target);
        let tokens = side.place(query, pass.query);
        let mut lengths = [0u32; LANES];
        for (length, form) in lengths.iter_mut().zip(forms) {
            *length = self.length(engine, pass.target, *form);
        }
        let stride = lengths.iter().copied().max().unwrap_or(0) as usize * LANES;
        self.cos.clear();
        self.cos.resize(tokens.len() * stride, 0.0);
        self.norms.clear();
        self.norms.resize(stride, 0.0);
        for (lane, form) in forms.iter().enumerate() {
            let Some(segment) = engine.space.segment(*form) else { continue };
            segment.count_master_reads(1);
            match pass.target {
                RowKind::Tokens => self.restore(&segment.tokens(), segment.rows_of(form.form), lane),
                RowKind::Pooled => self.restore(&segment.pooled(), std::iter::once(form.form as usize), lane),
            }
            let dim = segment.dim();
            let query_rows = &side.rows()[tokens.start * dim..tokens.end * dim];
            let n = self.rows.len() / dim;
            self.products.clear();
            self.products.resize(tokens.len() * n, 0.0);
            engine.kernel.dots(query_rows, &self.rows, dim, &mut self.products, n);
            for (line, products) in self.cos.chunks_mut(stride).zip(self.products.chunks(n)) {
                products.iter().enumerate().for_each(|(row, &product)| line[row * LANES + lane] = product);
            }
        }
        let query_norms = batch.norms(query, pass.query);
        let (cos, row_norms) = (self.cos.as_slice(), self.norms.as_slice());
        let input = FoldInput { cos, stride, lengths: &lengths, query_norms, row_norms, ahead: &[] };
        let mut scores = [0.0; LANES];
        engine.kernel.fold(&pass.full, &input, &mut self.fold, &mut scores);
        scores
    }

    fn length(&self, engine: &Engine<'_>, kind: RowKind, form: FormRef) -> u32 {
        match (engine.space.segment(form), kind) {
            (Some(_), RowKind::Pooled) => 1,
            (Some(segment), RowKind::Tokens) => segment.rows_of(form.form).len() as u32,
            (None, _) => 0,
        }
    }

    /// The master rows of a form into `rows`, and the norms of the raw ones into its lane.
    fn restore(&mut self, planes: &Planes<'_>, rows: impl Iterator<Item = usize> + Clone, lane: usize) {
        for (row, place) in rows.clone().enumerate() {
            self.norms[row * LANES + lane] = planes.norms[place];
        }
        self.rows.clear();
        planes.restore(rows, &mut self.hi, &mut self.rows);
    }
}

//! Some queries under some rules, made ready for sweeps: the rows that the rules' passes need, packed together.

use std::ops::Range;

use crate::late_interaction::Rule;
use crate::late_interaction::bound::QueryError;
use crate::late_interaction::packed::PackedTokens;
use crate::late_interaction::pass::{Pass, RowKind, passes};
use crate::late_interaction::query::PreparedQuery;

/// Query tokens that are multiplied with a chunk of rows at a time, unless one query has more: their similarities stay in the
/// first-level cache.
const TOKENS: usize = 32;

/// Queries that are swept together.
pub(super) struct Batch<'q> {
    queries: &'q [PreparedQuery],
    /// The passes of each rule.
    passes: Vec<Vec<Pass>>,
    /// What meets the target's token rows, and its pooled vectors.
    sides: [Side; 2],
}

/// The query rows that meet one kind of stored rows.
pub(super) struct Side {
    /// Row-major, query after query.
    rows: Vec<f32>,
    packed: PackedTokens,
    /// For each query, where its token rows and its pooled vector are; empty where no pass asks for them.
    places: Vec<[Range<usize>; 2]>,
    errors: Vec<[QueryError; 2]>,
}

/// Cuts queries into batches of about [`TOKENS`] rows.
pub(super) fn batches<'q>(queries: &'q [PreparedQuery], rules: &[Rule]) -> Vec<Batch<'q>> {
    let mut batches = Vec::new();
    let mut rest = queries;
    while !rest.is_empty() {
        let mut tokens = 0;
        let fits = |query: &&PreparedQuery| {
            tokens += query.norms().len();
            tokens <= TOKENS
        };
        let (batch, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        batches.push(Batch::new(batch, rules));
        rest = after;
    }
    batches
}

impl<'q> Batch<'q> {
    /// Queries of one dimension.
    pub(super) fn new(queries: &'q [PreparedQuery], rules: &[Rule]) -> Self {
        Self::with_passes(queries, rules.iter().map(passes).collect())
    }

    fn with_passes(queries: &'q [PreparedQuery], passes: Vec<Vec<Pass>>) -> Self {
        let sides = RowKind::ALL.map(|target| {
            let asked = |kind| passes.iter().flatten().any(|pass| pass.target == target && pass.query == kind);
            Side::new(queries, RowKind::ALL.map(asked))
        });
        Self { queries, passes, sides }
    }

    /// One query of the batch under one of its rules, as a batch of its own.
    pub(super) fn alone(&self, query: usize, rule: usize) -> Batch<'q> {
        let queries = self.queries.get(query..query + 1).unwrap_or_default();
        Self::with_passes(queries, self.passes.get(rule).cloned().into_iter().collect())
    }

    /// The queries.
    pub(super) fn queries(&self) -> &'q [PreparedQuery] {
        self.queries
    }

    /// The passes of each rule.
    pub(super) fn passes(&self) -> &[Vec<Pass>] {
        &self.passes
    }

    /// How many answers are asked for: one for each query and rule.
    pub(super) fn n_lines(&self) -> usize {
        self.queries.len() * self.passes.len()
    }

    /// The query rows that meet one kind of stored rows.
    pub(super) fn side(&self, target: RowKind) -> &Side {
        &self.sides[target as usize]
    }

    /// The norms of a query's raw rows of one kind.
    pub(super) fn norms(&self, query: usize, kind: RowKind) -> &[f32] {
        match (self.queries.get(query), kind) {
            (Some(query), RowKind::Tokens) => query.norms(),
            (Some(query), RowKind::Pooled) => std::slice::from_ref(query.pooled_norm()),
            (None, _) => &[],
        }
    }
}

impl Side {
    fn new(queries: &[PreparedQuery], asked: [bool; 2]) -> Self {
        let dim = queries.first().map_or(1, PreparedQuery::dim);
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for query in queries {
            places.push(RowKind::ALL.map(|kind| {
                let start = rows.len() / dim;
                if asked[kind as usize] {
                    rows.extend_from_slice(match kind {
                        RowKind::Tokens => query.rows(),
                        RowKind::Pooled => query.pooled(),
                    });
                }
                start..rows.len() / dim
            }));
        }
        let packed = PackedTokens::new(dim, &rows);
        let error = |tokens: &Range<usize>| QueryError::new(&packed, tokens.clone(), dim);
        let errors = places.iter().map(|places| RowKind::ALL.map(|kind| error(&places[kind as usize]))).collect();
        Self { rows, packed, places, errors }
    }

    /// The rows in f32, row-major.
    pub(super) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The rows as a scan reads them.
    pub(super) fn packed(&self) -> &PackedTokens {
        &self.packed
    }

    /// Whether any pass meets this kind of stored rows.
    pub(super) fn is_used(&self) -> bool {
        self.packed.len() > 0
    }

    /// Which rows are a query's.
    pub(super) fn place(&self, query: usize, kind: RowKind) -> Range<usize> {
        self.places.get(query).map_or(0..0, |places| places[kind as usize].clone())
    }

    /// How far the packed copies of a query's rows are off.
    pub(super) fn error(&self, query: usize, kind: RowKind) -> Option<&QueryError> {
        self.errors.get(query).map(|errors| &errors[kind as usize])
    }
}

//! What a sweep reads: groups of surface forms in chunks whose similarities fit the first-level cache.

use std::ops::Range;

use super::plan::height;
use crate::late_interaction::lanes::{LANES, Lanes};
use crate::late_interaction::pass::RowKind;
use crate::storage::segment::{Planes, Segment};

/// Blocks whose similarities are computed before they are folded: those of a batch stay in the first-level cache.
const CHUNK_BLOCKS: usize = 8;
/// Of the blocks that follow a chunk, the first ones are fetched by the scan of the chunk itself, and by the machine; these many
/// are left to them.
const AHEAD: usize = 4;
/// How much of what follows is fetched while a chunk is folded, in hundredths of the chunk.
const SHARE: usize = 15;

/// Stored rows of one kind in one segment: those of a pooled vector are one a form.
pub(super) struct StoredRows<'s> {
    pub(super) kind: RowKind,
    pub(super) planes: Planes<'s>,
    group_starts: &'s [u32],
    lengths: &'s [u32],
}

impl<'s> StoredRows<'s> {
    pub(super) fn new(segment: &'s Segment, kind: RowKind) -> Self {
        let planes = match kind {
            RowKind::Tokens => segment.tokens(),
            RowKind::Pooled => segment.pooled(),
        };
        Self { kind, planes, group_starts: segment.group_starts(), lengths: segment.lengths() }
    }

    fn height(&self, group: u32) -> usize {
        match self.kind {
            RowKind::Tokens => height(self.group_starts, group),
            RowKind::Pooled => 1,
        }
    }

    fn first_block(&self, group: u32) -> usize {
        match self.kind {
            RowKind::Tokens => self.group_starts.get(group as usize).map_or(0, |&start| start as usize),
            RowKind::Pooled => group as usize,
        }
    }

    /// The rows of each form of a group.
    fn lengths(&self, group: u32) -> [u32; LANES] {
        let mut lengths = [0; LANES];
        let of_group = self.lengths.get(group as usize * LANES..).unwrap_or_default();
        lengths.iter_mut().zip(of_group).for_each(|(lane, &length)| {
            *lane = if self.kind == RowKind::Tokens { length } else { 1 };
        });
        lengths
    }

    /// Consecutive groups of up to [`CHUNK_BLOCKS`] blocks together, or single higher ones.
    pub(super) fn chunks(&self, groups: &Range<u32>) -> impl Iterator<Item = Range<u32>> {
        let mut next = groups.start;
        let end = groups.end;
        std::iter::from_fn(move || {
            let start = next;
            let mut blocks = 0;
            while next < end && (next == start || blocks + self.height(next) <= CHUNK_BLOCKS) {
                blocks += self.height(next);
                next += 1;
            }
            (start < next).then_some(start..next)
        })
    }
}

/// The groups being swept.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) blocks: Range<usize>,
    pub(super) groups: Vec<Group>,
    /// Whether what follows the chunk is still to be fetched: by the first fold of a scan, and by no other.
    pub(super) fetches_ahead: bool,
    /// Master rows, where full precision is asked for.
    pub(super) rows: Vec<f32>,
    hi: Vec<i8>,
}

/// What is known of a group before any query meets it.
pub(super) struct Group {
    /// Its first column in the chunk's similarities.
    pub(super) column: usize,
    pub(super) height: usize,
    pub(super) lengths: [u32; LANES],
    /// The largest residual of each form's rows.
    pub(super) residuals: Lanes,
}

impl Group {
    /// The group's part of the bytes behind the chunk that are to be fetched, in proportion to its height.
    pub(super) fn ahead<'s>(&self, rows: &StoredRows<'s>, chunk: &Chunk) -> &'s [u8] {
        if !chunk.fetches_ahead {
            return &[];
        }
        let behind = rows.planes.blocks_from(chunk.blocks.end);
        let block = rows.planes.block_len();
        let lines = |column: usize| AHEAD * block + column / LANES * block * SHARE / 100;
        behind.get(lines(self.column)..lines(self.column + self.height * LANES)).unwrap_or_default()
    }
}

impl Chunk {
    /// Reads what does not depend on a query; with master rows if `full`.
    pub(super) fn load(&mut self, rows: &StoredRows<'_>, groups: &Range<u32>, full: bool) {
        let first = rows.first_block(groups.start);
        self.groups.clear();
        let mut end = first;
        for group in groups.clone() {
            let height = rows.height(group);
            let residuals = largest_residuals(&rows.planes, end..end + height);
            self.groups.push(Group { column: (end - first) * LANES, height, lengths: rows.lengths(group), residuals });
            end += height;
        }
        self.blocks = first..end;
        self.fetches_ahead = !full;
        self.rows.clear();
        if full {
            let places = first * LANES..(end * LANES).min(rows.planes.norms.len());
            rows.planes.restore(places, &mut self.hi, &mut self.rows);
        }
    }

    /// Similarities of a query row with the chunk.
    pub(super) fn columns(&self) -> usize {
        self.blocks.len() * LANES
    }
}

fn largest_residuals(planes: &Planes<'_>, blocks: Range<usize>) -> Lanes {
    let mut largest = [0.0f32; LANES];
    for block in blocks {
        let residuals = planes.residuals.get(block * LANES..).unwrap_or_default();
        for (largest, &residual) in largest.iter_mut().zip(residuals) {
            *largest = if residual > *largest { residual } else { *largest };
        }
    }
    largest
}

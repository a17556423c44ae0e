//! In which order the surface forms of a segment lie, and where their rows are.
//!
//! Sixteen forms lie side by side: block b of a group holds row b of each. A scan then has one form in each lane of its
//! registers, and everything from a similarity to a score happens lane by lane. Forms of equal length lie together, so that
//! little is left empty.

use crate::late_interaction::layout::BLOCK_ROWS;

/// A form to be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Forms of one run lie together: those of one kind, which are scanned together.
    pub(super) run: u32,
    /// Number of its first row, as rows were pushed.
    pub(super) first: u32,
    /// How many rows it has, at least 1.
    pub(super) length: u32,
}

/// The layout of a segment.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Forms as they lie, by their number as they were pushed.
    pub(super) forms: Vec<u32>,
    /// The first block of each group, and the number of blocks.
    pub(super) group_starts: Vec<u32>,
    /// The pushed row in each place; none where a group is higher than a form.
    pub(super) rows: Vec<Option<u32>>,
}

impl Order {
    /// Orders forms by run and length, and leaves those of equal run and length as they were pushed.
    pub(super) fn of(extents: &[Extent]) -> Self {
        let mut forms: Vec<u32> = (0..extents.len() as u32).collect();
        let key = |form: &u32| extents.get(*form as usize).map(|extent| (extent.run, extent.length));
        forms.sort_by_key(key);
        let mut order = Self { group_starts: vec![0], ..Self::default() };
        for group in forms.chunks(BLOCK_ROWS) {
            let of_group: Vec<Extent> = group.iter().filter_map(|&form| extents.get(form as usize)).copied().collect();
            let height = of_group.iter().map(|extent| extent.length).max().unwrap_or(0);
            for r in 0..height {
                let row = |extent: &Extent| (r < extent.length).then_some(extent.first + r);
                order.rows.extend(of_group.iter().map(row));
                order.rows.resize(order.rows.len().next_multiple_of(BLOCK_ROWS), None);
            }
            order.group_starts.push((order.rows.len() / BLOCK_ROWS) as u32);
        }
        order.forms = forms;
        order
    }

    /// Blocks of sixteen rows.
    pub(super) fn n_blocks(&self) -> u32 {
        self.group_starts.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lengths_of_a_run_lie_together() {
        let extent = |run, first, length| Extent { run, first, length };
        let order = Order::of(&[extent(1, 0, 1), extent(0, 1, 3), extent(0, 4, 1), extent(0, 5, 3)]);
        assert_eq!(order.forms, [2, 1, 3, 0]);
        assert_eq!((order.group_starts.as_slice(), order.n_blocks()), (&[0, 3][..], 3));
        let block = |rows: [Option<u32>; 4]| rows.into_iter().chain([None; 12]).collect::<Vec<_>>();
        assert_eq!(order.rows[..16], block([Some(4), Some(1), Some(5), Some(0)]));
        assert_eq!(order.rows[16..32], block([None, Some(2), Some(6), None]));
        assert_eq!(order.rows[32..], block([None, Some(3), Some(7), None]));
    }

    #[test]
    fn a_group_holds_sixteen_forms() {
        let extents: Vec<Extent> = (0..33).map(|form| Extent { run: 0, first: form * 2, length: 2 }).collect();
        let order = Order::of(&extents);
        assert_eq!(order.group_starts, [0, 2, 4, 6]);
        assert_eq!(order.rows.len(), 6 * 16);
        assert_eq!(order.rows.iter().flatten().count(), 66);
        assert_eq!(Order::of(&[]).n_blocks(), 0);
    }
}

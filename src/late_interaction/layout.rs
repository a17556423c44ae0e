//! Storage order of the hi plane: 16 rows interleaved by 4 bytes.
//!
//! A scan reads the plane from front to back and multiplies 16 rows at once with the same four dimensions of a query
//! token, so those 64 bytes lie together: one cache line, one load of the widest registers, and no address ever skips
//! ahead. The dot-product instructions of AVX-512 VNNI, AVX2 and NEON all take groups of four bytes, so one order
//! serves them all. **Part of the on-disk format**:
//!
//! > offset of (row r, dimension k) = ⌊r/16⌋ · 16 · pdim + ⌊k/4⌋ · 64 + (r mod 16) · 4 + k mod 4,
//!
//! pdim being `dim` rounded up to a multiple of 4. The byte is hi + 128 (those instructions multiply unsigned with
//! signed bytes); rows and dimensions that only fill up a block or group hold 128, the value 0.
//!
//! The lo plane is read one row at a time and stays row-major i8.

/// Rows of a block.
pub(crate) const BLOCK_ROWS: usize = 16;
/// Dimensions of a group.
const GROUP: usize = 4;
/// Bytes of a group of a whole block: one cache line.
pub(crate) const LINE: usize = BLOCK_ROWS * GROUP;
/// The byte of the value 0.
const ZERO: u8 = 128;

/// Bytes of the plane of `n_rows` rows; `usize::MAX` where that would overflow, so that a damaged header never fits.
pub(crate) fn plane_len(n_rows: usize, dim: usize) -> usize {
    n_rows.div_ceil(BLOCK_ROWS).saturating_mul(block_len(dim))
}

/// Appends the plane of `n` row-major rows to `out`, filling up the last block.
///
/// A long plane can be written piece by piece: pieces of a multiple of 16 rows follow each other without a seam.
/// `rows` holds n · dim values; a surplus is ignored and what is missing reads as 0.
pub(crate) fn interleave(rows: &[i8], n: usize, dim: usize, out: &mut Vec<u8>) {
    debug_assert_eq!(rows.len(), n * dim);
    let start = out.len();
    out.resize(start + plane_len(n, dim), ZERO);
    if dim == 0 {
        return;
    }
    for (block, rows) in out[start..].chunks_exact_mut(block_len(dim)).zip(rows.chunks(BLOCK_ROWS * dim)) {
        for (r, row) in rows.chunks_exact(dim).enumerate() {
            for (line, group) in block.chunks_exact_mut(LINE).zip(row.chunks(GROUP)) {
                let cell = &mut line[r * GROUP..][..group.len()];
                cell.iter_mut().zip(group).for_each(|(byte, &hi)| *byte = (hi as u8) ^ ZERO);
            }
        }
    }
}

/// Reads row `row` of a plane into `out`, which is `dim` long. `None` when the row does not lie in the plane.
pub(crate) fn gather_row(plane: &[u8], dim: usize, row: usize, out: &mut [i8]) -> Option<()> {
    let start = (row / BLOCK_ROWS).checked_mul(block_len(dim))?;
    let block = plane.get(start..start.checked_add(block_len(dim))?)?;
    if out.len() != dim {
        return None;
    }
    for (line, group) in block.chunks_exact(LINE).zip(out.chunks_mut(GROUP)) {
        // A line holds 16 cells of 4 bytes, and row % 16 is one of them.
        let cell = &line[(row % BLOCK_ROWS) * GROUP..];
        group.iter_mut().zip(cell).for_each(|(hi, &byte)| *hi = (byte ^ ZERO) as i8);
    }
    Some(())
}

fn block_len(dim: usize) -> usize {
    dim.div_ceil(GROUP).saturating_mul(LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_lie_where_the_format_says() {
        let (n, dim) = (19, 6);
        let rows: Vec<i8> = (0..n * dim).map(|k| (k as i8).wrapping_mul(3)).collect();
        let mut plane = Vec::new();
        interleave(&rows, n, dim, &mut plane);
        assert_eq!(plane.len(), 2 * 16 * 8);
        let mut used = vec![false; plane.len()];
        for r in 0..n {
            for k in 0..dim {
                let offset = (r / 16) * 16 * 8 + (k / 4) * 64 + (r % 16) * 4 + k % 4;
                assert_eq!(i32::from(plane[offset]), i32::from(rows[r * dim + k]) + 128);
                used[offset] = true;
            }
        }
        assert!(plane.iter().zip(used).all(|(byte, used)| used || *byte == 128));
    }

    #[test]
    fn rows_outside_the_plane_are_refused() {
        let mut plane = Vec::new();
        interleave(&[1; 8], 2, 4, &mut plane);
        assert_eq!(gather_row(&plane, 4, 16, &mut [0; 4]), None);
        assert_eq!(gather_row(&plane, 4, usize::MAX, &mut [0; 4]), None);
        assert_eq!(gather_row(&plane, usize::MAX, 1, &mut [0; 4]), None);
        assert_eq!(gather_row(&plane, 4, 0, &mut [0; 3]), None);
        assert_eq!(gather_row(&plane[..63], 4, 0, &mut [0; 4]), None);
    }

    #[test]
    fn lengths_saturate() {
        assert_eq!((plane_len(0, 8), plane_len(1, 8), plane_len(16, 8), plane_len(17, 9)), (0, 128, 128, 384));
        assert_eq!(plane_len(usize::MAX, usize::MAX), usize::MAX);
        assert_eq!(plane_len(5, 0), 0);
    }

    fn planes() -> impl Strategy<Value = (usize, usize, Vec<i8>)> {
        (0usize..50, prop::sample::select(vec![1usize, 3, 4, 8, 33, 128]))
            .prop_flat_map(|(n, dim)| (Just(n), Just(dim), prop::collection::vec(any::<i8>(), n * dim)))
    }

    proptest! {
        #[test]
        fn gathering_returns_what_was_interleaved((n, dim, rows) in planes()) {
            let mut plane = Vec::new();
            interleave(&rows, n, dim, &mut plane);
            prop_assert_eq!(plane.len(), plane_len(n, dim));
            let mut out = vec![0; dim];
            for (r, row) in rows.chunks_exact(dim).enumerate() {
                prop_assert_eq!(gather_row(&plane, dim, r, &mut out), Some(()));
                prop_assert_eq!(&out[..], row);
            }
        }

        #[test]
        fn a_plane_written_in_pieces_has_no_seam((n, dim, rows) in planes(), blocks in 1usize..3) {
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            interleave(&rows, n, dim, &mut whole);
            for piece in rows.chunks(blocks * BLOCK_ROWS * dim) {
                interleave(piece, piece.len() / dim, dim, &mut pieces);
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}

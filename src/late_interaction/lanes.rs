//! Sixteen f32 values side by side, in plain loops that the compiler turns into vector instructions of whatever width the
//! surrounding function is compiled for. Nothing here is fused or reordered: the bits are the same on every machine.

use super::layout::BLOCK_ROWS;

/// One value of each row of a block.
pub(crate) type Lanes = [f32; LANES];
/// Values side by side.
pub(crate) const LANES: usize = BLOCK_ROWS;

#[inline(always)]
pub(super) fn map(a: &Lanes, f: impl Fn(f32) -> f32) -> Lanes {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l]);
    }
    out
}

#[inline(always)]
pub(super) fn zip(a: &Lanes, b: &Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l], b[l]);
    }
    out
}

/// `a` where `mask` is set, `b` where it is not.
#[inline(always)]
pub(super) fn select(mask: &[bool; LANES], a: &Lanes, b: &Lanes) -> Lanes {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = if mask[l] { a[l] } else { b[l] };
    }
    out
}

/// Sixteen values from the front of a slice; what it does not hold is 0.
#[inline(always)]
pub(super) fn load(values: &[f32]) -> Lanes {
    let mut out = [0.0; LANES];
    match values.first_chunk::<LANES>() {
        Some(whole) => out = *whole,
        None => out[..values.len()].copy_from_slice(values),
    }
    out
}

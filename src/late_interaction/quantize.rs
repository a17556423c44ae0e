//! Rows as they are stored: rotated unit vectors in 16-bit fixed point, split into two byte planes.
//!
//! A raw row r becomes e = R r / ‖r‖ (R being the format's [`Rotation`]) and then, with one scale s per row,
//! q = round(e / s) ∈ −32639…32639 and q = 256 · hi + lo. From the two planes come two copies of the row:
//!
//! * the **master row** s · (256 hi + lo): what the engine means by full precision, bit for bit;
//! * the **scan row** ê = s · 256 hi, which costs one byte a dimension and is known to lie within
//!   [`residual`](RowScale::residual) of the master row.
//!
//! # How far a cosine of scan rows can be off
//!
//! Let e, f be two rows, c = e · f the similarity that is wanted and ĉ = ê · f̂ the one that was computed. Going from
//! one to the other by changing one factor at a time,
//!
//! > c − ĉ = e·f − e·f̂ + e·f̂ − ê·f̂ = e·(f − f̂) + (e − ê)·f̂,
//!
//! and by Cauchy–Schwarz on each term
//!
//! > |c − ĉ| ≤ ‖e‖ ‖f − f̂‖ + ‖e − ê‖ ‖f̂‖,
//!
//! where ‖e‖ = 1 for exact unit rows; rows that went through f32 are unit to within 1e-6, so whoever certifies uses the
//! norm they have. With a query left in f32 (ê = e) the second term is gone and the bound is the target's residual
//! alone. No assumption on how the residual is distributed enters, so the bound holds for every input.
//!
//! # How far the master row is from the unit row
//!
//! Each value is off by at most s/2 and s = max|eₖ| / 32639, so ‖master − e‖ ≤ √dim · max|eₖ| / 65278, plus f32
//! rounding below 1e-6. A cosine with a unit vector is off by no more than that. For 384 dimensions, where rotated rows
//! have a largest value of about 0.15, this is 4.5e-5 at worst and 2.6e-5 typically.

use crate::error::{Error, Result};

use super::rotation::Rotation;
use super::unit::unit_rotated;

/// The largest q: hi = 127 and lo = 127. The largest that keeps both planes in i8 on either side of zero.
const Q_MAX: f32 = 32639.0;

/// What is stored beside the two planes of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowScale {
    /// ‖raw‖ of the row as the encoder made it; 0 for a zero row.
    pub(crate) norm: f32,
    /// The step s of the fixed point; 0 for a zero row.
    pub(crate) scale: f32,
    /// Upper bound of ‖master row − scan row‖, as real vectors.
    pub(crate) residual: f32,
}

/// Fills the two planes of a raw row, each `rotation.dim()` long.
///
/// The result is the same bits on every platform: the norm is summed in order in f64, the rotation is exact about its
/// order of operations, and the rest is correctly rounded single steps.
///
/// # Errors
/// [`Error::Matrix`] when a length differs from the rotation's, a value is not finite, or the norm exceeds f32.
pub(crate) fn quantize_row(
    rotation: &Rotation,
    raw: &[f32],
    hi: &mut [i8],
    lo: &mut [i8],
    scratch: &mut QuantizeScratch,
) -> Result<RowScale> {
    let dim = rotation.dim();
    if hi.len() != dim || lo.len() != dim {
        return Err(Error::Matrix {
            expected: format!("two byte planes of {dim} values"),
            got: format!("{} and {}", hi.len(), lo.len()),
        });
    }
    scratch.row.resize(dim, 0.0);
    let norm = unit_rotated(rotation, raw, &mut scratch.row, &mut scratch.rotation)?;
    let largest = scratch.row.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
    let scale = largest / Q_MAX;
    if scale == 0.0 {
        hi.fill(0);
        lo.fill(0);
        return Ok(RowScale { norm, scale: 0.0, residual: 0.0 });
    }
    let (mut lo_squares, mut q_squares) = (0i64, 0i64);
    for ((&x, hi), lo) in scratch.row.iter().zip(hi).zip(lo) {
        // |x / scale| ≤ 32639 (1 + 2⁻²³), which rounds into the range of q.
        let q = (f64::from(x) / f64::from(scale)).round_ties_even() as i32;
        // (q + 128) >> 8 floors into −127…127 and leaves −128…127.
        *hi = ((q + 128) >> 8) as i8;
        *lo = (q - 256 * i32::from(*hi)) as i8;
        lo_squares += i64::from(*lo) * i64::from(*lo);
        q_squares += i64::from(q) * i64::from(q);
    }
    Ok(RowScale { norm, scale, residual: residual(scale, lo_squares, q_squares) })
}

/// The master row from its two planes: out = scale · (256 hi + lo), one f32 rounding a value. All slices are `dim` long.
pub(crate) fn restore_row(hi: &[i8], lo: &[i8], scale: f32, out: &mut [f32]) {
    debug_assert!(hi.len() == out.len() && lo.len() == out.len());
    for ((&hi, &lo), out) in hi.iter().zip(lo).zip(out) {
        // |256 hi + lo| < 2¹⁶ is exact in f32.
        *out = (256 * i32::from(hi) + i32::from(lo)) as f32 * scale;
    }
}

/// Buffers of [`quantize_row`], to be kept between rows.
#[derive(Debug, Default)]
pub(crate) struct QuantizeScratch {
    row: Vec<f32>,
    rotation: Vec<f32>,
}

/// scale · ‖lo‖ plus what rounding the master row's products to f32 can add (2⁻²⁴ of each value), rounded up.
fn residual(scale: f32, lo_squares: i64, q_squares: i64) -> f32 {
    const HALF_ULP: f64 = 1.0 / (1u64 << 24) as f64;
    // Covers the few f64 roundings of this very expression.
    const SLACK: f64 = 1.0 + 1.0 / (1u64 << 40) as f64;
    let bound = f64::from(scale) * ((lo_squares as f64).sqrt() + HALF_ULP * (q_squares as f64).sqrt()) * SLACK;
    let nearest = bound as f32;
    if f64::from(nearest) < bound { nearest.next_up() } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_interaction::format_golden::format_goldens;
    use proptest::prelude::*;

    struct Stored {
        hi: Vec<i8>,
        lo: Vec<i8>,
        scale: RowScale,
    }

    impl Stored {
        fn of(raw: &[f32]) -> Self {
            let (mut hi, mut lo) = (vec![0; raw.len()], vec![0; raw.len()]);
            let rotation = Rotation::new(raw.len());
            let scale = quantize_row(&rotation, raw, &mut hi, &mut lo, &mut QuantizeScratch::default()).unwrap();
            Self { hi, lo, scale }
        }

        fn master(&self) -> Vec<f64> {
            let mut out = vec![0.0; self.hi.len()];
            restore_row(&self.hi, &self.lo, self.scale.scale, &mut out);
            out.into_iter().map(f64::from).collect()
        }

        fn scan(&self) -> Vec<f64> {
            self.hi.iter().map(|&hi| f64::from(self.scale.scale) * 256.0 * f64::from(hi)).collect()
        }
    }

    /// The rotated unit row in f64 (the rotation's f32 rounding is below 1e-6 and part of the bounds below).
    fn exact(raw: &[f32]) -> Vec<f64> {
        let norm = raw.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        let mut row: Vec<f32> = raw.iter().map(|&v| (f64::from(v) / norm) as f32).collect();
        Rotation::new(raw.len()).apply(&mut row, &mut Vec::new());
        row.into_iter().map(f64::from).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
    }

    fn largest(row: &[f64]) -> f64 {
        row.iter().fold(0.0, |largest, v| largest.max(v.abs()))
    }

    #[test]
    fn stored_bits_never_drift() {
        for golden in format_goldens() {
            let stored = Stored::of(&golden.input);
            assert_eq!(stored.hi, golden.hi);
            assert_eq!(stored.lo, golden.lo);
            let RowScale { norm, scale, residual } = stored.scale;
            assert_eq!([norm, scale, residual].map(f32::to_bits), golden.scale_bits);
        }
    }

    #[test]
    fn a_zero_row_is_all_zeros() {
        let stored = Stored::of(&[0.0, -0.0, 0.0]);
        assert_eq!(stored.scale, RowScale { norm: 0.0, scale: 0.0, residual: 0.0 });
        assert_eq!(stored.master(), [0.0; 3]);
    }

    #[test]
    fn the_largest_value_fills_the_range_on_either_side() {
        for value in [3.5f32, -3.5] {
            let stored = Stored::of(&[value]);
            let q = 256 * i32::from(stored.hi[0]) + i32::from(stored.lo[0]);
            assert_eq!((q.abs(), i32::from(stored.hi[0]).abs()), (32639, 127));
            assert_eq!(stored.scale.norm, 3.5);
            assert!((stored.master()[0].abs() - 1.0).abs() <= 1e-7);
        }
    }

    #[test]
    fn tiny_and_huge_rows_keep_their_direction() {
        let direction = [3.0f32, -1.0, 2.0, 0.5];
        let plain = Stored::of(&direction);
        for factor in [2f32.powi(-120), 2f32.powi(125)] {
            let stored = Stored::of(&direction.map(|v| v * factor));
            assert_eq!((&stored.hi, &stored.lo), (&plain.hi, &plain.lo));
            assert_eq!(stored.scale.norm, plain.scale.norm * factor);
        }
        let denormal = Stored::of(&[f32::from_bits(1); 4]);
        assert_eq!(denormal.scale.norm, f32::from_bits(2));
        assert!((dot(&denormal.master(), &denormal.master()) - 1.0).abs() <= 1e-6);
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let mut planes = (vec![0; 4], vec![0; 4]);
        let mut quantize = |raw: &[f32]| {
            let rotation = Rotation::new(4);
            quantize_row(&rotation, raw, &mut planes.0, &mut planes.1, &mut QuantizeScratch::default())
        };
        for raw in [&[f32::NAN, 0.0, 0.0, 0.0][..], &[0.0, f32::INFINITY, 0.0, 0.0], &[f32::MAX; 4], &[1.0; 3]] {
            assert!(matches!(quantize(raw), Err(Error::Matrix { .. })), "{raw:?}");
        }
        assert!(quantize(&[f32::MAX, 0.0, 0.0, 0.0]).is_ok());
        let (rotation, mut short, mut lo) = (Rotation::new(4), [0; 3], [0; 4]);
        assert!(quantize_row(&rotation, &[1.0; 4], &mut short, &mut lo, &mut QuantizeScratch::default()).is_err());
    }

    fn row(dim: usize) -> impl Strategy<Value = Vec<f32>> {
        let outlier = prop_oneof![8 => -1.0f32..1.0, 1 => -50.0f32..50.0, 1 => Just(0.0f32)];
        prop::collection::vec(outlier, dim).prop_filter("not a zero row", |row| row.iter().any(|v| *v != 0.0))
    }

    fn two_rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        prop::sample::select(vec![1usize, 3, 4, 8, 33, 128, 384]).prop_flat_map(|dim| (row(dim), row(dim)))
    }

    proptest! {
        #[test]
        fn the_master_row_is_within_the_stated_distance((raw, other) in two_rows()) {
            let (stored, unit) = (Stored::of(&raw), exact(&raw));
            let limit = (unit.len() as f64).sqrt() * largest(&unit) / 65278.0 + 1e-6;
            prop_assert!(distance(&stored.master(), &unit) <= limit);
            let probe = exact(&other);
            prop_assert!((dot(&stored.master(), &probe) - dot(&unit, &probe)).abs() <= limit * 1.000_01);
            prop_assert!(stored.hi.iter().all(|hi| (-127..=127).contains(hi)));
        }

        #[test]
        fn the_residual_bounds_the_scan_row_and_is_tight((raw, _) in two_rows()) {
            let stored = Stored::of(&raw);
            let actual = distance(&stored.master(), &stored.scan());
            let residual = f64::from(stored.scale.residual);
            prop_assert!(actual <= residual);
            prop_assert!(residual <= actual * 1.000_001 + 2e-7);
        }

        #[test]
        fn a_cosine_of_scan_rows_is_within_the_certificate_s_bound((a, b) in two_rows()) {
            let (e, f) = (Stored::of(&a), Stored::of(&b));
            let error = (dot(&e.master(), &f.master()) - dot(&e.scan(), &f.scan())).abs();
            let norm = |row: &[f64]| dot(row, row).sqrt();
            let bound = norm(&e.master()) * f64::from(f.scale.residual)
                + f64::from(e.scale.residual) * norm(&f.scan());
            prop_assert!(error <= bound + 1e-15);
            let query_exact = (dot(&e.master(), &f.master()) - dot(&e.master(), &f.scan())).abs();
            prop_assert!(query_exact <= norm(&e.master()) * f64::from(f.scale.residual) + 1e-15);
        }

        #[test]
        fn the_same_row_gives_the_same_bytes((raw, other) in two_rows()) {
            // A scratch that has served another row and another dimension makes no difference.
            let mut scratch = QuantizeScratch::default();
            let (mut hi, mut lo) = (vec![0; 9], vec![0; 9]);
            quantize_row(&Rotation::new(9), &[0.25; 9], &mut hi, &mut lo, &mut scratch).unwrap();
            let rotation = Rotation::new(raw.len());
            let (mut hi, mut lo) = (vec![1; raw.len()], vec![1; raw.len()]);
            quantize_row(&rotation, &other, &mut hi, &mut lo, &mut scratch).unwrap();
            let scale = quantize_row(&rotation, &raw, &mut hi, &mut lo, &mut scratch).unwrap();
            let stored = Stored::of(&raw);
            prop_assert_eq!((hi, lo, scale), (stored.hi, stored.lo, stored.scale));
        }
    }
}

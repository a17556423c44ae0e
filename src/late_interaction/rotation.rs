//! The fixed orthogonal transform under which every row is stored.
//!
//! Token embeddings have outlier dimensions, and a row's largest value decides how finely the others are quantised. The
//! transform spreads an outlier over a whole block of dimensions, which makes the largest i8 residual about a third and
//! leaves every norm and dot product as it was (it is orthogonal). Queries are transformed once; stored rows are never
//! transformed back.
//!
//! It is **part of the on-disk format** and must never change for a given `dim`:
//!
//! 1. *Generator*: SplitMix64 with the state [`SEED`] at the start; all draws below come from it in this order.
//! 2. *Signs*: one draw per dimension, from 0 on; a draw with its highest bit set flips the dimension's sign.
//! 3. *Walsh–Hadamard transform* (natural order, without scaling) of every block of B consecutive dimensions, B being
//!    the largest power of two that divides `dim`. At stride h = 1, 2, 4, … B/2 the pair (a, b) at distance h becomes
//!    (a + b, a − b).
//! 4. *Scale*: every value times f32(1 / √B).
//! 5. *Permutation*: Fisher–Yates on p = 0, 1, … dim − 1: for k from dim − 1 down to 1, p\[k\] changes places with
//!    p\[⌊draw · (k + 1) / 2⁶⁴⌋\]. Output dimension i is transformed dimension p\[i\].
//!
//! Every step is single additions, subtractions and multiplications of f32 in a fixed order (Rust never contracts them
//! to fused operations), so the bits are the same on every platform.

/// State of the generator before its first draw: "workindx" in ASCII, big-endian.
const SEED: u64 = 0x776F_726B_696E_6478;

/// The transform of one dimension count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotation {
    /// +1 or −1 per dimension.
    signs: Vec<f32>,
    /// Output dimension i comes from transformed dimension `sources[i]`. Always a permutation of 0…dim − 1.
    sources: Vec<u32>,
    block: usize,
    scale: f32,
}

impl Rotation {
    /// The format's transform of rows of `dim` values.
    pub(crate) fn new(dim: usize) -> Self {
        let mut draws = SplitMix64 { state: SEED };
        let signs = (0..dim).map(|_| if draws.next() >> 63 == 1 { -1.0 } else { 1.0 }).collect();
        let mut sources: Vec<u32> = (0..dim as u32).collect();
        for k in (1..dim).rev() {
            sources.swap(k, draws.below(k as u64 + 1) as usize);
        }
        let block = 1usize << dim.max(1).trailing_zeros();
        Self { signs, sources, block, scale: (1.0 / (block as f64).sqrt()) as f32 }
    }

    /// Values per row.
    pub(crate) fn dim(&self) -> usize {
        self.signs.len()
    }

    /// Transforms `row` in place. A row of another length than [`dim`](Self::dim) is left as it is; callers check.
    pub(crate) fn apply(&self, row: &mut [f32], scratch: &mut Vec<f32>) {
        debug_assert_eq!(row.len(), self.dim());
        if row.len() != self.dim() {
            return;
        }
        row.iter_mut().zip(&self.signs).for_each(|(v, sign)| *v *= sign);
        self.transform(row);
        scratch.clear();
        scratch.extend_from_slice(row);
        // `sources` holds indices below dim = the scratch's length.
        row.iter_mut().zip(&self.sources).for_each(|(v, &source)| *v = scratch[source as usize]);
    }

    /// Transforms back: the inverse of [`apply`](Self::apply) up to f32 rounding.
    #[cfg(test)]
    pub(crate) fn invert(&self, row: &mut [f32], scratch: &mut Vec<f32>) {
        debug_assert_eq!(row.len(), self.dim());
        if row.len() != self.dim() {
            return;
        }
        scratch.clear();
        scratch.extend_from_slice(row);
        scratch.iter().zip(&self.sources).for_each(|(&v, &source)| row[source as usize] = v);
        self.transform(row);
        row.iter_mut().zip(&self.signs).for_each(|(v, sign)| *v *= sign);
    }

    /// The scaled Walsh–Hadamard transform of every block; its own inverse.
    fn transform(&self, row: &mut [f32]) {
        for block in row.chunks_exact_mut(self.block) {
            let mut stride = 1;
            while stride < self.block {
                block.chunks_exact_mut(2 * stride).for_each(butterflies);
                stride *= 2;
            }
            block.iter_mut().for_each(|v| *v *= self.scale);
        }
    }
}

/// (a, b) → (a + b, a − b) between the two halves of `pairs`.
fn butterflies(pairs: &mut [f32]) {
    let (left, right) = pairs.split_at_mut(pairs.len() / 2);
    for (a, b) in left.iter_mut().zip(right) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}

/// Steele, Lea and Flood's SplitMix64.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// ⌊draw · bound / 2⁶⁴⌋, below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_interaction::format_golden::{bits, format_goldens};
    use proptest::prelude::*;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    }

    /// The bits were computed by `fixtures/late_interaction/make_golden.py`, which shares no code with this file.
    #[test]
    fn output_bits_never_drift() {
        let goldens = format_goldens();
        assert_eq!(goldens.iter().map(|golden| golden.input.len()).collect::<Vec<_>>(), [7, 8, 24, 384]);
        for golden in goldens {
            let mut row = golden.input.clone();
            Rotation::new(row.len()).apply(&mut row, &mut Vec::new());
            assert_eq!(bits(&row), golden.rotated_bits, "dim {}", row.len());
        }
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs for state 1234567 as published with the reference implementation.
        let mut draws = SplitMix64 { state: 1_234_567 };
        assert_eq!(draws.next(), 6_457_827_717_110_365_317);
        assert_eq!(draws.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn an_outlier_spreads_over_its_block() {
        let mut row = vec![0.0; 384];
        row[200] = 1.0;
        Rotation::new(384).apply(&mut row, &mut Vec::new());
        assert_eq!(row.iter().filter(|v| **v != 0.0).count(), 128);
        assert!(row.iter().all(|v| v.abs() <= 0.0884));
    }

    #[test]
    fn no_dimension_count_is_refused() {
        for dim in [0, 1, 2, 3, 5, 1000, 1024] {
            let rotation = Rotation::new(dim);
            let mut row: Vec<f32> = (0..dim).map(|k| k as f32).collect();
            rotation.apply(&mut row, &mut Vec::new());
            rotation.invert(&mut row, &mut Vec::new());
            assert!(row.iter().enumerate().all(|(k, v)| (v - k as f32).abs() <= 1e-3), "dim {dim}");
        }
    }

    proptest! {
        #[test]
        fn norms_and_dot_products_are_kept_and_inversion_restores(
            (a, b) in prop::sample::select(vec![1usize, 3, 4, 8, 33, 128, 384, 768]).prop_flat_map(|dim| {
                let row = || prop::collection::vec(-4.0f32..4.0, dim);
                (row(), row())
            })
        ) {
            let rotation = Rotation::new(a.len());
            let (mut x, mut y, mut scratch) = (a.clone(), b.clone(), Vec::new());
            rotation.apply(&mut x, &mut scratch);
            rotation.apply(&mut y, &mut scratch);
            let size = (dot(&a, &a) * dot(&b, &b)).sqrt() + 1e-30;
            prop_assert!((dot(&x, &y) - dot(&a, &b)).abs() <= 2e-6 * size);
            prop_assert!((dot(&x, &x) - dot(&a, &a)).abs() <= 2e-6 * dot(&a, &a) + 1e-30);
            rotation.invert(&mut x, &mut scratch);
            let limit = 2e-6 * dot(&a, &a).sqrt() + 1e-30;
            prop_assert!(x.iter().zip(&a).all(|(p, q)| f64::from((p - q).abs()) <= limit));
        }
    }
}

//! Dot products of a query's rows with a target's: the one operation whose speed decides, behind one small trait.
//!
//! There is one kernel so far, for every machine; one for an instruction set gets its own file and its place in [`detect`].

mod portable;

use portable::Portable;

/// Computes blocks of dot products.
pub(crate) trait Kernel: Send + Sync {
    /// What the kernel runs on, for reports.
    fn name(&self) -> &'static str;

    /// out\[i · n + j\] = query row i · target row j for m query rows and n target rows of `dim` values, row-major.
    ///
    /// Every product is within dim · 2⁻²⁴ · ‖row i‖ ‖row j‖ of the exact one, and its bits depend on the two rows alone:
    /// not on the block it is computed in, nor on where the rows lie in memory. `out` is m · n long.
    fn dots(&self, query_rows: &[f32], target_rows: &[f32], dim: usize, out: &mut [f32]);
}

/// The fastest kernel of this machine.
pub(crate) fn detect() -> &'static dyn Kernel {
    &Portable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_interaction::test_matrices::random_values;
    use proptest::prelude::*;

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    }

    proptest! {
        #[test]
        fn products_keep_the_contract(
            dim in prop::sample::select(vec![1usize, 3, 4, 7, 8, 15, 16, 17, 33, 128, 384, 1024]),
            m in 1usize..6, n in 1usize..9, seed: u64,
        ) {
            let kernel = detect();
            let (query, target) = (random_values(seed, m * dim), random_values(!seed, n * dim));
            let mut out = vec![0.0; m * n];
            kernel.dots(&query, &target, dim, &mut out);
            for (i, e) in query.chunks_exact(dim).enumerate() {
                for (j, f) in target.chunks_exact(dim).enumerate() {
                    let limit = dim as f64 * 2f64.powi(-24) * (exact(e, e) * exact(f, f)).sqrt();
                    let got = out[i * n + j];
                    prop_assert!((f64::from(got) - exact(e, f)).abs() <= limit, "{}", kernel.name());
                    // Alone, and one value further in memory: the same bits.
                    let mut alone = [0.0];
                    let moved: Vec<f32> = std::iter::once(0.0).chain(f.iter().copied()).collect();
                    kernel.dots(e, &moved[1..], dim, &mut alone);
                    prop_assert_eq!(alone[0].to_bits(), got.to_bits());
                }
            }
        }
    }
}

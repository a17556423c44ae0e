//! Matrix products of a few rows with packed weights, and what stands between them, as fast as the machine can: one small
//! trait, a file per instruction set, chosen at run time. A machine that has none of them encodes with candle.
//!
//! | kernel | f32 | bf16 |
//! |---|---|---|
//! | `avx512` | 12 rows × 32 columns in registers | `vdpbf16ps` where that is faster, else as below |
//! | `avx2` | 6 rows × 16 columns | halves of the pairs widened to f32, then as f32 |
//! | `neon` | 4 rows × 16 columns | likewise |
//!
//! Every sum is made in one order, from the first to the last term, whatever stands in the rows beside it: a text's embedding
//! has the same bits alone and in any batch, and in f32 on every kernel.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tile;

use super::elementwise::{LANES, Norm, Weighting};
use crate::encoder::config::Activation;

/// Columns of a whole panel of packed weights.
pub(crate) const PANEL: usize = 32;

/// Some rows times one panel of a matrix.
///
/// `R` and `P` are `f32`; or `u32`, for rows in the form of [`Kernel::round`] and panels of two bf16 values that follow each other in
/// the sum, the first in the low half.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a, R, P> {
    /// The rows: row r begins at r · `row_stride` and has `row_len` values.
    pub(crate) rows: &'a [R],
    pub(crate) row_stride: usize,
    pub(crate) row_len: usize,
    pub(crate) n_rows: usize,
    /// The panel: line k < `lines` begins at k · `panel_stride` and has `columns` values.
    pub(crate) panel: &'a [P],
    pub(crate) panel_stride: usize,
    pub(crate) lines: usize,
    /// [`LANES`], the narrowest panel, or [`PANEL`].
    pub(crate) columns: usize,
    /// What the sums begin with: a value a column, or none, for 0.
    pub(crate) bias: &'a [f32],
}

impl<R, P> Product<'_, R, P> {
    /// Whether every place is there that a kernel reads and writes which takes `step` values of a row a line; every kernel asks
    /// before it trusts a length.
    fn fits(&self, step: usize, out: &[f32], out_stride: usize) -> bool {
        let end = |n: usize, stride: usize, length: usize| match n {
            0 => Some(0),
            n => (n - 1).checked_mul(stride).and_then(|start| start.checked_add(length)),
        };
        let fits = (self.columns == LANES || self.columns == PANEL)
            && self.lines.checked_mul(step) == Some(self.row_len)
            && end(self.n_rows, self.row_stride, self.row_len).is_some_and(|end| end <= self.rows.len())
            && end(self.lines, self.panel_stride, self.columns).is_some_and(|end| end <= self.panel.len())
            && end(self.n_rows, out_stride, self.columns).is_some_and(|end| end <= out.len())
            && (self.bias.is_empty() || self.bias.len() >= self.columns);
        debug_assert!(fits, "{} rows of {}, {} lines, {} columns", self.n_rows, self.row_len, self.lines, self.columns);
        fits
    }
}

/// What the inference path asks of an instruction set.
pub(crate) trait Kernel: Send + Sync {
    /// What the kernel runs on, for reports.
    fn name(&self) -> &'static str;

    /// out[r][c] = bias[c] + Σ_k rows[r][k] · panel[k][c] in f32, fused and in the order of k; row r of `out` begins at
    /// r · `out_stride`. Nothing is written when the lengths do not fit.
    fn product(&self, product: &Product<'_, f32, f32>, out: &mut [f32], out_stride: usize);

    /// The same for rows and panels of bf16; the products are exact, the sums f32 (in an order, and with roundings, of the
    /// machine's own).
    fn product_of_rounded(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize);

    /// The sums of whole numbers, four to a word: out[r][c] = start[c] + Σ_k Σ_i (byte i of rows[r][k], 0…255) · (byte i of panel[k][c],
    /// −128…127), as the nearest f32. The bits of the product's `bias` are the starts, i32. Exact where no sum leaves 32 bits, as none does of up
    /// to [`MAX_DEPTH_OF_NUMBERS`] numbers. Nothing is written when the lengths do not fit.
    fn product_of_numbers(&self, product: &Product<'_, u32, u32>, out: &mut [f32], out_stride: usize);

    /// Writes the values of a row as whole numbers of −127 to 127, each 128 more than it is, four to a word; returns what they are multiplied with to
    /// have the values again. What a last word has beyond the values is left as it is.
    fn quantize(&self, values: &[f32], words: &mut [u32]) -> f32;

    /// out[c] = out[c] · (row · columns[c]) + bias[c], fused; without a bias, the product.
    fn rescale(&self, row: f32, columns: &[f32], bias: &[f32], out: &mut [f32]);

    /// Words of a row in the form of [`round`](Self::round), for each pair of values.
    fn words_per_pair(&self) -> usize;

    /// Rounds the values of a row to the nearest bf16, ties to even, and writes them in the form that this kernel multiplies; a
    /// last single value is paired with 0. `words` is as long as the pairs take.
    fn round(&self, values: &[f32], words: &mut [u32]);

    /// Applies an activation to each value.
    fn activate(&self, activation: Activation, values: &mut [f32]);

    /// Makes attention weights of one query's scores; see [`Weighting`].
    fn weigh(&self, weighting: &Weighting<'_>, scores: &mut [f32]);

    /// Layer normalisation of one row, after adding another; see [`Norm`].
    fn normalize(&self, norm: &Norm<'_>, row: &mut [f32]);
}

/// So many products of 255 and 128 stay within 32 bits.
pub(crate) const MAX_DEPTH_OF_NUMBERS: usize = i32::MAX as usize / (255 * 128);

/// The fastest kernel of this machine, if there is one.
pub(crate) fn detect() -> Option<&'static dyn Kernel> {
    all().next()
}

/// The kernels that run on this machine, fastest first.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn Kernel> {
    #[cfg(target_arch = "x86_64")]
    let kernels = avx512::detect().into_iter().chain([avx2::detect()]);
    #[cfg(target_arch = "aarch64")]
    let kernels = [neon::detect()].into_iter();
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let kernels = std::iter::empty::<Option<&'static dyn Kernel>>();
    kernels.flatten()
}

#[cfg(test)]
mod tests;

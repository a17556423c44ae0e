//! Linear layers, packed once at load for the kernels.
//!
//! The weights of 32 outputs lie together as a panel: for each input a line of 32 values (f32), or for each two inputs a line of
//! 32 pairs (bf16), or for each four inputs one of 32 times four whole numbers of 8 bits. Columns beyond the last output are zeros, and so are the results in them.

use super::arena::Part;
use super::elementwise::{LANES, round_to_bf16};
use super::kernel::{Kernel, PANEL, Product};
use crate::encoder::settings::Precision;
use crate::encoder::weights::RawTensor;
use crate::error::Result;

/// A dimension made of `count` pieces of `width` values, each of them padded with zeros to `padded`: attention heads, or with a count
/// of 1 a dimension as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    pub(super) count: usize,
    pub(super) width: usize,
    pub(super) padded: usize,
}

impl Pieces {
    /// A dimension as it is.
    pub(super) fn whole(width: usize) -> Self {
        Self { count: 1, width, padded: width }
    }

    /// The heads of an attention layer, each in whole registers.
    pub(super) fn heads(count: usize, width: usize) -> Self {
        Self { count, width, padded: width.next_multiple_of(LANES) }
    }

    /// Values with their padding.
    pub(super) fn len(self) -> usize {
        self.count * self.padded
    }

    /// Copies values to where they are among padding, which is left as it is.
    fn spread(self, values: &[f32], padded: &mut [f32]) {
        let pieces = padded.chunks_exact_mut(self.padded.max(1));
        pieces
            .zip(values.chunks_exact(self.width.max(1)))
            .for_each(|(to, from)| to[..from.len()].copy_from_slice(from));
    }

    /// Where a padded value comes from; none for padding.
    fn source(self, at: usize) -> Option<usize> {
        let (piece, within) = (at / self.padded.max(1), at % self.padded.max(1));
        (piece < self.count && within < self.width).then_some(piece * self.width + within)
    }
}

/// What a linear layer is made of: one or several matrices, each `outputs × inputs`, whose outputs are put side by side.
pub(super) struct LinearSource {
    pub(super) weights: Vec<RawTensor>,
    /// As many as weights, or none.
    pub(super) biases: Vec<RawTensor>,
    /// The row of each matrix that is its first output; rows before it belong to another layer.
    pub(super) first: usize,
    pub(super) outputs: Pieces,
    pub(super) inputs: Pieces,
}

/// A linear layer: x · Wᵀ + b.
pub(crate) struct Linear {
    panels: Part,
    /// A value a column, padding included; none without a bias.
    bias: Vec<f32>,
    depth: usize,
    columns: usize,
    precision: Precision,
}

impl LinearSource {
    fn columns(&self) -> usize {
        (self.weights.len() * self.outputs.len()).next_multiple_of(PANEL)
    }

    /// Bytes of the packed weights.
    pub(super) fn packed_bytes(&self, precision: Precision) -> usize {
        self.columns() / PANEL * panel_bytes(self.inputs.len(), precision)
    }

    /// Which matrix and which of its outputs a column is.
    fn source(&self, column: usize) -> Option<(&RawTensor, usize)> {
        let length = self.outputs.len().max(1);
        Some((self.weights.get(column / length)?, self.first + self.outputs.source(column % length)?))
    }

    /// Writes the packed weights.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) for a weight that is not finite.
    pub(super) fn pack(&self, precision: Precision, out: &mut [u8]) -> Result<()> {
        let depth = self.inputs.len();
        let panel_bytes = panel_bytes(depth, precision).max(1);
        let mut rows = vec![0.0; PANEL * depth];
        let mut row = vec![0.0; self.inputs.count * self.inputs.width];
        for (panel, out) in out.chunks_exact_mut(panel_bytes).enumerate() {
            for (c, padded) in rows.chunks_exact_mut(depth.max(1)).enumerate() {
                match self.source(panel * PANEL + c) {
                    None => padded.fill(0.0),
                    Some((weights, output)) if self.inputs.width == self.inputs.padded => {
                        read_finite(weights, output, padded)?;
                    }
                    Some((weights, output)) => {
                        read_finite(weights, output, &mut row)?;
                        self.inputs.spread(&row, padded);
                    }
                }
            }
            match precision {
                Precision::F32 => transpose(&rows, depth, 1, out, |values| values[0].to_bits().to_ne_bytes()),
                Precision::Bf16 => transpose(&rows, depth, 2, out, |values| {
                    let high = values.get(1).map_or(0, |&high| round_to_bf16(high));
                    (round_to_bf16(values[0]) >> 16 | high & !0xffff).to_ne_bytes()
                }),
                Precision::I8 => {
                    let (numbers, scales, starts) = parts_of_numbers(out, lines(depth, precision));
                    let (scales, starts) = (scales.as_chunks_mut::<4>().0, starts.as_chunks_mut::<4>().0);
                    for (row, (scale, start)) in rows.chunks_exact_mut(depth.max(1)).zip(scales.iter_mut().zip(starts))
                    {
                        *scale = to_numbers(row).to_ne_bytes();
                        // Inputs are 128 more than they are.
                        let sum: i32 = row.iter().map(|number| *number as i32).sum();
                        *start = sum.wrapping_mul(-128).to_ne_bytes();
                    }
                    transpose(&rows, depth, 4, numbers, |values| {
                        std::array::from_fn(|at| (values.get(at).copied().unwrap_or(0.0) as i8).to_le_bytes()[0])
                    });
                }
            }
        }
        Ok(())
    }

    /// The layer over weights that [`pack`](Self::pack) has written.
    pub(super) fn over(&self, precision: Precision, panels: Part) -> Result<Linear> {
        let mut bias = Vec::new();
        if !self.biases.is_empty() {
            bias.resize(self.columns(), 0.0);
            for (bias, source) in bias.chunks_exact_mut(self.outputs.len().max(1)).zip(&self.biases) {
                let source = source.to_f32()?;
                for (at, value) in bias.iter_mut().enumerate() {
                    *value = self.outputs.source(at).and_then(|at| source.get(self.first + at).copied()).unwrap_or(0.0);
                }
            }
        }
        Ok(Linear { panels, bias, depth: self.inputs.len(), columns: self.columns(), precision })
    }
}

impl Linear {
    /// Values of an output row, padding included.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// x · Wᵀ + b for `n` rows that begin `stride` values apart; the rows of `out` are [`columns`](Self::columns) values apart.
    /// `rounded` is scratch.
    pub(crate) fn forward(
        &self,
        kernel: &dyn Kernel,
        (x, n, stride): (&[f32], usize, usize),
        rounded: &mut Vec<u32>,
        out: &mut [f32],
    ) {
        let (depth, panels) = (self.depth, self.panels.bytes());
        match self.precision {
            Precision::F32 => {
                let product = product(x, stride, depth, n, bytemuck::cast_slice(panels), depth);
                self.each_panel(product, out, |product, out| kernel.product(product, out, self.columns));
            }
            Precision::Bf16 => {
                let lines = depth.div_ceil(2);
                let words = lines * kernel.words_per_pair();
                rounded.resize(n * words, 0);
                for (row, rounded) in x.chunks(stride.max(1)).zip(rounded.chunks_exact_mut(words.max(1))) {
                    kernel.round(&row[..depth], rounded);
                }
                let product = product(&rounded[..], words, words, n, bytemuck::cast_slice(panels), lines);
                self.each_panel(product, out, |product, out| kernel.product_of_rounded(product, out, self.columns));
            }
            Precision::I8 => self.forward_numbers(kernel, (x, n, stride), rounded, out),
        }
    }

    /// The same by whole numbers. A row's are followed by its scale.
    fn forward_numbers(
        &self,
        kernel: &dyn Kernel,
        (x, n, stride): (&[f32], usize, usize),
        numbers: &mut Vec<u32>,
        out: &mut [f32],
    ) {
        let (depth, lines) = (self.depth, lines(self.depth, Precision::I8));
        let row = lines + 1;
        numbers.resize(n * row, 0);
        for (x, numbers) in x.chunks(stride.max(1)).zip(numbers.chunks_exact_mut(row)) {
            if let Some((scale, numbers)) = numbers.split_last_mut() {
                *scale = kernel.quantize(&x[..depth], numbers).to_bits();
            }
        }
        for (at, panel) in self.panels.bytes().chunks_exact(panel_bytes(depth, Precision::I8).max(1)).enumerate() {
            let column = at * PANEL;
            let (panel, rest) = panel.split_at(PANEL * lines * size_of::<u32>());
            let (scales, starts) = rest.split_at(PANEL * size_of::<f32>());
            let product = product(&numbers[..], row, lines, n, bytemuck::cast_slice(panel), lines);
            let product = Product { bias: bytemuck::cast_slice(starts), ..product };
            let Some(out) = out.get_mut(column..) else { return };
            kernel.product_of_numbers(&product, out, self.columns);
            let bias = self.bias.get(column..column + PANEL).unwrap_or_default();
            for (out, numbers) in out.chunks_mut(self.columns).zip(numbers.chunks_exact(row)) {
                let scale = numbers.last().copied().map_or(0.0, f32::from_bits);
                let end = out.len().min(PANEL);
                kernel.rescale(scale, bytemuck::cast_slice(scales), bias, &mut out[..end]);
            }
        }
    }

    /// Multiplies the rows with one panel after the other.
    fn each_panel<R: Copy, P: Copy>(
        &self,
        all: Product<'_, R, P>,
        out: &mut [f32],
        multiply: impl Fn(&Product<'_, R, P>, &mut [f32]),
    ) {
        for (at, panel) in all.panel.chunks_exact((PANEL * all.lines).max(1)).enumerate() {
            let column = at * PANEL;
            let bias = self.bias.get(column..).unwrap_or_default();
            multiply(&Product { panel, bias, ..all }, &mut out[column..]);
        }
    }
}

/// Rows times all panels.
fn product<'a, R, P>(
    rows: &'a [R],
    row_stride: usize,
    row_len: usize,
    n_rows: usize,
    panel: &'a [P],
    lines: usize,
) -> Product<'a, R, P> {
    Product { rows, row_stride, row_len, n_rows, panel, panel_stride: PANEL, lines, columns: PANEL, bias: &[] }
}

/// Lines of a panel.
fn lines(depth: usize, precision: Precision) -> usize {
    match precision {
        Precision::F32 => depth,
        Precision::Bf16 => depth.div_ceil(2),
        Precision::I8 => depth.div_ceil(4),
    }
}

/// Bytes of a panel.
fn panel_bytes(depth: usize, precision: Precision) -> usize {
    let words = match precision {
        Precision::F32 | Precision::Bf16 => lines(depth, precision),
        // Behind the numbers the scale of each output, and what its sums begin with.
        Precision::I8 => lines(depth, precision) + 2,
    };
    PANEL * words * size_of::<u32>()
}

/// The numbers of a panel of whole numbers, the scales of its outputs, and what their sums begin with.
fn parts_of_numbers(panel: &mut [u8], lines: usize) -> (&mut [u8], &mut [u8], &mut [u8]) {
    let (numbers, rest) = panel.split_at_mut(PANEL * lines * size_of::<u32>());
    let (scales, starts) = rest.split_at_mut(PANEL * size_of::<f32>());
    (numbers, scales, starts)
}

/// Turns the values of a row into whole numbers of −127 to 127; returns what these are multiplied with to have the values again.
fn to_numbers(row: &mut [f32]) -> f32 {
    let largest = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let scale = largest / f32::from(i8::MAX);
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    // Of a row of values too small to divide by nothing is left.
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    row.iter_mut().for_each(|value| *value = (*value * inverse).round_ties_even());
    scale
}

/// Row `output` of a matrix as long as `row`.
fn read_finite(weights: &RawTensor, output: usize, row: &mut [f32]) -> Result<()> {
    if !weights.read(output * row.len(), row) {
        return Err(weights.error("fewer values than its shape says"));
    }
    // Without an early end, so that it is done many values at a time.
    match row.iter().fold(true, |finite, value| finite & value.is_finite()) {
        true => Ok(()),
        false => Err(weights.error("values that are not finite")),
    }
}

/// Turns [`PANEL`] rows of `depth` values into lines, `together` values of each row to a word; in pieces that stay in the fastest
/// cache.
fn transpose(rows: &[f32], depth: usize, together: usize, out: &mut [u8], word: impl Fn(&[f32]) -> [u8; 4]) {
    const LINES: usize = 64;
    let (words, _) = out.as_chunks_mut::<4>();
    for (first, lines) in words.chunks_mut(PANEL * LINES).enumerate() {
        for (c, row) in rows.chunks_exact(depth.max(1)).enumerate() {
            let values = row[first * LINES * together..].chunks(together);
            for (line, values) in lines.chunks_exact_mut(PANEL).zip(values) {
                line[c] = word(values);
            }
        }
    }
}

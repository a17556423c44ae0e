//! The one loop of all kernels: a tile of rows × columns whose sums stay in registers.

#![allow(unsafe_code)]

use super::Product;

/// A register of f32 sums.
pub(super) trait Register: Copy {
    /// Sums of a register.
    const WIDTH: usize;

    /// # Safety
    /// The machine must have the instruction set; `from` must be `WIDTH` values long.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// The machine must have the instruction set; `to` must be `WIDTH` values long.
    unsafe fn store(self, to: *mut f32);

    /// Fetches the line of the cache at an address, which need not exist. A hint.
    fn prefetch(line: *const u8);
}

/// How a line of a panel is multiplied into a register.
pub(super) trait Multiply {
    type Register: Register;
    /// A value of a row.
    type Row: Copy;
    /// A value of a panel.
    type Line: Copy;
    /// Values of a row that belong to a line of a panel.
    const STEP: usize;

    /// sums + line · value.
    ///
    /// # Safety
    /// The machine must have the instruction set; `line` must be as many values long as the register, and `value` `STEP`.
    unsafe fn add(sums: Self::Register, line: *const Self::Line, value: *const Self::Row) -> Self::Register;
}

/// Bytes of a panel that are prefetched ahead of the line that is multiplied.
const AHEAD: usize = 4096;
const NO_BIAS: [f32; super::PANEL] = [0.0; super::PANEL];

/// R rows from `first` on × C registers of columns from `column` on.
///
/// # Safety
/// The machine must have the instruction set. `product` must [fit](Product::fits) `out`, and have these rows and columns.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "rows and columns index memory as well as sums")]
pub(super) unsafe fn tile<M: Multiply, const R: usize, const C: usize>(
    product: &Product<'_, M::Row, M::Line>,
    (first, column): (usize, usize),
    out: &mut [f32],
    out_stride: usize,
) {
    let bias = if product.bias.is_empty() { &NO_BIAS } else { product.bias };
    // SAFETY: by `Product::fits`, row r ∈ first…first + R − 1 has `lines` · STEP values, line k < `lines` and the bias have
    // `column` + C · WIDTH, and so has row r of `out`. What is prefetched is not read by the program.
    unsafe {
        let rows = product.rows.as_ptr().add(first * product.row_stride);
        let panel = product.panel.as_ptr().add(column);
        let width = M::Register::WIDTH;
        let start: [M::Register; C] = std::array::from_fn(|c| M::Register::load(bias.as_ptr().add(column + c * width)));
        let mut sums = [start; R];
        for k in 0..product.lines {
            let line = panel.add(k * product.panel_stride);
            for c in 0..C {
                M::Register::prefetch(line.wrapping_add(c * width).cast::<u8>().wrapping_add(AHEAD));
            }
            for r in 0..R {
                let value = rows.add(r * product.row_stride + k * M::STEP);
                for c in 0..C {
                    sums[r][c] = M::add(sums[r][c], line.add(c * width), value);
                }
            }
        }
        let out = out.as_mut_ptr().add(first * out_stride + column);
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(out.add(r * out_stride + c * width));
            }
        }
    }
}

/// Blocks of rows, as equal as they can be with at most `most` in each: where they begin and how many they are.
pub(super) fn blocks(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most).max(1);
    (0..count).map(move |i| {
        let start = i * n / count;
        (start, (i + 1) * n / count - start)
    })
}

/// Defines a function that multiplies whole products with tiles of at most `$most` rows × `$registers` registers: a function
/// of its own for each instruction set, because the features of the function are what the tiles are compiled with.
macro_rules! multiply {
    ($name:ident, $multiply:ty, $features:literal, $registers:literal, $most:literal: $($n:literal)*) => {
        /// # Safety
        /// `product` must fit `out`.
        #[target_feature(enable = $features)]
        unsafe fn $name(
            product: &Product<'_, <$multiply as Multiply>::Row, <$multiply as Multiply>::Line>,
            out: &mut [f32],
            out_stride: usize,
        ) {
            const WIDTH: usize = <<$multiply as Multiply>::Register as Register>::WIDTH;
            let mut column = 0;
            while column < product.columns {
                let registers = ((product.columns - column) / WIDTH).min($registers);
                for (first, rows) in blocks(product.n_rows, $most) {
                    match (rows, registers) {
                        // SAFETY: the caller's; rows and columns are those of the product.
                        $(
                            ($n, $registers) => unsafe {
                                tile::<$multiply, $n, $registers>(product, (first, column), out, out_stride)
                            },
                            ($n, _) => unsafe { tile::<$multiply, $n, 1>(product, (first, column), out, out_stride) },
                        )*
                        _ => debug_assert_eq!(rows, 0),
                    }
                }
                column += registers.max(1) * WIDTH;
            }
        }
    };
}
pub(super) use multiply;

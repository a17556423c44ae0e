//! Matrix products of f32 slices, by the crate `gemm`, which candle computes with too.

#![allow(unsafe_code)]

/// A matrix over a slice: row-major, or the transpose of one that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The first `rows · columns` values, row after row. A slice that is too short gives a matrix without rows.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        let fits = rows.checked_mul(columns).is_some_and(|n| n <= values.len());
        debug_assert!(fits, "{rows} × {columns} of {} values", values.len());
        Self { values, rows: if fits { rows } else { 0 }, columns, transposed: false }
    }

    /// The same with rows and columns exchanged.
    pub(crate) fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, transposed: !self.transposed, ..self }
    }

    /// Distances between values of neighbouring columns, and rows.
    fn strides(&self) -> (isize, isize) {
        if self.transposed { (self.rows as isize, 1) } else { (1, self.columns as isize) }
    }
}

/// `out` = a · b, or `out` += a · b, row-major. Nothing is written where the shapes do not fit each other or `out` is too short.
///
/// On several threads of the current rayon pool where that pays. Every sum has one order, whatever the threads.
pub(crate) fn product(out: &mut [f32], add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let fits = k == b.rows && m.checked_mul(n).is_some_and(|size| size <= out.len());
    debug_assert!(fits, "{m} × {k} times {} × {n} into {}", b.rows, out.len());
    if !fits || m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            out[..m * n].fill(0.0);
        }
        return;
    }
    let (a_columns, a_rows) = a.strides();
    let (b_columns, b_rows) = b.strides();
    let threads = rayon::current_num_threads();
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: a matrix of r × c values lies within its slice (`Matrix::new`; transposing exchanges strides with sizes), k is the
    // same in both, and `out` holds m · n values, which nothing else refers to.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.values.as_ptr(),
            a_columns,
            a_rows,
            b.values.as_ptr(),
            b_columns,
            b_rows,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(seed: u32, n: usize) -> Vec<f32> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    proptest! {
        #[test]
        fn products_are_those_of_plain_loops_in_f64(
            m in 0usize..20, k in 0usize..20, n in 0usize..20, a_t: bool, b_t: bool, add: bool, seed: u32,
        ) {
            let (a, b, before) = (values(seed, m * k), values(!seed, k * n), values(seed ^ 77, m * n));
            let a_at = |i: usize, l: usize| f64::from(if a_t { a[l * m + i] } else { a[i * k + l] });
            let b_at = |l: usize, j: usize| f64::from(if b_t { b[j * k + l] } else { b[l * n + j] });
            let a_matrix = if a_t { Matrix::new(&a, k, m).t() } else { Matrix::new(&a, m, k) };
            let b_matrix = if b_t { Matrix::new(&b, n, k).t() } else { Matrix::new(&b, k, n) };
            let mut out = before.clone();
            product(&mut out, add, a_matrix, b_matrix);
            for i in 0..m {
                for j in 0..n {
                    let sum: f64 = (0..k).map(|l| a_at(i, l) * b_at(l, j)).sum();
                    let expected = if add { f64::from(before[i * n + j]) + sum } else { sum };
                    prop_assert!((f64::from(out[i * n + j]) - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let (a, b) = (values(1, 300 * 200), values(2, 200 * 170));
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; 300 * 170];
            pool.install(|| product(&mut out, false, Matrix::new(&a, 300, 200), Matrix::new(&b, 200, 170)));
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(2));
        assert_eq!(of(1), of(3));
    }
}

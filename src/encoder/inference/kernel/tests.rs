//! Every kernel of this machine against f64, and against the others.

use proptest::prelude::*;

use super::*;
use crate::encoder::inference::elementwise::round_to_bf16;

/// Numbers between −1 and 1, the same for the same seed.
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn bf16(value: f32) -> f32 {
    f32::from_bits(round_to_bf16(value) & !0xffff)
}

/// The deepest sums of whole numbers that are tried; an interpreter takes long for them.
const DEEPEST: usize = if cfg!(miri) { 40 } else { 700 };

/// A product with gaps between its rows and its lines, and what is exactly right.
struct Case {
    rows: Vec<f32>,
    panel: Vec<f32>,
    bias: Vec<f32>,
    n_rows: usize,
    depth: usize,
    columns: usize,
}

impl Case {
    const GAP: usize = 3;

    fn new(seed: u64, n_rows: usize, depth: usize, columns: usize, with_bias: bool) -> Self {
        let rows = numbers(seed, n_rows * (depth + Self::GAP));
        let panel = numbers(!seed, depth * (columns + Self::GAP));
        let bias = if with_bias { numbers(seed ^ 7, columns) } else { Vec::new() };
        Self { rows, panel, bias, n_rows, depth, columns }
    }

    fn product(&self) -> Product<'_, f32, f32> {
        Product {
            rows: &self.rows,
            row_stride: self.depth + Self::GAP,
            row_len: self.depth,
            n_rows: self.n_rows,
            panel: &self.panel,
            panel_stride: self.columns + Self::GAP,
            lines: self.depth,
            columns: self.columns,
            bias: &self.bias,
        }
    }

    /// The exact sum, and the sum of the absolute values, with each factor put through `of` before.
    fn exact(&self, row: usize, column: usize, of: impl Fn(f32) -> f32) -> (f64, f64) {
        let bias = f64::from(self.bias.get(column).copied().unwrap_or(0.0));
        (0..self.depth).fold((bias, bias.abs()), |(sum, size), k| {
            let x = of(self.rows[row * (self.depth + Self::GAP) + k]);
            let term = f64::from(x) * f64::from(of(self.panel[k * (self.columns + Self::GAP) + column]));
            (sum + term, size + term.abs())
        })
    }

    /// The panel in pairs, without gaps.
    fn pairs(&self) -> Vec<u32> {
        let at = |k: usize, c: usize| match k < self.depth {
            true => round_to_bf16(self.panel[k * (self.columns + Self::GAP) + c]) >> 16,
            false => 0,
        };
        let pair = |k: usize, c: usize| at(k, c) | at(k + 1, c) << 16;
        (0..self.depth).step_by(2).flat_map(|k| (0..self.columns).map(move |c| pair(k, c))).collect()
    }

    fn of_rounded(&self, kernel: &dyn Kernel, out: &mut [f32], stride: usize) {
        let (pairs, lines) = (self.pairs(), self.depth.div_ceil(2));
        let words = lines * kernel.words_per_pair();
        let mut rows = vec![9; self.n_rows * words];
        for (row, rounded) in self.rows.chunks(self.depth + Self::GAP).zip(rows.chunks_mut(words)) {
            kernel.round(&row[..self.depth], rounded);
        }
        let (row_stride, row_len, n_rows, panel_stride, columns) =
            (words, words, self.n_rows, self.columns, self.columns);
        let product = Product {
            rows: &rows,
            row_stride,
            row_len,
            n_rows,
            panel: &pairs,
            panel_stride,
            lines,
            columns,
            bias: &self.bias,
        };
        kernel.product_of_rounded(&product, out, stride);
    }
}

#[test]
fn the_instruction_sets_of_this_machine_are_found() {
    assert_eq!(detect().map(Kernel::name), all().next().map(Kernel::name));
    #[cfg(target_arch = "x86_64")]
    assert_eq!(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), detect().is_some());
    #[cfg(target_arch = "aarch64")]
    assert_eq!(detect().map(Kernel::name), Some("NEON"));
}

proptest! {
    #[test]
    fn products_are_right_and_have_the_same_bits_everywhere(
        n_rows in 1usize..30, depth in 1usize..70, wide: bool, with_bias: bool, seed: u64,
    ) {
        let columns = if wide { PANEL } else { LANES };
        let case = Case::new(seed, n_rows, depth, columns, with_bias);
        let stride = columns + 5;
        let mut first: Option<Vec<u32>> = None;
        for kernel in all() {
            let mut out = vec![9.0; n_rows * stride];
            kernel.product(&case.product(), &mut out, stride);
            for (row, out) in out.chunks(stride).enumerate() {
                for (column, &got) in out[..columns].iter().enumerate() {
                    let (exact, size) = case.exact(row, column, |x| x);
                    let limit = (depth + 1) as f64 * 2f64.powi(-24) * size + 1e-30;
                    prop_assert!((f64::from(got) - exact).abs() <= limit, "{}: {got} for {exact}", kernel.name());
                }
                prop_assert!(out[columns..].iter().all(|&gap| gap == 9.0), "{} wrote into a gap", kernel.name());
            }
            let bits: Vec<u32> = out.iter().map(|v| v.to_bits()).collect();
            prop_assert!(*first.get_or_insert_with(|| bits.clone()) == bits, "{}", kernel.name());
        }
    }

    #[test]
    fn products_of_rounded_values_are_right(
        n_rows in 1usize..30, depth in 1usize..70, wide: bool, with_bias: bool, seed: u64,
    ) {
        let columns = if wide { PANEL } else { LANES };
        let case = Case::new(seed, n_rows, depth, columns, with_bias);
        for kernel in all() {
            let mut out = vec![9.0; n_rows * columns];
            case.of_rounded(kernel, &mut out, columns);
            for (row, out) in out.chunks(columns).enumerate() {
                for (column, &got) in out.iter().enumerate() {
                    let (exact, size) = case.exact(row, column, bf16);
                    let limit = (depth + 2) as f64 * 2f64.powi(-23) * size + 1e-30;
                    prop_assert!((f64::from(got) - exact).abs() <= limit, "{}: {got} for {exact}", kernel.name());
                }
            }
            // A row by itself has the bits it has among others.
            let alone = Case { rows: case.rows[..depth].to_vec(), panel: case.panel.clone(), bias: case.bias.clone(), n_rows: 1, ..case };
            let mut row = vec![0.0; columns];
            alone.of_rounded(kernel, &mut row, columns);
            prop_assert!(row.iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", kernel.name());
        }
    }

    #[test]
    fn sums_of_whole_numbers_are_exact(n_rows in 1usize..30, depth in 1..DEEPEST, wide: bool, seed: u64) {
        let (columns, lines) = (if wide { PANEL } else { LANES }, depth.div_ceil(4));
        // The largest numbers stand in the first row, the lowest in the first column.
        let row_at = |values: &[f32], row: usize, k: usize| match (k < depth, row) {
            (false, _) => 77,
            (true, 0) => 255,
            (true, _) => ((values[row * depth + k] + 1.0) * 127.0) as u8,
        };
        let panel_at = |values: &[f32], k: usize, column: usize| match (k < depth, column) {
            (false, _) => 0,
            (true, 0) => -128,
            (true, _) => (values[k * columns + column] * 127.0) as i8,
        };
        let (of_rows, of_panel) = (numbers(seed, n_rows * depth), numbers(!seed, depth * columns));
        let four = |of: &dyn Fn(usize) -> u8| u32::from_le_bytes([0, 1, 2, 3].map(of));
        let rows: Vec<u32> = (0..n_rows * lines)
            .map(|at| four(&|i| row_at(&of_rows, at / lines, 4 * (at % lines) + i)))
            .collect();
        let panel: Vec<u32> = (0..lines * columns)
            .map(|at| four(&|i| panel_at(&of_panel, 4 * (at / columns) + i, at % columns).cast_unsigned()))
            .collect();
        let starts: Vec<i32> = (0..columns as i32).map(|column| 1000 * column - 5).collect();
        let product = Product {
            rows: &rows, row_stride: lines, row_len: lines, n_rows, panel: &panel, panel_stride: columns, lines, columns,
            bias: bytemuck::cast_slice(&starts),
        };
        for kernel in all() {
            let stride = columns + 3;
            let mut out = vec![9.0; n_rows * stride];
            kernel.product_of_numbers(&product, &mut out, stride);
            for row in 0..n_rows {
                for column in 0..columns {
                    let term = |k: usize| i32::from(row_at(&of_rows, row, k)) * i32::from(panel_at(&of_panel, k, column));
                    let sum = (0..depth).map(term).fold(starts[column], |sum, term| sum.checked_add(term).unwrap());
                    prop_assert_eq!(out[row * stride + column], sum as f32, "{}", kernel.name());
                }
                prop_assert!(out[row * stride + columns..][..3].iter().all(|gap| *gap == 9.0));
            }
        }
    }

    #[test]
    fn rows_become_whole_numbers_and_sums_values_again(n in 1usize..100, with_bias: bool, seed: u64) {
        let values: Vec<f32> = numbers(seed, n).iter().map(|value| value * 37.0).collect();
        let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let (columns, bias) = (numbers(!seed, n), if with_bias { numbers(seed ^ 5, n) } else { Vec::new() });
        let mut first: Option<(Vec<u32>, u32, Vec<u32>)> = None;
        for kernel in all() {
            let mut words = vec![0x0707_0707; n.div_ceil(4)];
            let scale = kernel.quantize(&values, &mut words);
            prop_assert!((scale * 127.0 / largest - 1.0).abs() < 1e-6);
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            for (value, byte) in values.iter().zip(&bytes) {
                let number = i32::from(*byte) - 128;
                prop_assert!(number.abs() <= 127);
                prop_assert!((number as f32 * scale - value).abs() <= 0.5001 * scale, "{}", kernel.name());
            }
            prop_assert!(bytes[n..].iter().all(|byte| *byte == 7));
            let mut out = values.clone();
            kernel.rescale(0.25, &columns, &bias, &mut out);
            for (at, got) in out.iter().enumerate() {
                let exact = f64::from(values[at]) * 0.25 * f64::from(columns[at]) + f64::from(bias.get(at).copied().unwrap_or(0.0));
                prop_assert!((f64::from(*got) - exact).abs() < 1e-5);
            }
            let bits = (words, scale.to_bits(), out.iter().map(|v| v.to_bits()).collect::<Vec<u32>>());
            prop_assert!(*first.get_or_insert_with(|| bits.clone()) == bits, "{}", kernel.name());
        }
    }

    #[test]
    fn rows_alone_have_the_bits_they_have_among_others(n_rows in 2usize..40, depth in 1usize..70, seed: u64) {
        let case = Case::new(seed, n_rows, depth, PANEL, true);
        for kernel in all() {
            let mut together = vec![0.0; n_rows * PANEL];
            kernel.product(&case.product(), &mut together, PANEL);
            let mut alone = vec![0.0; PANEL];
            let row = n_rows / 2;
            let rows = &case.rows[row * (depth + Case::GAP)..];
            kernel.product(&Product { rows, n_rows: 1, ..case.product() }, &mut alone, PANEL);
            prop_assert!(together[row * PANEL..].iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn softmax_is_right_within_its_window(n in 1usize..80, ends in (0usize..80, 0usize..80), biased: bool, seed: u64) {
        let (from, to) = (ends.0.min(ends.1) % n, ends.0.max(ends.1) % n + 1);
        let from = from.min(to - 1);
        let scores: Vec<f32> = numbers(seed, n).iter().map(|v| v * 30.0).collect();
        let bias = if biased { numbers(!seed, n) } else { Vec::new() };
        let logit = |i: usize| f64::from(scores[i]) * 0.25 + f64::from(bias.get(i).copied().unwrap_or(0.0));
        let largest = (from..to).map(logit).fold(f64::MIN, f64::max);
        let total: f64 = (from..to).map(|i| (logit(i) - largest).exp()).sum();
        for kernel in all() {
            let mut weights = scores.clone();
            kernel.weigh(&Weighting { scale: 0.25, bias: &bias, from, to }, &mut weights);
            for (i, &weight) in weights.iter().enumerate() {
                let exact = if (from..to).contains(&i) { (logit(i) - largest).exp() / total } else { 0.0 };
                prop_assert!((f64::from(weight) - exact).abs() <= 3e-6 * exact + 1e-12, "{}: {weight} for {exact}", kernel.name());
            }
        }
    }

    #[test]
    fn layer_norms_are_right(n in 1usize..100, with_residual: bool, with_bias: bool, seed: u64) {
        let (x, weight) = (numbers(seed, n), numbers(seed ^ 1, n));
        let residual = if with_residual { numbers(seed ^ 2, n) } else { Vec::new() };
        let bias = if with_bias { numbers(seed ^ 3, n) } else { Vec::new() };
        let of = |values: &[f32], i: usize| f64::from(values.get(i).copied().unwrap_or(0.0));
        let sums: Vec<f64> = (0..n).map(|i| of(&x, i) + of(&residual, i)).collect();
        let mean = sums.iter().sum::<f64>() / n as f64;
        let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n as f64;
        for kernel in all() {
            let mut row = x.clone();
            kernel.normalize(&Norm { residual: &residual, weight: &weight, bias: &bias, eps: 1e-3 }, &mut row);
            for (i, &got) in row.iter().enumerate() {
                let exact = (sums[i] - mean) / (variance + 1e-3).sqrt() * of(&weight, i) + of(&bias, i);
                prop_assert!((f64::from(got) - exact).abs() <= 2e-5, "{}: {got} for {exact}", kernel.name());
            }
        }
    }
}

/// Φ by Simpson's rule, independent of any approximation of erf.
fn normal_distribution(x: f64) -> f64 {
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (steps, limit) = (2000, x.abs().min(12.0));
    let h = limit / f64::from(steps);
    let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    let area = (density(0.0) + inner + density(limit)) * h / 3.0;
    0.5 + area * x.signum()
}

#[test]
fn activations_are_within_half_a_millionth() {
    let inputs: Vec<f32> =
        (-900..=900).map(|i| i as f32 / 100.0).chain([-1e4, -60.0, 60.0, 1e4, 0.0, -0.0, 1e-20]).collect();
    let tanh = |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    for kernel in all() {
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            let mut values = inputs.clone();
            kernel.activate(activation, &mut values);
            for (&x, &got) in inputs.iter().zip(&values) {
                let x = f64::from(x);
                let exact = match activation {
                    Activation::Gelu => x * normal_distribution(x),
                    Activation::GeluTanh => tanh(x),
                    Activation::Relu => x.max(0.0),
                };
                let limit = 5e-7 * x.abs().max(1.0);
                assert!(
                    (f64::from(got) - exact).abs() <= limit,
                    "{}: {activation:?} of {x}: {got}, not {exact}",
                    kernel.name()
                );
            }
        }
    }
}

#[test]
fn rounding_is_to_nearest_and_ties_to_even() {
    for (value, expected) in
        [(1.0f32, 0x3f80), (1.003_906_2, 0x3f80), (1.011_718_7, 0x3f82), (-1.004, 0xbf81), (0.0, 0)]
    {
        assert_eq!(round_to_bf16(value) >> 16, expected, "{value}");
    }
}

#[test]
fn rows_without_size_become_zeros() {
    for kernel in all() {
        for row in [vec![0.0; 21], vec![1e-38; 21]] {
            let mut words = vec![7; 6];
            assert_eq!(kernel.quantize(&row, &mut words), 0.0);
            assert!(words[..5].iter().all(|word| *word == 0x8080_8080));
        }
    }
}

/// In release builds the assertions of `fits` are off: nothing may be written.
#[test]
#[cfg_attr(debug_assertions, should_panic = "rows of")]
fn lengths_that_do_not_fit_write_nothing() {
    let case = Case::new(1, 4, 8, PANEL, false);
    for kernel in all() {
        let mut out = vec![9.0; 4 * PANEL - 1];
        kernel.product(&case.product(), &mut out, PANEL);
        let mut enough = vec![9.0; 4 * PANEL];
        kernel.product(&Product { rows: &case.rows[..8], ..case.product() }, &mut enough, PANEL);
        kernel.product(&Product { panel: &case.panel[1..100], ..case.product() }, &mut enough, PANEL);
        kernel.product(&Product { columns: 24, ..case.product() }, &mut enough, PANEL);
        kernel.product(&Product { row_stride: usize::MAX, ..case.product() }, &mut enough, PANEL);
        let (words, panel) = (vec![1u32; 8], vec![1u32; 2 * PANEL]);
        let of_numbers = Product {
            rows: &words[..],
            row_stride: 2,
            row_len: 2,
            n_rows: 4,
            panel: &panel[..],
            panel_stride: PANEL,
            lines: 2,
            columns: PANEL,
            bias: &[],
        };
        kernel.product_of_numbers(&of_numbers, &mut out, PANEL);
        kernel.product_of_numbers(&Product { lines: 3, ..of_numbers }, &mut enough, PANEL);
        kernel.product_of_numbers(&Product { rows: &words[..7], ..of_numbers }, &mut enough, PANEL);
        assert!(out.iter().chain(&enough).all(|&v| v == 9.0));
    }
}

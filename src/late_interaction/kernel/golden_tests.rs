//! Golden bits: what the kernels make of fixed inputs, the same on every machine with fused multiply-add.
//!
//! The hashes were made with AVX-512. A change of them is a change of scores: it must be meant, and change on all machines alike.

use super::{Kernel, all};
use crate::late_interaction::fold::{FoldInput, FoldScratch, FoldSpec, Reduce};
use crate::late_interaction::lanes::{LANES, Lanes};
use crate::late_interaction::layout::interleave;
use crate::late_interaction::packed::PackedTokens;
use crate::late_interaction::test_matrices::random_values;

/// With whole and partial groups of four and registers of sixteen.
const DIMS: [usize; 6] = [1, 3, 16, 33, 384, 1024];
/// With whole and partial panels and tiles.
const TOKENS: [usize; 5] = [1, 2, 3, 7, 21];

fn hash(values: impl IntoIterator<Item = f32>) -> String {
    let mut hasher = blake3::Hasher::new();
    for value in values {
        assert!(value.is_finite());
        hasher.update(&value.to_bits().to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_string()
}

/// Products are integers here, so that the portable kernel takes part too.
#[test]
fn scans_have_the_same_bits_on_every_machine() {
    for kernel in all() {
        assert_eq!(hash(scans(kernel)), "465f5d2d9bd04546", "{}", kernel.name());
    }
}

#[test]
fn products_have_the_same_bits_on_every_machine_with_fused_multiply_add() {
    for kernel in all().filter(|kernel| kernel.name() != "portable") {
        assert_eq!(hash(products(kernel)), "e9bbc0c732abf7a7", "{}", kernel.name());
    }
}

#[test]
fn folds_have_the_same_bits_on_every_machine_with_fused_multiply_add() {
    let reduces = [
        Reduce::Max,
        Reduce::SharedSoftmax { inverse: 10.0 },
        Reduce::SharedSoftmax { inverse: 42.5 },
        Reduce::Softmax { temperature: 0.01, raw: false },
        Reduce::Softmax { temperature: 0.7, raw: true },
    ];
    let expected = ["16c4f403cce2e4eb", "71e23c39942d999b", "633152c18f0d9389", "8f52891901e7026f", "4dbeb06da796ee66"];
    for kernel in all().filter(|kernel| kernel.name() != "portable") {
        assert_eq!(reduces.map(|reduce| hash(folds(kernel, reduce))), expected, "{}", kernel.name());
    }
}

fn scans(kernel: &dyn Kernel) -> Vec<f32> {
    let n = 3 * LANES;
    let mut values = Vec::new();
    for dim in DIMS {
        let rows: Vec<i8> = random_values(dim as u64, n * dim).iter().map(|v| (v * 128.0).floor() as i8).collect();
        let mut plane = Vec::new();
        interleave(&rows, n, dim, &mut plane);
        for m in TOKENS {
            let packed = PackedTokens::new(dim, &random_values(m as u64, m * dim));
            let mut out = vec![0.0; m * n];
            kernel.scan(&plane, &random_values(5, n), &packed, &mut out, n);
            values.extend(out);
        }
    }
    values
}

fn products(kernel: &dyn Kernel) -> Vec<f32> {
    let n = 19;
    let mut values = Vec::new();
    for dim in DIMS {
        for m in TOKENS {
            let mut out = vec![0.0; m * n];
            let (query, target) = (random_values(m as u64, m * dim), random_values(dim as u64, n * dim));
            kernel.dots(&query, &target, dim, &mut out, n);
            values.extend(out);
        }
    }
    values
}

fn folds(kernel: &dyn Kernel, reduce: Reduce) -> Vec<f32> {
    let lengths: [u32; LANES] = [5, 1, 2, 0, 3, 9, 17, 4, 6, 1, 12, 7, 0, 8, 2, 11];
    let stride = 17 * LANES;
    let norms = |seed| random_values(seed, stride).iter().map(|v| 5.0 * v.abs()).collect::<Vec<f32>>();
    let (query_norms, row_norms) = (norms(1), norms(2));
    let mut values = Vec::new();
    for m in TOKENS {
        let cos = random_values(m as u64, m * stride);
        for (over_query, over_target) in [(true, false), (false, true), (true, true)] {
            let query_norms = &query_norms[..m];
            let input =
                FoldInput { cos: &cos, stride, lengths: &lengths, query_norms, row_norms: &row_norms, ahead: &[] };
            let mut out: Lanes = [0.0; LANES];
            kernel.fold(&FoldSpec { reduce, over_query, over_target }, &input, &mut FoldScratch::default(), &mut out);
            values.extend(out);
        }
    }
    values
}

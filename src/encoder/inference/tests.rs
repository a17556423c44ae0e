//! The fast forward pass against candle's, for every family, kernel and precision.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::kernel::Kernel;
use super::*;
use crate::encoder::architecture;
use crate::encoder::config::{Family, ModelConfig};
use crate::encoder::settings::Precision;
use crate::encoder::weights::{WeightFiles, Weights};

const MAX_TOKENS: usize = 64;

struct Tiny {
    config: ModelConfig,
    files: WeightFiles,
}

impl Tiny {
    fn of(family: Family) -> Self {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder").join(format!("tiny-{}", family.name()));
        Self::at(folder)
    }

    fn at(folder: PathBuf) -> Self {
        let config = ModelConfig::read(&folder.join("config.json")).unwrap();
        let files = WeightFiles::open(&folder).unwrap().with_prefix(config.family.prefix());
        Self { config, files }
    }

    fn packed(&self, kernel: &'static dyn Kernel, precision: Precision) -> Transformer {
        Loader { config: &self.config, files: &self.files, precision, max_tokens: MAX_TOKENS, kernel }.load().unwrap()
    }

    fn candle(&self, precision: Precision, ids: &[u32], attended: usize) -> Vec<f32> {
        let weights = Weights::read(&self.files, &self.config.parameters(), &Device::Cpu).unwrap();
        let weights = weights.at(precision);
        let model = architecture::load(&self.config, &weights).unwrap();
        let mask: Vec<u32> = (0..ids.len()).map(|at| u32::from(at < attended)).collect();
        let tensor = |values: &[u32]| Tensor::from_slice(values, (1, values.len()), &Device::Cpu).unwrap();
        let hidden = model.forward(&tensor(ids), Some(&tensor(&mask))).unwrap();
        hidden.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Texts of 1 to 64 tokens, none of which is padding, and one with a padding token in it.
    fn texts(&self) -> Vec<Vec<u32>> {
        let id = |i: usize| 2 + (i * 7919) as u32 % (self.config.vocab_size as u32 - 2);
        let mut texts: Vec<Vec<u32>> =
            [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64].iter().map(|&n| (n..2 * n).map(id).collect()).collect();
        texts.push(vec![0, 9, 1, 12, 1, 2]);
        texts
    }
}

fn whole(ids: &[u32]) -> Sequence<'_> {
    Sequence { ids, attended: ids.len() }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_family_on_every_kernel_equals_candle() {
    for family in Family::ALL {
        let tiny = Tiny::of(family);
        for text in tiny.texts() {
            let expected = tiny.candle(Precision::F32, &text, text.len());
            for kernel in kernel::all() {
                let found =
                    tiny.packed(kernel, Precision::F32).forward(&[whole(&text)], &mut Workspace::default()).to_vec();
                let difference = largest_difference(&found, &expected);
                assert!(difference <= 1e-5, "{family:?}, {}, {} tokens: {difference:e}", kernel.name(), text.len());
            }
        }
    }
}

/// How far all texts on all kernels are from what candle makes of them at a precision, and in f32: root mean squares.
fn distances(tiny: &Tiny, precision: Precision) -> (f64, f64) {
    let (mut to_rounded, mut to_f32, mut n) = (0.0, 0.0, 0.0);
    for text in tiny.texts() {
        let rounded = tiny.candle(precision, &text, text.len());
        let plain = tiny.candle(Precision::F32, &text, text.len());
        for kernel in kernel::all() {
            let found = tiny.packed(kernel, precision).forward(&[whole(&text)], &mut Workspace::default()).to_vec();
            let square = |other: &[f32]| found.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            to_rounded += square(&rounded);
            to_f32 += square(&plain);
            n += found.len() as f64;
        }
    }
    ((to_rounded / n).sqrt(), (to_f32 / n).sqrt())
}

/// Rounding amplifies differences in the last bit: a value close to a tie goes the other way. So the bound is that of some such
/// roundings (2⁻⁸ of a value) and far below what computing in f32 instead would give, which is asserted too.
#[test]
fn each_precision_rounds_what_candle_rounds() {
    for family in Family::ALL {
        for precision in [Precision::Bf16, Precision::I8] {
            let (to_rounded, to_f32) = distances(&Tiny::of(family), precision);
            assert!(
                to_rounded < 0.25 * to_f32,
                "{family:?}, {precision}: {to_rounded:e} to rounded, {to_f32:e} to f32"
            );
            assert!(to_f32 > 1e-4, "{family:?}: {precision} changes nothing");
        }
    }
}

#[test]
fn a_text_has_the_same_bits_alone_and_in_a_batch() {
    for family in Family::ALL {
        let tiny = Tiny::of(family);
        let texts = tiny.texts();
        for kernel in kernel::all() {
            for precision in [Precision::F32, Precision::Bf16, Precision::I8] {
                let transformer = tiny.packed(kernel, precision);
                let mut workspace = Workspace::default();
                let batch: Vec<Sequence<'_>> = texts.iter().map(|text| whole(text)).collect();
                let together = transformer.forward(&batch, &mut workspace).to_vec();
                // In the workspace that has the batch's leftovers in it.
                let alone = texts.iter().flat_map(|text| transformer.forward(&[whole(text)], &mut workspace).to_vec());
                assert!(
                    alone.map(f32::to_bits).eq(together.iter().map(|v| v.to_bits())),
                    "{family:?}, {}",
                    kernel.name()
                );
            }
        }
    }
}

#[test]
fn f32_and_whole_numbers_have_the_same_bits_on_every_kernel() {
    for family in Family::ALL {
        let tiny = Tiny::of(family);
        for (text, precision) in
            tiny.texts().iter().flat_map(|text| [Precision::F32, Precision::I8].map(|precision| (text, precision)))
        {
            let on = |kernel| {
                let hidden = tiny.packed(kernel, precision).forward(&[whole(text)], &mut Workspace::default()).to_vec();
                hidden.into_iter().map(f32::to_bits).collect()
            };
            let all: Vec<Vec<u32>> = kernel::all().map(on).collect();
            assert!(all.iter().all(|other| *other == all[0]), "{family:?}, {precision}");
        }
    }
}

#[test]
fn tokens_beyond_those_attended_to_see_and_are_not_seen() {
    for family in Family::ALL {
        let tiny = Tiny::of(family);
        let text = &tiny.texts()[8];
        let (expected, all) = (tiny.candle(Precision::F32, text, 20), tiny.candle(Precision::F32, text, text.len()));
        for kernel in kernel::all() {
            let sequence = Sequence { ids: text, attended: 20 };
            let found = tiny.packed(kernel, Precision::F32).forward(&[sequence], &mut Workspace::default()).to_vec();
            // A token with nothing to attend to within its reach has no defined embedding.
            let reach = tiny.config.modern.as_ref().map_or(text.len(), |modern| modern.local_attention / 2);
            let defined = (20 + reach).min(text.len()) * tiny.config.hidden_size;
            let difference = largest_difference(&found[..defined], &expected[..defined]);
            assert!(difference <= 1e-5, "{family:?}, {}: {difference:e}", kernel.name());
            assert!(largest_difference(&found, &all) > 1e-2, "{family:?}: nothing was hidden");
        }
    }
}

#[test]
fn no_text_is_no_row() {
    let tiny = Tiny::of(Family::Bert);
    for kernel in kernel::all() {
        assert!(tiny.packed(kernel, Precision::F32).forward(&[], &mut Workspace::default()).to_vec().is_empty());
    }
}

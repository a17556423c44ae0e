//! Forward and backward equal candle's, for every post-norm family.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::encoder::{Family, ModelConfig, WeightFiles, Weights, load_architecture};

const FAMILIES: [Family; 5] = [Family::Bert, Family::Roberta, Family::XlmRoberta, Family::MpNet, Family::DistilBert];

fn directory(family: Family) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder").join(format!("tiny-{}", family.name()))
}

fn read(family: Family) -> Parameters {
    let config = ModelConfig::read(&directory(family).join("config.json")).unwrap();
    let files = WeightFiles::open(&directory(family)).unwrap().with_prefix(family.prefix());
    Parameters::read(&config, |name, shape| files.tensor(name, shape)?.to_f32()).unwrap()
}

/// Texts of several lengths; one word stands in two of them, and twice in one. The last is a single token.
const TEXTS: [&[u32]; 4] =
    [&[2, 17, 143, 238, 96, 17, 3], &[2, 250, 199, 3], &[2, 17, 60, 61, 62, 63, 64, 65, 66, 3], &[7]];

/// Some derivative by the hidden states.
fn derivative(n: usize) -> Vec<f32> {
    (0..n).map(|at| ((at as f32) * 0.7).sin()).collect()
}

/// Hidden states and gradients by candle, text after text.
fn by_candle(parameters: &Parameters) -> (Vec<f32>, BTreeMap<String, Vec<f32>>) {
    let variables: BTreeMap<String, Var> = parameters
        .names
        .iter()
        .zip(&parameters.shapes)
        .zip(&parameters.values)
        .map(|((name, shape), values)| {
            let tensor = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
            (name.clone(), Var::from_tensor(&tensor).unwrap())
        })
        .collect();
    let tensors = variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let model = load_architecture(&parameters.config, &Weights::new(PathBuf::new(), tensors)).unwrap();
    let (mut hidden, mut loss, mut start) = (Vec::new(), None, 0);
    let dim = parameters.config.hidden_size;
    let n: usize = TEXTS.iter().map(|text| text.len()).sum();
    let all = derivative(n * dim);
    for text in TEXTS {
        let ids = Tensor::from_slice(text, (1, text.len()), &Device::Cpu).unwrap();
        let out = model.forward(&ids, None).unwrap();
        hidden.extend(out.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let by = &all[start * dim..(start + text.len()) * dim];
        let by = Tensor::from_slice(by, out.shape(), &Device::Cpu).unwrap();
        let part = (out * by).unwrap().sum_all().unwrap();
        loss = Some(loss.map_or(part.clone(), |loss: Tensor| (loss + part).unwrap()));
        start += text.len();
    }
    let store = loss.unwrap().backward().unwrap();
    let gradient = |(name, var): (&String, &Var)| {
        let values = store.get(var).map(|g| g.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        (name.clone(), values.unwrap_or_else(|| vec![0.0; var.elem_count()]))
    };
    (hidden, variables.iter().map(gradient).collect())
}

#[test]
fn both_passes_are_candle_s() {
    for family in FAMILIES {
        let parameters = read(family);
        let (hidden, expected) = by_candle(&parameters);
        let (mut tape, mut gradients) = (Tape::default(), Gradients::new(&parameters));
        // Twice: a tape that was used, and gradients that were cleared, are as new ones.
        for _ in 0..2 {
            gradients.clear();
            forward(&parameters, &TEXTS, &mut tape);
            let worst = tape.hidden().iter().zip(&hidden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(tape.hidden().len() == hidden.len() && worst < 2e-5, "{}: {worst:e}", family.name());
            backward(&parameters, &tape, derivative(hidden.len()), &mut gradients);
        }
        for (at, name) in parameters.names.iter().enumerate() {
            let expected = &expected[name];
            let size = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
            let error = gradients.values[at].iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            assert!(error <= 2e-4 * size + 2e-5, "{} {name}: {error:e} of {size:e}", family.name());
        }
        assert_eq!(gradients.words.len(), 16, "{}", family.name());
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let parameters = read(Family::MpNet);
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut tape, mut gradients) = (Tape::default(), Gradients::new(&parameters));
            let texts: Vec<&[u32]> = TEXTS.iter().copied().cycle().take(90).collect();
            forward(&parameters, &texts, &mut tape);
            backward(&parameters, &tape, derivative(tape.hidden().len()), &mut gradients);
            gradients.values.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let one = of(1);
    assert!(one == of(2) && one == of(3));
}

#[test]
fn a_mix_of_two_models_lies_between_them() {
    let one = read(Family::Bert);
    let mut other = one.clone();
    other.values.iter_mut().flatten().for_each(|value| *value += 1.0);
    let mixed = one.interpolated(&other, 0.25);
    let differences = mixed.values.iter().flatten().zip(one.values.iter().flatten()).map(|(a, b)| a - b);
    assert!(differences.into_iter().all(|difference| (difference - 0.25).abs() < 1e-5));
    assert_eq!(one.interpolated(&other, 0.0).values, one.values);
}

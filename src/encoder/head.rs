//! Linear layers behind the transformer, on plain slices.

use std::path::Path;

use super::modules::{DenseActivation, DenseConfig, Head, Step};
use super::weights::WeightFiles;
use crate::error::Result;

/// Partial sums per product; as many as the widest registers hold.
const LANES: usize = 16;

/// A linear layer with an activation: `rows × in_features` to `rows × out_features`.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    in_features: usize,
    /// `out_features × in_features`.
    weight: Vec<f32>,
    /// `out_features`; zeros where the layer has none.
    bias: Vec<f32>,
    activation: DenseActivation,
    residual: Residual,
}

/// What is added behind the activation.
#[derive(Debug, Clone)]
enum Residual {
    None,
    /// The input itself, which is as long as the output.
    Input,
    /// The input through a linear map, `out_features × in_features`.
    Mapped(Vec<f32>),
}

impl Dense {
    /// Reads the layer's `model.safetensors` (f32, f16 or bf16): `linear.weight`, `linear.bias`, and `residual.weight`.
    ///
    /// # Errors
    /// [`Error::Encoder`](crate::Error::Encoder) when there is no such file, [`Error::Tensor`](crate::Error::Tensor) with the
    /// tensor that is missing, or has another shape or type.
    pub(crate) fn load(dir: &Path, config: &DenseConfig) -> Result<Self> {
        let files = WeightFiles::open(&dir.join(&config.folder))?;
        let DenseConfig { in_features, out_features, activation, .. } = *config;
        let matrix = [out_features, in_features];
        let tensor = |name: &str, shape: &[usize]| files.tensor(name, shape)?.to_f32();
        let bias = match config.bias {
            true => tensor("linear.bias", &[out_features])?,
            false => vec![0.0; out_features],
        };
        let residual = match config.residual {
            false => Residual::None,
            true if in_features == out_features => Residual::Input,
            true => Residual::Mapped(tensor("residual.weight", &matrix)?),
        };
        Ok(Self { in_features, weight: tensor("linear.weight", &matrix)?, bias, activation, residual })
    }

    /// Each row (of `in_features` values) through the layer, row after row.
    pub(crate) fn apply(&self, rows: &[f32]) -> Vec<f32> {
        rows.chunks_exact(self.in_features).flat_map(|row| self.apply_row(row)).collect()
    }

    fn apply_row<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let weights = self.weight.chunks_exact(self.in_features);
        weights.zip(&self.bias).enumerate().map(move |(at, (weights, bias))| {
            let value = self.activation.of(dot(row, weights) + bias);
            match &self.residual {
                Residual::None => value,
                // The output is as long as the input.
                Residual::Input => value + row.get(at).copied().unwrap_or_default(),
                Residual::Mapped(map) => {
                    let weights = map.get(at * self.in_features..(at + 1) * self.in_features);
                    value + weights.map_or(0.0, |weights| dot(row, weights))
                }
            }
        })
    }
}

/// What a pooled vector goes through.
#[derive(Debug, Clone)]
pub(crate) struct PooledHead(Vec<PooledStep>);

#[derive(Debug, Clone)]
enum PooledStep {
    Normalize,
    Dense(Dense),
}

impl PooledHead {
    /// Reads all layers of a head.
    ///
    /// # Errors
    /// As [`Dense::load`].
    pub(crate) fn load(dir: &Path, head: &Head) -> Result<Self> {
        let step = |step: &Step| match step {
            Step::Normalize => Ok(PooledStep::Normalize),
            Step::Dense(config) => Dense::load(dir, config).map(PooledStep::Dense),
        };
        head.steps.iter().map(step).collect::<Result<_>>().map(Self)
    }

    /// The vector behind the head.
    pub(crate) fn apply(&self, pooled: Vec<f32>) -> Vec<f32> {
        self.0.iter().fold(pooled, |mut vector, step| match step {
            PooledStep::Dense(layer) => layer.apply(&vector),
            PooledStep::Normalize => {
                normalize(&mut vector);
                vector
            }
        })
    }
}

impl DenseActivation {
    fn of(self, x: f32) -> f32 {
        match self {
            DenseActivation::Identity => x,
            DenseActivation::Tanh => x.tanh(),
            DenseActivation::Relu => x.max(0.0),
            DenseActivation::Gelu => {
                let x = f64::from(x);
                (0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2))) as f32
            }
        }
    }
}

/// The vector at length 1, as `torch.nn.functional.normalize` does it: a length below 1e-12 counts as that.
fn normalize(row: &mut [f32]) {
    let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(1e-12);
    row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
}

/// The scalar product, in the same order of additions for equally long vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.0.iter().zip(b.0) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn layer(activation: DenseActivation, residual: Residual) -> Dense {
        let weight = vec![1.0, 2.0, 0.0, -1.0, 0.5, 1.0];
        Dense { in_features: 3, weight, bias: vec![0.5, 0.0], activation, residual }
    }

    #[test]
    fn each_row_goes_through_the_layer_by_itself() {
        let rows = [1.0, 1.0, 1.0, 0.0, -2.0, 3.0];
        assert_eq!(layer(DenseActivation::Identity, Residual::None).apply(&rows), [3.5, 0.5, -3.5, 2.0]);
        assert_eq!(layer(DenseActivation::Relu, Residual::None).apply(&rows), [3.5, 0.5, 0.0, 2.0]);
        let tanh = layer(DenseActivation::Tanh, Residual::None).apply(&rows);
        assert!((tanh[1] - 0.462_117_16).abs() < 1e-7, "{tanh:?}");
        let gelu = layer(DenseActivation::Gelu, Residual::None).apply(&rows);
        assert!((gelu[1] - 0.345_731_23).abs() < 1e-7 && (gelu[2] + 0.000_814_2).abs() < 1e-6, "{gelu:?}");
        let map = Residual::Mapped(vec![1.0, 0.0, 0.0, 0.0, 0.0, 10.0]);
        assert_eq!(layer(DenseActivation::Relu, map).apply(&rows), [4.5, 10.5, 0.0, 32.0]);
    }

    #[test]
    fn long_rows_are_summed_whole() {
        let n = 5 * LANES + 3;
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..n).map(|i| i as f32).collect(), vec![2.0; n]);
        assert_eq!(dot(&a, &b), (n * (n - 1)) as f32);
    }

    #[test]
    fn rows_without_length_stay_finite() {
        let (mut zero, mut some) = ([0.0; 3], [3.0, 0.0, 4.0]);
        normalize(&mut zero);
        normalize(&mut some);
        assert_eq!((zero, some), ([0.0; 3], [0.6, 0.0, 0.8]));
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = DenseConfig {
            folder: PathBuf::from("3_Dense"),
            in_features: 2,
            out_features: 2,
            bias: true,
            activation: DenseActivation::Identity,
            residual: false,
        };
        assert!(Dense::load(dir.path(), &config).unwrap_err().to_string().contains("3_Dense"));
        std::fs::create_dir(dir.path().join("3_Dense")).unwrap();
        let write = |tensors: &[(&str, Vec<usize>)]| {
            let bytes = [0u8; 64];
            let view = |shape: &Vec<usize>| {
                let length = shape.iter().product::<usize>() * 4;
                safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), &bytes[..length]).unwrap()
            };
            let views: Vec<_> = tensors.iter().map(|(name, shape)| (*name, view(shape))).collect();
            std::fs::write(dir.path().join("3_Dense/model.safetensors"), safetensors::serialize(views, None).unwrap())
                .unwrap();
        };
        let refused = |name: &str| match Dense::load(dir.path(), &config) {
            Err(crate::Error::Tensor { tensor, .. }) => assert_eq!(tensor, name),
            other => panic!("{other:?}"),
        };
        write(&[("linear.weight", vec![2, 2])]);
        refused("linear.bias");
        write(&[("linear.weight", vec![2, 3]), ("linear.bias", vec![2])]);
        refused("linear.weight");
        write(&[("linear.weight", vec![2, 2]), ("linear.bias", vec![2])]);
        assert_eq!(Dense::load(dir.path(), &config).unwrap().apply(&[1.0, 2.0]), [0.0, 0.0]);
    }
}

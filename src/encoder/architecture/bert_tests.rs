//! BERT against candle-transformers' forward pass, and its gradients against numeric ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::encoder::weights::WeightFiles;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert")
}

fn tiny_config() -> ModelConfig {
    ModelConfig::read(&tiny().join("config.json")).unwrap()
}

fn tiny_weights(config: &ModelConfig) -> Weights {
    Weights::read(&WeightFiles::open(&tiny()).unwrap(), &config.parameters()).unwrap()
}

/// Two texts, the second one padded by two tokens.
fn padded_batch() -> (Tensor, Tensor) {
    let ids = Tensor::new(&[[2u32, 17, 143, 438, 96, 3], [2, 250, 499, 3, 0, 0]], &Device::Cpu).unwrap();
    let mask = Tensor::new(&[[1u32, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], &Device::Cpu).unwrap();
    (ids, mask)
}

fn max_abs_diff(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn the_forward_pass_equals_candle_transformers() {
    let config = tiny_config();
    let own = Bert::load(&config, &tiny_weights(&config)).unwrap();
    let bytes = std::fs::read(tiny().join("model.safetensors")).unwrap();
    let builder = candle_nn::VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap();
    let text = std::fs::read_to_string(tiny().join("config.json")).unwrap();
    let stock_config = serde_json::from_str(&text).unwrap();
    let stock = candle_transformers::models::bert::BertModel::load(builder, &stock_config).unwrap();

    let (ids, mask) = padded_batch();
    let expected = stock.forward(&ids, &ids.zeros_like().unwrap(), Some(&mask)).unwrap();
    let diff = max_abs_diff(&own.forward(&ids, Some(&mask)).unwrap(), &expected);
    assert!(diff <= 1e-5, "{diff:e}");
}

#[test]
fn padding_behind_a_mask_changes_nothing() {
    let config = tiny_config();
    let bert = Bert::load(&config, &tiny_weights(&config)).unwrap();
    let (ids, mask) = padded_batch();
    let padded = bert.forward(&ids, Some(&mask)).unwrap().narrow(0, 1, 1).unwrap().narrow(1, 0, 4).unwrap();
    let alone = bert.forward(&ids.narrow(0, 1, 1).unwrap().narrow(1, 0, 4).unwrap(), None).unwrap();
    let diff = max_abs_diff(&padded, &alone);
    assert!(diff <= 1e-5, "{diff:e}");
    let unmasked = bert.forward(&ids, None).unwrap().narrow(0, 1, 1).unwrap().narrow(1, 0, 4).unwrap();
    assert!(max_abs_diff(&unmasked, &alone) > 1e-2, "the mask has nothing to do in this test");
}

#[test]
fn working_in_blocks_of_rows_changes_no_bit() {
    let config = tiny_config();
    let bert = Bert::load(&config, &tiny_weights(&config)).unwrap();
    // 65,536 rows of 64: many blocks.
    let ids: Vec<u32> = (0..1 << 16).map(|i| i % 500).collect();
    let ids = Tensor::from_vec(ids, (1 << 11, 32), &Device::Cpu).unwrap();
    let together = bert.forward(&ids, None).unwrap().narrow(0, 1000, 3).unwrap();
    let apart = bert.forward(&ids.narrow(0, 1000, 3).unwrap(), None).unwrap();
    assert_eq!(max_abs_diff(&together, &apart), 0.0);
}

/// The tiny checkpoint's tensors as f64 variables, and the model over them.
fn trainable(config: &ModelConfig) -> (BTreeMap<String, Var>, Bert) {
    let weights = tiny_weights(config);
    let mut variables = BTreeMap::new();
    for (name, shape) in config.parameters() {
        let tensor = weights.get(&name, &shape).unwrap().to_dtype(DType::F64).unwrap();
        variables.insert(name, Var::from_tensor(&tensor).unwrap());
    }
    let tensors = variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let bert = Bert::load(config, &Weights::new(tiny(), tensors)).unwrap();
    (variables, bert)
}

/// Some smooth number that depends on every hidden state of every real token, differently.
fn loss(bert: &Bert) -> Tensor {
    let (ids, mask) = padded_batch();
    let hidden = bert.forward(&ids, Some(&mask)).unwrap();
    let shape = hidden.dims3().unwrap();
    let places = Tensor::arange(0f64, hidden.elem_count() as f64, &Device::Cpu).unwrap().reshape(shape).unwrap();
    let weights = (places * 0.7).unwrap().sin().unwrap();
    let mask = mask.to_dtype(DType::F64).unwrap().unsqueeze(2).unwrap();
    (hidden.sqr().unwrap() * weights).unwrap().broadcast_mul(&mask).unwrap().mean_all().unwrap()
}

fn norm(x: &Tensor) -> f64 {
    x.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar().unwrap()
}

#[test]
fn every_variable_gets_a_gradient_unless_it_cannot_matter() {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let config = ModelConfig { hidden_act: activation, ..tiny_config() };
        let (variables, bert) = trainable(&config);
        let gradients = loss(&bert).backward().unwrap();
        for (name, variable) in &variables {
            let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = norm(gradient);
            assert!(size.is_finite(), "{name}: {size}");
            // A key's bias adds the same to all scores of a query, which softmax does not see: its gradient is 0 but
            // for rounding.
            if name.ends_with("key.bias") {
                assert!(size < 1e-12, "{name}: {size:e}");
            } else {
                assert!(size > 1e-7, "{name}: {size:e}");
            }
        }
    }
}

#[test]
fn a_directional_derivative_equals_the_numeric_one() {
    for activation in [Activation::Gelu, Activation::GeluTanh] {
        let (variables, bert) = trainable(&ModelConfig { hidden_act: activation, ..tiny_config() });
        let gradients = loss(&bert).backward().unwrap();
        for (name, variable) in variables.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
            let gradient = gradients.get(variable).unwrap();
            let slope = norm(gradient);
            let direction = (gradient / slope).unwrap();
            let base = variable.as_tensor().copy().unwrap();
            let at = |step: f64| -> f64 {
                variable.set(&(&base + (&direction * step).unwrap()).unwrap()).unwrap();
                loss(&bert).to_scalar().unwrap()
            };
            let step = 1e-4;
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            at(0.0);
            // 1e-4: the approximation of erf behind candle's GELU differs from its derivative by about that much.
            let tolerance = 1e-4 * slope + 1e-9;
            assert!((numeric - slope).abs() <= tolerance, "{name}: {slope} by backward, {numeric} numerically");
        }
    }
}

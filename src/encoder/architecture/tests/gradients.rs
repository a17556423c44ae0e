//! Gradients reach every variable of every family and equal numeric derivatives.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use super::*;

/// The tiny checkpoint's tensors as f64 variables, with biases of 0 where it has none, and the model over them.
fn trainable(config: &ModelConfig) -> (BTreeMap<String, Var>, Box<dyn Architecture>) {
    let stored = tiny_config(config.family);
    let (weights, stored) = (tiny_weights(&stored), stored.parameters());
    let mut variables = BTreeMap::new();
    for (name, shape) in config.parameters() {
        let tensor = match stored.iter().any(|(stored, _)| *stored == name) {
            true => weights.get(&name, &shape).unwrap().to_dtype(DType::F64).unwrap(),
            false => Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap(),
        };
        variables.insert(name, Var::from_tensor(&tensor).unwrap());
    }
    let tensors = variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let model = load(config, &Weights::new(directory(config.family), tensors)).unwrap();
    (variables, model)
}

/// All families as they are, BERT with the other activations, and ModernBERT with all its biases.
fn configs() -> Vec<ModelConfig> {
    let mut configs: Vec<ModelConfig> = Family::ALL.map(tiny_config).into();
    for hidden_act in [Activation::GeluTanh, Activation::Relu] {
        configs.push(ModelConfig { hidden_act, ..tiny_config(Family::Bert) });
    }
    configs.push(with_biases());
    configs
}

fn with_biases() -> ModelConfig {
    let mut config = tiny_config(Family::ModernBert);
    let modern = config.modern.as_mut().unwrap();
    (modern.norm_bias, modern.attention_bias, modern.mlp_bias) = (true, true, true);
    config
}

/// A key's bias adds the same to all scores of a query, which softmax does not see: its gradient is 0 but for rounding.
/// ModernBERT turns it by the key's position, so that there it matters.
fn cannot_matter(name: &str) -> bool {
    ["key.bias", "attn.k.bias", "k_lin.bias"].iter().any(|end| name.ends_with(end))
}

/// Some smooth number that depends on every hidden state of every real token, differently.
fn loss(model: &dyn Architecture, family: Family) -> Tensor {
    let (ids, mask) = padded_batch(family);
    let hidden = model.forward(&ids, Some(&mask)).unwrap();
    let shape = hidden.dims3().unwrap();
    let places = Tensor::arange(0f64, hidden.elem_count() as f64, &Device::Cpu).unwrap().reshape(shape).unwrap();
    let weights = (places * 0.7).unwrap().sin().unwrap();
    kept(&(hidden.sqr().unwrap() * weights).unwrap(), &mask).mean_all().unwrap()
}

fn norm(x: &Tensor) -> f64 {
    x.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar().unwrap()
}

#[test]
fn every_variable_gets_a_gradient_unless_it_cannot_matter() {
    for config in configs() {
        let (variables, model) = trainable(&config);
        let gradients = loss(&*model, config.family).backward().unwrap();
        for (name, variable) in &variables {
            let at = format!("{} {name}", config.family.name());
            let size = norm(gradients.get(variable).unwrap_or_else(|| panic!("{at} has no gradient")));
            assert!(size.is_finite(), "{at}: {size}");
            assert_eq!(size < 1e-12, cannot_matter(name), "{at}: {size:e}");
            assert!(cannot_matter(name) || size > 1e-7, "{at}: {size:e}");
        }
    }
}

#[test]
fn a_directional_derivative_equals_the_numeric_one() {
    for config in configs().into_iter().filter(|config| config.hidden_act != Activation::Relu) {
        let (variables, model) = trainable(&config);
        let gradients = loss(&*model, config.family).backward().unwrap();
        for (name, variable) in variables.iter().filter(|(name, _)| !cannot_matter(name)) {
            let gradient = gradients.get(variable).unwrap();
            let slope = norm(gradient);
            let direction = (gradient / slope).unwrap();
            let base = variable.as_tensor().copy().unwrap();
            let at = |step: f64| -> f64 {
                variable.set(&(&base + (&direction * step).unwrap()).unwrap()).unwrap();
                loss(&*model, config.family).to_scalar().unwrap()
            };
            let step = 1e-4;
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            at(0.0);
            // 1e-4: the approximation of erf behind candle's GELU differs from its derivative by about that much.
            let tolerance = 1e-4 * slope + 1e-9;
            let family = config.family.name();
            assert!(
                (numeric - slope).abs() <= tolerance,
                "{family} {name}: {slope} by backward, {numeric} numerically"
            );
        }
    }
}

#[test]
fn biases_of_zero_change_nothing() {
    let (ids, mask) = padded_batch(Family::ModernBert);
    let [plain, biased] = [tiny_config(Family::ModernBert), with_biases()].map(|config| {
        assert_eq!(config.parameters().len() > 26, config.modern.as_ref().unwrap().mlp_bias);
        trainable(&config).1.forward(&ids, Some(&mask)).unwrap()
    });
    assert_eq!(norm(&(plain - biased).unwrap()), 0.0);
}

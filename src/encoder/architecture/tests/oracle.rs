//! The forward passes equal those of candle-transformers, which has all families but MPNet.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models;

use super::*;

fn config_json(family: Family) -> serde_json::Value {
    let text = std::fs::read_to_string(directory(family).join("config.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The checkpoint's tensors, with `prefix` before their names.
fn builder(family: Family, prefix: &str) -> VarBuilder<'static> {
    let tensors = candle_core::safetensors::load(directory(family).join("model.safetensors"), &Device::Cpu).unwrap();
    let tensors: HashMap<String, Tensor> =
        tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn assert_equal(family: Family, own: &dyn Architecture, stock: &Tensor) {
    let (ids, mask) = padded_batch(family);
    let own = own.forward(&ids, Some(&mask)).unwrap();
    let diff = max_abs_diff(&kept(&own, &mask), &kept(stock, &mask));
    assert!(diff <= 1e-5, "{}: {diff:e}", family.name());
}

#[test]
fn bert() {
    let config = serde_json::from_value(config_json(Family::Bert)).unwrap();
    let stock = models::bert::BertModel::load(builder(Family::Bert, ""), &config).unwrap();
    let (ids, mask) = padded_batch(Family::Bert);
    let stock = stock.forward(&ids, &ids.zeros_like().unwrap(), Some(&mask)).unwrap();
    assert_equal(Family::Bert, &*tiny(Family::Bert), &stock);
}

#[test]
fn roberta_and_xlm_roberta() {
    for family in [Family::Roberta, Family::XlmRoberta] {
        let mut config = config_json(family);
        config["position_embedding_type"] = "absolute".into();
        let config = serde_json::from_value(config).unwrap();
        let stock = models::xlm_roberta::XLMRobertaModel::new(&config, builder(family, "")).unwrap();
        let (ids, mask) = padded_batch(family);
        let stock = stock.forward(&ids, &mask, &ids.zeros_like().unwrap(), None, None, None).unwrap();
        assert_equal(family, &*tiny(family), &stock);
    }
}

#[test]
fn distilbert() {
    let config = serde_json::from_value(config_json(Family::DistilBert)).unwrap();
    let stock = models::distilbert::DistilBertModel::load(builder(Family::DistilBert, ""), &config).unwrap();
    let (ids, mask) = padded_batch(Family::DistilBert);
    // Its mask marks padding, and its GELU is always the approximation.
    let padding = mask.eq(0u32).unwrap().reshape((2, 1, 1, 12)).unwrap();
    let padding = padding.broadcast_as((2, 4, 12, 12)).unwrap();
    let stock = stock.forward(&ids, &padding).unwrap();
    let own = ModelConfig { hidden_act: Activation::GeluTanh, ..tiny_config(Family::DistilBert) };
    let own = load(&own, &tiny_weights(&own)).unwrap();
    assert_equal(Family::DistilBert, &*own, &stock);
}

#[test]
fn modern_bert() {
    let mut config = config_json(Family::ModernBert);
    // The names of before transformers 5.
    config["layer_norm_eps"] = config["norm_eps"].clone();
    config["global_rope_theta"] = config["rope_parameters"]["full_attention"]["rope_theta"].clone();
    config["local_rope_theta"] = config["rope_parameters"]["sliding_attention"]["rope_theta"].clone();
    let config = serde_json::from_value(config).unwrap();
    let stock = models::modernbert::ModernBert::load(builder(Family::ModernBert, "model."), &config).unwrap();
    let (ids, mask) = padded_batch(Family::ModernBert);
    let stock = stock.forward(&ids, &mask).unwrap();
    assert_equal(Family::ModernBert, &*tiny(Family::ModernBert), &stock);
}

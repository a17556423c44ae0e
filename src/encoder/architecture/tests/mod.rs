//! The architectures on the tiny checkpoints: masks, blocks, candle-transformers' forward passes and gradients.

mod gradients;
mod oracle;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::*;
use crate::encoder::config::Activation;
use crate::encoder::weights::WeightFiles;

fn directory(family: Family) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder").join(format!("tiny-{}", family.name()))
}

fn tiny_config(family: Family) -> ModelConfig {
    ModelConfig::read(&directory(family).join("config.json")).unwrap()
}

fn tiny_weights(config: &ModelConfig) -> Weights {
    let files = WeightFiles::open(&directory(config.family)).unwrap();
    Weights::read(&files.with_prefix(config.family.prefix()), &config.parameters(), &Device::Cpu).unwrap()
}

fn tiny(family: Family) -> Box<dyn Architecture> {
    let config = tiny_config(family);
    load(&config, &tiny_weights(&config)).unwrap()
}

/// Two texts of 12 and 7 tokens, more than the tiny ModernBERT's local layers reach; the second is padded.
fn padded_batch(family: Family) -> (Tensor, Tensor) {
    let padding = u32::from(matches!(family, Family::Roberta | Family::XlmRoberta | Family::MpNet));
    let long = [2u32, 17, 143, 238, 96, 44, 71, 8, 9, 280, 17, 3];
    let mut short = [padding; 12];
    short[..7].copy_from_slice(&[2, 250, 199, 3, 60, 199, 5]);
    let mask: Vec<u32> = (0..24).map(|i| u32::from(i < 12 + 7)).collect();
    let ids = Tensor::new(&[long, short], &Device::Cpu).unwrap();
    (ids, Tensor::from_vec(mask, (2, 12), &Device::Cpu).unwrap())
}

fn max_abs_diff(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// The hidden states of the tokens that the mask keeps.
fn kept(hidden: &Tensor, mask: &Tensor) -> Tensor {
    let mask = mask.to_dtype(hidden.dtype()).unwrap().unsqueeze(2).unwrap();
    hidden.broadcast_mul(&mask).unwrap()
}

#[test]
fn padding_behind_a_mask_changes_nothing() {
    for family in Family::ALL {
        let model = tiny(family);
        let (ids, mask) = padded_batch(family);
        let short = |x: &Tensor| x.narrow(0, 1, 1).unwrap().narrow(1, 0, 7).unwrap();
        let padded = short(&model.forward(&ids, Some(&mask)).unwrap());
        let alone = model.forward(&short(&ids), None).unwrap();
        let diff = max_abs_diff(&padded, &alone);
        assert!(diff <= 1e-5, "{}: {diff:e}", family.name());
        let unmasked = short(&model.forward(&ids, None).unwrap());
        let diff = max_abs_diff(&unmasked, &alone);
        assert!(diff > 1e-2, "{}: the mask has nothing to do in this test", family.name());
    }
}

#[test]
fn working_in_blocks_of_rows_changes_no_bit() {
    for family in [Family::Bert, Family::ModernBert] {
        let model = tiny(family);
        // 65,536 rows of 64 or 48: many blocks.
        let ids: Vec<u32> = (0..1 << 16).map(|i| i % 300).collect();
        let ids = Tensor::from_vec(ids, (1 << 11, 32), &Device::Cpu).unwrap();
        let together = model.forward(&ids, None).unwrap().narrow(0, 1000, 3).unwrap();
        let apart = model.forward(&ids.narrow(0, 1000, 3).unwrap(), None).unwrap();
        assert_eq!(max_abs_diff(&together, &apart), 0.0);
    }
}

#[test]
fn a_local_layer_sees_as_far_as_its_window_and_no_further() {
    let mut config = tiny_config(Family::ModernBert);
    let reach = 4;
    config.num_hidden_layers = 1;
    config.modern.as_mut().unwrap().global_layers = vec![false];
    let model = load(&config, &tiny_weights(&config)).unwrap();
    let hidden = |changed: usize| {
        let ids: Vec<u32> = (0..12).map(|i| if i == changed { 99 } else { 20 + i as u32 }).collect();
        model.forward(&Tensor::from_vec(ids, (1, 12), &Device::Cpu).unwrap(), None).unwrap()
    };
    let first = |x: &Tensor| x.narrow(1, 0, 1).unwrap();
    let before = hidden(usize::MAX);
    for changed in 1..12 {
        let diff = max_abs_diff(&first(&hidden(changed)), &first(&before));
        assert_eq!(diff > 0.0, changed <= reach, "token {changed}: {diff:e}");
    }
}

/// How far the hidden states of the tiny ModernBERT move when its configuration is changed.
fn moved_by(edit: impl Fn(&mut ModelConfig)) -> f32 {
    let config = tiny_config(Family::ModernBert);
    let (mut other, weights) = (config.clone(), tiny_weights(&config));
    edit(&mut other);
    let (ids, mask) = padded_batch(Family::ModernBert);
    let hidden =
        |config: &ModelConfig| kept(&load(config, &weights).unwrap().forward(&ids, Some(&mask)).unwrap(), &mask);
    max_abs_diff(&hidden(&config), &hidden(&other))
}

#[test]
fn the_tiny_modern_bert_would_show_each_of_its_parts_being_wrong() {
    type Edit = fn(&mut crate::encoder::config::ModernBertConfig);
    let edits: [(&str, Edit); 5] = [
        ("global theta", |modern| modern.global_rope_theta = modern.local_rope_theta),
        ("local theta", |modern| modern.local_rope_theta = modern.global_rope_theta),
        ("a window one token wider on either side", |modern| modern.local_attention += 2),
        ("local layers", |modern| modern.global_layers = vec![true; 4]),
        ("a global layer", |modern| modern.global_layers[3] = false),
    ];
    for (what, edit) in edits {
        let moved = moved_by(|config| edit(config.modern.as_mut().unwrap()));
        assert!(moved > 1e-3, "{what}: {moved:e}");
        eprintln!("{what}: {moved:e}");
    }
    let moved = moved_by(|config| config.hidden_act = Activation::GeluTanh);
    assert!(moved > 2e-5, "activation: {moved:e}");
    eprintln!("activation: {moved:e}");
}

#[test]
fn the_tiny_checkpoints_would_show_a_wrong_first_position() {
    for family in [Family::Roberta, Family::XlmRoberta, Family::MpNet] {
        let config = tiny_config(family);
        let (ids, mask) = padded_batch(family);
        let hidden = |first_position: usize| {
            let config = ModelConfig { first_position, ..config.clone() };
            kept(&load(&config, &tiny_weights(&config)).unwrap().forward(&ids, Some(&mask)).unwrap(), &mask)
        };
        let diff = max_abs_diff(&hidden(2), &hidden(0));
        assert!(diff > 1e-2, "{}: {diff:e}", family.name());
    }
}

//! Every family's own spelling is understood; nonsense and variants that are not read are refused by the field's name.

use std::path::Path;

use serde_json::json;

use super::*;

fn bert_like(family: &str) -> Value {
    json!({
        "model_type": family, "vocab_size": 100, "hidden_size": 12, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 24, "max_position_embeddings": 64,
    })
}

fn smallest(family: Family) -> Value {
    match family {
        Family::DistilBert => json!({
            "model_type": "distilbert", "vocab_size": 100, "dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 24,
            "max_position_embeddings": 64,
        }),
        family => bert_like(family.name()),
    }
}

fn with(family: Family, field: &str, value: Value) -> Result<ModelConfig, Problem> {
    let mut config = smallest(family);
    config[field] = value;
    ModelConfig::from_json(&config)
}

#[test]
fn fields_left_out_or_null_take_the_defaults_of_the_family() {
    let facts = |family| {
        let config = ModelConfig::from_json(&smallest(family)).unwrap();
        assert_eq!(config, with(family, "hidden_act", Value::Null).unwrap());
        assert_eq!((config.family, config.hidden_act), (family, Activation::Gelu));
        assert_eq!((config.hidden_size, config.num_hidden_layers, config.intermediate_size), (12, 2, 24));
        (config.type_vocab_size, config.layer_norm_eps, config.first_position, config.max_tokens())
    };
    assert_eq!(facts(Family::Bert), (2, 1e-12, 0, 64));
    assert_eq!(facts(Family::Roberta), (2, 1e-12, 2, 62));
    assert_eq!(facts(Family::XlmRoberta), (2, 1e-12, 2, 62));
    assert_eq!(facts(Family::MpNet), (0, 1e-12, 2, 62));
    assert_eq!(facts(Family::DistilBert), (0, 1e-12, 0, 64));
    assert_eq!(facts(Family::ModernBert), (0, 1e-5, 0, 64));
}

#[test]
fn a_family_has_its_number_of_tensors() {
    let count = |family| ModelConfig::from_json(&smallest(family)).unwrap().parameters().len();
    let layers = 2 * 16;
    assert_eq!(count(Family::Bert), 3 + 2 + layers);
    assert_eq!(count(Family::Roberta), 3 + 2 + layers);
    assert_eq!(count(Family::MpNet), 2 + 2 + 1 + layers);
    assert_eq!(count(Family::DistilBert), 2 + 2 + layers);
    // Words, their norm, two layers of six without the first norm, and the last norm.
    assert_eq!(count(Family::ModernBert), 2 + 2 * 6 - 1 + 1);
}

#[test]
fn the_activation_is_read_under_the_name_that_the_family_has_for_it() {
    for (family, field) in [
        (Family::Bert, "hidden_act"),
        (Family::MpNet, "hidden_act"),
        (Family::DistilBert, "activation"),
        (Family::ModernBert, "hidden_activation"),
    ] {
        let of = |name: &str| with(family, field, name.into()).map(|config| config.hidden_act);
        assert_eq!(of("gelu_new"), Ok(Activation::GeluTanh));
        assert_eq!(of("gelu_pytorch_tanh"), Ok(Activation::GeluTanh));
        assert_eq!(of("relu"), Ok(Activation::Relu));
        let problem = of("silu").unwrap_err();
        assert!(problem.contains(field) && problem.contains("silu"), "{problem}");
    }
}

#[test]
fn the_padding_token_moves_the_positions_of_roberta_and_not_those_of_mpnet() {
    assert_eq!(with(Family::Roberta, "pad_token_id", 0.into()).unwrap().first_position, 1);
    assert_eq!(with(Family::XlmRoberta, "pad_token_id", 62.into()).unwrap().max_tokens(), 1);
    assert_eq!(with(Family::MpNet, "pad_token_id", 0.into()).unwrap().first_position, 2);
    assert_eq!(with(Family::Bert, "pad_token_id", 9.into()).unwrap().first_position, 0);
}

#[test]
fn modern_bert_is_read_in_the_spelling_of_both_generations() {
    let read = |more: Value| {
        let mut config = smallest(Family::ModernBert);
        more.as_object().unwrap().iter().for_each(|(name, value)| config[name] = value.clone());
        config["num_hidden_layers"] = 4.into();
        ModelConfig::from_json(&config).map(|config| config.modern.unwrap())
    };
    // As published with transformers 4.48, and as transformers 5 writes it.
    let earlier = read(json!({
        "global_attn_every_n_layers": 3, "global_rope_theta": 9e4, "local_rope_theta": 8e3, "local_attention": 9,
        "position_embedding_type": "absolute",
    }));
    let later = read(json!({
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
        "rope_parameters": {
            "full_attention": {"rope_theta": 9e4, "rope_type": "default"},
            "sliding_attention": {"rope_theta": 8e3},
        },
        "local_attention": 9,
    }));
    assert_eq!(earlier, later);
    let modern = later.unwrap();
    assert_eq!((modern.global_rope_theta, modern.local_rope_theta), (9e4, 8e3));
    assert_eq!([0, 1, 2, 3].map(|layer| modern.reach(layer)), [None, Some(4), Some(4), None]);
    let defaults = read(json!({})).unwrap();
    assert_eq!((defaults.global_rope_theta, defaults.local_rope_theta, defaults.reach(1)), (16e4, 1e4, Some(64)));
    let one_base = read(json!({"global_rope_theta": 9e4, "local_rope_theta": null})).unwrap();
    assert_eq!(one_base.local_rope_theta, 9e4);
}

#[test]
fn nonsense_is_refused_by_name() {
    use Family::*;
    let cases: [(Family, &str, Value, &str); 30] = [
        (Bert, "num_attention_heads", 0.into(), "num_attention_heads"),
        (Bert, "num_attention_heads", 5.into(), "not divisible"),
        (Bert, "hidden_size", (-1).into(), "hidden_size: expected 1 to 65536, found -1"),
        (Bert, "hidden_size", 12.5.into(), "hidden_size"),
        (Bert, "hidden_size", "12".into(), "hidden_size"),
        (Bert, "num_hidden_layers", 1_000_000_000_000u64.into(), "num_hidden_layers"),
        (Bert, "max_position_embeddings", u64::MAX.into(), "max_position_embeddings"),
        (Bert, "vocab_size", Value::Null, "vocab_size: missing"),
        (Bert, "type_vocab_size", 0.into(), "type_vocab_size"),
        (Bert, "layer_norm_eps", (-1.0).into(), "layer_norm_eps"),
        (Bert, "position_embedding_type", "relative_key".into(), "position_embedding_type: \"relative_key\""),
        (Bert, "is_decoder", true.into(), "is_decoder"),
        (Bert, "add_cross_attention", true.into(), "add_cross_attention"),
        (Bert, "embedding_size", 6.into(), "embedding_size"),
        (Bert, "model_type", "t5".into(), "\"t5\""),
        (Bert, "model_type", Value::Null, "model_type: missing"),
        (Roberta, "pad_token_id", u64::MAX.into(), "pad_token_id"),
        (Roberta, "pad_token_id", 63.into(), "max_position_embeddings"),
        (XlmRoberta, "pad_token_id", (-1).into(), "pad_token_id"),
        (MpNet, "max_position_embeddings", 2.into(), "max_position_embeddings"),
        (MpNet, "relative_attention_num_buckets", 64.into(), "relative_attention_num_buckets"),
        (DistilBert, "n_heads", 0.into(), "n_heads"),
        (DistilBert, "dim", 13.into(), "dim: 13 is not divisible"),
        (DistilBert, "hidden_dim", (1u64 << 40).into(), "hidden_dim"),
        (ModernBert, "num_attention_heads", 4.into(), "even"),
        (ModernBert, "layer_types", json!(["full_attention"]), "layer_types"),
        (ModernBert, "layer_types", json!(["full_attention", "chunked_attention"]), "chunked_attention"),
        (ModernBert, "global_rope_theta", 0.into(), "global_rope_theta"),
        (ModernBert, "rope_parameters", json!({"full_attention": {"rope_type": "yarn"}}), "yarn"),
        (ModernBert, "local_attention", 0.into(), "local_attention"),
    ];
    for (family, field, value, expected) in cases {
        let problem = with(family, field, value.clone()).unwrap_err();
        assert!(problem.contains(expected), "{field} {value}: {problem}");
    }
}

#[test]
fn an_error_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    for text in ["[]", "3", "{}", "{"] {
        std::fs::write(&path, text).unwrap();
        let error = ModelConfig::read(&path).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
    }
    assert!(ModelConfig::read(Path::new("nowhere/config.json")).is_err());
}

#[test]
fn a_prefix_and_a_name_belong_to_each_family() {
    for family in Family::ALL {
        assert_eq!(Family::of(family.name()), Some(family));
        assert!(family.prefix().ends_with('.'));
    }
}

use super::*;

fn model(modules: &str, pooling: &str) -> (tempfile::TempDir, Result<Modules>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("modules.json"), modules).unwrap();
    std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
    std::fs::write(dir.path().join("1_Pooling/config.json"), pooling).unwrap();
    let read = Modules::read(dir.path());
    (dir, read)
}

const USUAL: &str = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
    {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;

#[test]
fn both_spellings_of_the_pooling_mode_are_read() {
    let pooling = |config: &str| model(USUAL, config).1.map(|m| m.pooling().mode);
    assert_eq!(pooling(r#"{"pooling_mode_mean_tokens":true}"#).unwrap(), Pooling::Mean);
    assert_eq!(
        pooling(r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false,"include_prompt":true}"#).unwrap(),
        Pooling::Cls
    );
    assert_eq!(pooling(r#"{"pooling_mode":"cls"}"#).unwrap(), Pooling::Cls);
    for bad in [r#"{"pooling_mode_weightedmean_tokens":true}"#, "{}", r#"{"pooling_mode":"lasttoken"}"#, "[]"] {
        assert!(pooling(bad).is_err(), "{bad}");
    }
    let two = pooling(r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true}"#).unwrap_err();
    assert!(two.to_string().contains("cls_token + mean_tokens"), "{two}");
}

#[test]
fn unknown_modules_and_paths_outside_are_refused_by_name() {
    let lstm = USUAL.replace("models.Pooling", "models.LSTM");
    assert!(model(&lstm, "{}").1.unwrap_err().to_string().contains("`LSTM`"));
    let outside = USUAL.replace("1_Pooling", "../1_Pooling");
    assert!(model(&outside, "{}").1.unwrap_err().to_string().contains("leaves"));
    assert!(model("[]", "{}").1.is_err());
}

#[test]
fn modules_that_would_be_forgotten_are_refused() {
    let twice = |module: &str| USUAL.replace("Pooling\"}]", &format!("Pooling\"}},{module}]"));
    let pooling = r#"{"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}"#;
    let transformer = r#"{"path":"2_More","type":"sentence_transformers.models.Transformer"}"#;
    for (module, name) in [(pooling, "Pooling"), (transformer, "Transformer")] {
        let error = model(&twice(module), r#"{"pooling_mode":"mean"}"#).1.unwrap_err().to_string();
        assert!(error.contains(&format!("more than one {name}")), "{error}");
    }
    let normalized = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Normalize","type":"sentence_transformers.models.Normalize"},
        {"path":"2_Dense","type":"pylate.models.Dense.Dense"}]"#;
    let error = model(normalized, "{}").1.unwrap_err().to_string();
    assert!(error.contains("Normalize before"), "{error}");
}

#[test]
fn a_plain_transformers_directory_is_mean_pooled() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Modules::read(dir.path()).unwrap(), Modules::default());
    std::fs::write(dir.path().join("sentence_bert_config.json"), r#"{"max_seq_length":256}"#).unwrap();
    assert_eq!(Modules::read(dir.path()).unwrap().max_seq_length, Some(256));
}

#[test]
fn normalisation_alone_is_no_head_and_before_a_layer_is_a_step() {
    let with = |modules: &str| {
        let modules = USUAL.replace("Pooling\"}]", &format!("Pooling\"}}{modules}]"));
        let (dir, _) = model(&modules, r#"{"pooling_mode":"mean"}"#);
        std::fs::create_dir(dir.path().join("3_Dense")).unwrap();
        std::fs::write(dir.path().join("3_Dense/config.json"), r#"{"in_features":4,"out_features":3}"#).unwrap();
        let read = Modules::read(dir.path());
        (dir, read)
    };
    let normalize = r#",{"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}"#;
    let dense = r#",{"path":"3_Dense","type":"sentence_transformers.models.Dense"}"#;
    assert!(!with(normalize).1.unwrap().has_pooled_head());
    let (dir, modules) = with(&format!("{normalize}{dense}{normalize}"));
    let modules = modules.unwrap();
    assert!(matches!(modules.heads[0].steps.as_slice(), [Step::Normalize, Step::Dense(_)]));
    assert_eq!(modules.heads[0].layers().next().unwrap().activation, DenseActivation::Tanh);
    assert_eq!((modules.dim(dir.path(), 4).unwrap(), modules.is_late()), (3, false));
    assert!(modules.dim(dir.path(), 5).unwrap_err().to_string().contains("`3_Dense`"));
    assert!(with(&normalize.repeat(70)).1.unwrap_err().to_string().contains("at most"));
}

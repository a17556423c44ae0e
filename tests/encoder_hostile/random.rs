//! Files with random bytes changed, cut or added: opening and encoding end, and never in a panic.

use proptest::prelude::*;
use workindex::{Error, Monitor};

use crate::support::Model;

/// What happens to a file: bytes set at places (as parts of the length), and then a length (likewise).
#[derive(Debug, Clone)]
struct Damage {
    bytes: Vec<(f64, u8)>,
    keep: Option<f64>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop::collection::vec((0.0..1.0, any::<u8>()), 1..4);
    (bytes, prop::option::weighted(0.2, 0.0..1.0)).prop_map(|(bytes, keep)| Damage { bytes, keep })
}

/// As [`damage`], by bytes that JSON is made of, so that more of it still parses.
fn damage_to_json() -> impl Strategy<Value = Damage> {
    let byte = prop::sample::select(b"0123456789-.eE\"[]{},:truefalsn \\".to_vec());
    let bytes = prop::collection::vec((0.0..1.0, byte), 1..4);
    bytes.prop_map(|bytes| Damage { bytes, keep: None })
}

impl Damage {
    /// To the first `limit` bytes of a file.
    fn apply(&self, model: &Model, name: &str, limit: usize) {
        let mut content = std::fs::read(model.path(name)).unwrap();
        let within = content.len().min(limit) as f64;
        self.bytes.iter().for_each(|(at, byte)| content[(at * within) as usize] = *byte);
        if let Some(keep) = self.keep {
            content.truncate((keep * content.len() as f64) as usize);
        }
        std::fs::write(model.path(name), content).unwrap();
    }
}

/// Opens and uses the model; all errors must be about it.
fn survives(model: &Model) -> Result<(), TestCaseError> {
    let texts = ["", "data engineer", "数据工程师 \u{1f469}\u{200d}\u{1f3ed}", "[CLS] Café (m/f/d)"];
    let result = model.open().and_then(|encoder| {
        texts.iter().try_for_each(|text| encoder.tokens(text).map(drop))?;
        texts.iter().try_for_each(|text| encoder.encode(text).map(drop))?;
        encoder.encode_batch(&texts, &Monitor::silent()).map(drop)
    });
    let typed = matches!(
        result,
        Ok(())
            | Err(Error::Encoder { .. }
                | Error::Tensor { .. }
                | Error::Matrix { .. }
                | Error::EmptyText { .. }
                | Error::InvalidOption { .. })
    );
    prop_assert!(typed, "{:?}", result);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_weights(damage in damage(), in_header: bool) {
        let model = Model::new();
        damage.apply(&model, "model.safetensors", if in_header { 4096 } else { usize::MAX });
        survives(&model)?;
    }

    #[test]
    fn damaged_configuration(damage in prop_oneof![damage(), damage_to_json()], which in 0..4usize) {
        let model = Model::new();
        let name = ["config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"][which];
        damage.apply(&model, name, usize::MAX);
        survives(&model)?;
    }

    #[test]
    fn damaged_tokenizers(damage in prop_oneof![damage(), damage_to_json()], in_settings: bool) {
        let model = Model::new();
        // What is not the vocabulary comes first.
        damage.apply(&model, "tokenizer.json", if in_settings { 1900 } else { usize::MAX });
        survives(&model)?;
    }
}

//! Models in several files: as good as one file, and refused where the index lies.

use std::collections::BTreeMap;

use safetensors::tensor::{SafeTensors, serialize};
use serde_json::{Value, json};
use workindex::Error;

use crate::support::{Model, QUERY, WORDS};

const INDEX: &str = "model.safetensors.index.json";
const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// The tiny checkpoint in two files.
fn sharded() -> Model {
    let model = Model::new();
    let bytes = std::fs::read(model.path("model.safetensors")).unwrap();
    let archive = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = BTreeMap::new();
    for (i, shard) in SHARDS.into_iter().enumerate() {
        let mut names = archive.names();
        names.sort_unstable();
        let part: Vec<_> =
            names.into_iter().skip(i).step_by(2).map(|name| (name, archive.tensor(name).unwrap())).collect();
        map.extend(part.iter().map(|(name, _)| (name.to_string(), shard)));
        std::fs::write(model.path(shard), serialize(part, None).unwrap()).unwrap();
    }
    std::fs::remove_file(model.path("model.safetensors")).unwrap();
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    std::fs::write(model.path(INDEX), index.to_string()).unwrap();
    model
}

#[test]
fn several_files_are_as_good_as_one() {
    let (one, several) = (Model::new().open().unwrap(), sharded().open().unwrap());
    assert_eq!(one.encode("data engineer").unwrap(), several.encode("data engineer").unwrap());
    assert_ne!(one.fingerprint(), several.fingerprint());
    let files = several.checkpoint().files();
    assert!(SHARDS.iter().chain([&INDEX]).all(|name| files.iter().any(|file| file.as_os_str() == *name)), "{files:?}");
}

/// A change to the weight_map of an index, and what the error must mention.
type Lie<'a> = (&'a dyn Fn(&mut Value), &'a [&'a str]);

#[test]
fn an_index_that_lies() {
    let cases: [Lie; 8] = [
        (&|map| map[QUERY] = "model-00003.safetensors".into(), &["model-00003.safetensors", "missing"]),
        (&|map| map[QUERY] = "../model.safetensors".into(), &["../model.safetensors", "beside"]),
        (&|map| map[QUERY] = "/etc/passwd".into(), &["/etc/passwd", "beside"]),
        (&|map| map[QUERY] = "tokenizer.json".into(), &["tokenizer.json", "beside"]),
        (&|map| map["extra"] = SHARDS[0].into(), &["extra", SHARDS[0], INDEX]),
        (&|map| drop(map.as_object_mut().unwrap().remove(QUERY)), &[QUERY, "none of that name", INDEX]),
        (&|map| map[WORDS] = Value::Null, &[INDEX]),
        (&|map| *map = json!({}), &[INDEX, "weight_map"]),
    ];
    for (edit, mentions) in cases {
        let model = sharded();
        model.edit_json(INDEX, |index| edit(&mut index["weight_map"]));
        model.refused(mentions);
    }
    let swapped = sharded();
    swapped.edit_json(INDEX, |index| {
        for (_, shard) in index["weight_map"].as_object_mut().unwrap() {
            *shard = if *shard == SHARDS[0] { SHARDS[1].into() } else { SHARDS[0].into() };
        }
    });
    assert!(matches!(swapped.open(), Err(Error::Tensor { .. })));
    let twice = sharded();
    let text = std::fs::read_to_string(twice.path(INDEX)).unwrap();
    let text = text.replace("\"weight_map\":{", &format!("\"weight_map\":{{\"{QUERY}\":\"{}\",", SHARDS[0]));
    std::fs::write(twice.path(INDEX), text).unwrap();
    twice.refused(&[QUERY, "given twice"]);
}

#[test]
fn a_shard_that_is_damaged_or_not_there_is_named() {
    for shard in SHARDS {
        let model = sharded();
        let whole = std::fs::read(model.path(shard)).unwrap();
        std::fs::write(model.path(shard), &whole[..whole.len() - 1]).unwrap();
        model.refused(&[shard, "not a usable safetensors file"]);
        std::fs::remove_file(model.path(shard)).unwrap();
        model.refused(&[shard, "missing"]);
        std::fs::create_dir(model.path(shard)).unwrap();
        model.refused(&[shard, "missing"]);
    }
}

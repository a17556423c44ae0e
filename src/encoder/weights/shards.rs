//! `model.safetensors.index.json`: which of several files has which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::encoder::files::{encoder_error, read_json};
use crate::error::Result;

/// Published models have at most some hundred.
const MAX_SHARDS: usize = 1000;

/// The file of each tensor. The names of the files are proven to be those of files beside the index, which belong to the
/// model as any `*.safetensors` does.
#[derive(Debug)]
pub(crate) struct ShardIndex {
    pub path: PathBuf,
    /// Name of the tensor → name of the file.
    pub shard_of: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct IndexFile {
    weight_map: WeightMap,
}

struct WeightMap(BTreeMap<String, String>);

impl ShardIndex {
    /// Reads the index at `path` and looks whether all its files are there.
    ///
    /// # Errors
    /// [`Error::Encoder`](crate::Error::Encoder) when it is no such index, names a file that is missing or elsewhere, or
    /// gives a tensor twice.
    pub(crate) fn read(path: PathBuf) -> Result<Self> {
        let IndexFile { weight_map: WeightMap(shard_of) } = read_json(&path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let shards: BTreeSet<&str> = shard_of.values().map(String::as_str).collect();
        if !(1..=MAX_SHARDS).contains(&shards.len()) {
            let problem = format!("weight_map: expected 1 to {MAX_SHARDS} different files, found {}", shards.len());
            return Err(encoder_error(&path, problem));
        }
        for shard in shards {
            let problem = match is_beside(shard) {
                false => "which is not the plain name of a *.safetensors file beside the index",
                true if !folder.join(shard).is_file() => "which is missing",
                true => continue,
            };
            return Err(encoder_error(&path, format!("weight_map names the shard `{shard}`, {problem}")));
        }
        Ok(Self { path, shard_of })
    }
}

/// Whether a shard's name is that of a file in the same folder that belongs to the model, and so to its fingerprint.
fn is_beside(shard: &str) -> bool {
    let mut parts = Path::new(shard).components();
    let plain = matches!(parts.next(), Some(Component::Normal(name)) if name == shard) && parts.next().is_none();
    plain && shard.ends_with(".safetensors") && !shard.starts_with('.')
}

/// A map that refuses a second value for a key, where others would take the last one.
impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = WeightMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of tensors, each with the name of a file")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<WeightMap, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((tensor, shard)) = entries.next_entry::<String, String>()? {
                    if map.contains_key(&tensor) {
                        return Err(A::Error::custom(format!("the tensor `{tensor}` is given twice")));
                    }
                    map.insert(tensor, shard);
                }
                Ok(WeightMap(map))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

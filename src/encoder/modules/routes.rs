//! `Asym` (sentence-transformers up to 4) and `Router` (from 5 on): other layers for other kinds of text.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{Head, Step, class, dense, inner_folder};
use crate::encoder::files::{encoder_error, read_json};
use crate::error::Result;

/// Published checkpoints have two.
const MAX_ROUTES: usize = 64;

#[derive(Deserialize)]
struct File {
    /// The class of each module, by its folder.
    types: HashMap<String, String>,
    structure: Structure,
}

/// The modules of each route, in the order of the file: the first route is the default of some checkpoints.
struct Structure(Vec<(String, Vec<String>)>);

/// Reads the routes of the module in `folder`, which is relative to the model directory `dir`.
pub(super) fn read(dir: &Path, folder: &Path) -> Result<Vec<Head>> {
    let newer = dir.join(folder).join("router_config.json");
    let path = if newer.is_file() { newer } else { dir.join(folder).join("config.json") };
    let file: File = read_json(&path)?;
    let n = file.structure.0.len();
    if !(1..=MAX_ROUTES).contains(&n) {
        return Err(encoder_error(&path, format!("structure: expected 1 to {MAX_ROUTES} routes, found {n}")));
    }
    let mut heads: Vec<Head> = Vec::new();
    for (route, modules) in &file.structure.0 {
        if route.is_empty() || heads.iter().any(|head| &head.route == route) {
            return Err(encoder_error(&path, format!("structure: route `{route}` needs a name of its own")));
        }
        let step = |module: &String| step(dir, folder, &path, &file, module);
        heads.push(Head { route: route.clone(), steps: modules.iter().map(step).collect::<Result<_>>()? });
    }
    Ok(heads)
}

fn step(dir: &Path, folder: &Path, path: &Path, file: &File, module: &str) -> Result<Step> {
    let kind = file.types.get(module);
    let kind = kind.ok_or_else(|| encoder_error(path, format!("types: module `{module}` is missing")))?;
    match class(kind) {
        "Dense" => Ok(Step::Dense(dense::read(dir, folder.join(inner_folder(path, module)?), dense::Of::Pooled)?)),
        "Normalize" => Ok(Step::Normalize),
        other => {
            let problem = format!("module `{module}`: `{other}` is not supported in a route; Dense and Normalize are");
            Err(encoder_error(path, problem))
        }
    }
}

impl<'de> Deserialize<'de> for Structure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Routes;
        impl<'de> Visitor<'de> for Routes {
            type Value = Structure;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("routes with a list of modules each")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Structure, A::Error> {
                let mut routes = Vec::new();
                while let Some(route) = map.next_entry()? {
                    routes.push(route);
                }
                Ok(Structure(routes))
            }
        }
        deserializer.deserialize_map(Routes)
    }
}

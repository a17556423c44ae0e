//! `modules.json` and what it names: how sentence-transformers and PyLate go on from the transformer's output.
//!
//! | file | what |
//! |---|---|
//! | `pooling.rs` | how a pooled vector is made of token embeddings |
//! | `dense.rs` | a linear layer with an activation |
//! | `routes.rs` | `Asym` and `Router`: other layers for other kinds of text |
//!
//! Layers before any pooling (PyLate's) change each token's row. Layers after it change the pooled vector, and then the
//! encoder's output is that vector: see [`Modules::has_pooled_head`].

mod dense;
mod pooling;
mod routes;

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::files::{encoder_error, read_json};
use crate::error::Result;

pub(crate) use dense::{DenseActivation, DenseConfig};
pub use pooling::Pooling;
pub(crate) use pooling::PoolingConfig;

/// Published checkpoints have up to six.
const MAX_MODULES: usize = 64;
const SUPPORTED: &str = "Transformer, Pooling, Dense, Normalize, Asym and Router are";

/// The modules of a checkpoint. A plain transformers directory, without modules.json, is a transformer and mean pooling.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Modules {
    /// The folder of the transformer, relative to the model directory.
    pub transformer: PathBuf,
    /// None where the checkpoint does not pool; the mean is taken then.
    pub pooling: Option<PoolingConfig>,
    /// The most tokens per text that the checkpoint asks for.
    pub max_seq_length: Option<usize>,
    /// Layers that each token's row goes through.
    pub token_layers: Vec<DenseConfig>,
    /// What the pooled vector goes through, by route: one without a name where all texts are treated alike.
    pub heads: Vec<Head>,
}

/// The steps from the pooled vector of the transformer to that of the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Head {
    /// The key of the route (`anchor`, `query`); empty where there are no routes.
    pub route: String,
    pub steps: Vec<Step>,
}

/// One step of a [`Head`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// To length 1.
    Normalize,
    Dense(DenseConfig),
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize, Default)]
struct TransformerSettings {
    #[serde(default)]
    max_seq_length: Option<usize>,
}

impl Modules {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("modules.json");
        let mut modules = Self::default();
        if path.is_file() {
            let entries: Vec<Entry> = read_json(&path)?;
            if entries.first().is_none_or(|entry| class(&entry.kind) != "Transformer") {
                return Err(encoder_error(
                    &path,
                    "the first module must be a Transformer (a Router that holds a model for each route is not supported)",
                ));
            }
            if entries.len() > MAX_MODULES {
                return Err(encoder_error(
                    &path,
                    format!("{} modules; at most {MAX_MODULES} are expected", entries.len()),
                ));
            }
            for (place, entry) in entries.iter().enumerate() {
                if place > 0 && class(&entry.kind) == "Transformer" {
                    return Err(encoder_error(&path, "more than one Transformer is not supported"));
                }
                modules.add(dir, &path, entry)?;
            }
        }
        modules.forget_heads_without_layers();
        modules.max_seq_length = max_seq_length(&dir.join(&modules.transformer).join("sentence_bert_config.json"))?;
        Ok(modules)
    }

    /// The checkpoint's pooling; the mean where it does not pool.
    pub(crate) fn pooling(&self) -> PoolingConfig {
        self.pooling.unwrap_or_default()
    }

    /// Whether the pooled vector goes through a layer. Then the tokens' rows are no output of the model: its token matrix is
    /// one row, the vector that comes out of the head.
    pub(crate) fn has_pooled_head(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Whether the model's output is the rows of the tokens, each through a layer of its own: a PyLate (ColBERT) model.
    pub(crate) fn is_late(&self) -> bool {
        !self.token_layers.is_empty()
    }

    /// The keys of the routes, in the checkpoint's order; none where all texts are treated alike.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|head| head.route.as_str()).filter(|route| !route.is_empty())
    }

    /// Values per row after all layers, of a transformer with rows of `hidden` values.
    ///
    /// # Errors
    /// [`Error::Encoder`](crate::Error::Encoder) with the module that expects rows of another length than it gets, or the
    /// route that makes another length than the first.
    pub(crate) fn dim(&self, dir: &Path, hidden: usize) -> Result<usize> {
        let through = |width: usize, layer: &DenseConfig| layer.after(dir, width);
        let width = self.token_layers.iter().try_fold(hidden, through)?;
        let mut dim = None;
        for head in &self.heads {
            let out = head.layers().try_fold(width, through)?;
            if *dim.get_or_insert(out) != out {
                let problem = format!("route `{}` makes vectors of {out} values, another one of others", head.route);
                return Err(encoder_error(&dir.join("modules.json"), problem));
            }
        }
        Ok(dim.unwrap_or(width))
    }

    fn add(&mut self, dir: &Path, path: &Path, entry: &Entry) -> Result<()> {
        let folder = inner_folder(path, &entry.path)?;
        match class(&entry.kind) {
            "Transformer" => self.transformer = folder,
            "Pooling" if self.is_late() => {
                return Err(encoder_error(path, "Pooling behind a Dense of the tokens is not supported"));
            }
            "Pooling" if self.pooling.is_some() => {
                return Err(encoder_error(path, "more than one Pooling is not supported"));
            }
            "Pooling" => self.pooling = Some(pooling::read(&dir.join(folder).join("config.json"))?),
            "Dense" if self.pooling.is_some() && entry.kind.starts_with("pylate.") => {
                return Err(encoder_error(path, format!("module `{}` is not supported behind Pooling", entry.kind)));
            }
            "Dense" if self.pooling.is_none() && !self.heads.is_empty() => {
                return Err(encoder_error(path, "Normalize before a Dense of the tokens is not supported"));
            }
            "Dense" if self.pooling.is_none() => self.token_layers.push(dense::read(dir, folder, dense::Of::Tokens)?),
            "Dense" => self.push(&Step::Dense(dense::read(dir, folder, dense::Of::Pooled)?)),
            "Normalize" => self.push(&Step::Normalize),
            "Asym" | "Router" if self.pooling.is_some() => {
                self.fork(path, routes::read(dir, &folder)?)?;
            }
            "Asym" | "Router" => {
                return Err(encoder_error(path, format!("module `{}` is supported behind Pooling only", entry.kind)));
            }
            other => {
                return Err(encoder_error(path, format!("module `{other}` is not supported; {SUPPORTED}")));
            }
        }
        Ok(())
    }

    /// A step of all routes.
    fn push(&mut self, step: &Step) {
        if self.heads.is_empty() {
            self.heads.push(Head::default());
        }
        self.heads.iter_mut().for_each(|head| head.steps.push(step.clone()));
    }

    /// From here on each route goes its own way.
    fn fork(&mut self, path: &Path, routes: Vec<Head>) -> Result<()> {
        if self.routes().next().is_some() {
            return Err(encoder_error(path, "more than one Asym or Router is not supported"));
        }
        let shared = self.heads.pop().unwrap_or_default().steps;
        let joined = |head: Head| Head { steps: shared.iter().cloned().chain(head.steps).collect(), ..head };
        self.heads = routes.into_iter().map(joined).collect();
        Ok(())
    }

    /// Normalisation at the end changes no cosine, and every rule takes cosines: the raw vector is kept. So heads that do
    /// nothing else are none.
    fn forget_heads_without_layers(&mut self) {
        if self.heads.iter().all(|head| head.layers().next().is_none()) {
            self.heads.clear();
        }
        for head in &mut self.heads {
            while head.steps.last() == Some(&Step::Normalize) {
                head.steps.pop();
            }
        }
    }
}

impl Head {
    pub(crate) fn layers(&self) -> impl Iterator<Item = &DenseConfig> {
        self.steps.iter().filter_map(|step| match step {
            Step::Dense(layer) => Some(layer),
            Step::Normalize => None,
        })
    }
}

/// A class without the Python modules it lives in, which have moved between versions.
fn class(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A folder below the model directory, named in the file at `path`.
fn inner_folder(path: &Path, name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(name);
    match folder.components().all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(folder),
        false => Err(encoder_error(path, format!("module path `{name}` leaves the model directory"))),
    }
}

fn max_seq_length(path: &Path) -> Result<Option<usize>> {
    if !path.is_file() {
        return Ok(None);
    }
    let settings: TransformerSettings = read_json(path)?;
    match settings.max_seq_length {
        Some(0) => Err(encoder_error(path, "max_seq_length: expected at least 1, found 0")),
        length => Ok(length),
    }
}

#[cfg(test)]
mod tests;

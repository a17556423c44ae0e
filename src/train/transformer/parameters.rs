//! The numbers of a model, by the names of its checkpoint, and gradients of the same shapes.

use std::collections::BTreeMap;

use crate::encoder::{LayerNames, ModelConfig, RELATIVE_BIAS};
use crate::error::Result;

/// The values of every parameter, row-major, in the order of [`ModelConfig::parameters`].
#[derive(Debug, Clone)]
pub(crate) struct Parameters {
    pub(crate) config: ModelConfig,
    pub(crate) names: Vec<String>,
    pub(crate) shapes: Vec<Vec<usize>>,
    pub(crate) values: Vec<Vec<f32>>,
    pub(super) places: Places,
}

/// Where the parameters of each part are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) words: usize,
    pub(super) positions: Option<usize>,
    pub(super) types: Option<usize>,
    pub(super) norm: Affine,
    pub(super) relative: Option<usize>,
    pub(super) layers: Vec<LayerPlaces>,
    /// Of the linear layer behind the transformer, where there is one.
    pub(super) dense: Option<usize>,
}

/// The name of the matrix behind the transformer, among those of its own parameters: none of them begins so.
pub(crate) const DENSE: &str = "dense.linear.weight";

/// A weight and its bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub(super) weight: usize,
    pub(super) bias: usize,
}

#[derive(Debug, Clone)]
pub(super) struct LayerPlaces {
    pub(super) query: Affine,
    pub(super) key: Affine,
    pub(super) value: Affine,
    pub(super) attention_output: Affine,
    pub(super) attention_norm: Affine,
    pub(super) widen: Affine,
    pub(super) narrow: Affine,
    pub(super) output_norm: Affine,
}

/// Sums of derivatives, one for each value of the parameters.
#[derive(Debug, Clone)]
pub(crate) struct Gradients {
    pub(crate) values: Vec<Vec<f32>>,
    /// The rows of the table of words that have any, rising.
    pub(crate) words: Vec<u32>,
    /// Where the table of words is among the values.
    pub(crate) words_at: usize,
    /// Where the linear layer behind the transformer is.
    pub(crate) dense_at: Option<usize>,
    dim: usize,
}

impl Parameters {
    /// Reads the values by name; `read` is given a name and the shape that is expected.
    ///
    /// # Errors
    /// What `read` returns.
    pub(crate) fn read(config: &ModelConfig, mut read: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>) -> Result<Self> {
        let (names, shapes): (Vec<String>, Vec<Vec<usize>>) = config.parameters().into_iter().unzip();
        let values = names.iter().zip(&shapes).map(|(name, shape)| read(name, shape)).collect::<Result<Vec<_>>>()?;
        let places = Places::of(config, &names);
        Ok(Self { config: config.clone(), names, shapes, values, places })
    }

    /// With a linear layer without bias behind the transformer: `dim` rows of as many values as a token row has.
    pub(crate) fn with_dense(mut self, dim: usize, values: Vec<f32>) -> Self {
        self.places.dense = Some(self.names.len());
        self.names.push(DENSE.to_string());
        self.shapes.push(vec![dim, self.config.hidden_size]);
        self.values.push(values);
        self
    }

    /// The linear layer behind the transformer: its rows, and its values.
    pub(crate) fn dense(&self) -> Option<(usize, &[f32])> {
        let at = self.places.dense?;
        Some((self.shapes.get(at)?.first().copied()?, self.get(at)))
    }

    /// The values of the parameter of a name; none where there is none.
    pub(crate) fn named(&self, name: &str) -> &[f32] {
        self.names.iter().position(|other| other == name).map(|at| self.get(at)).unwrap_or_default()
    }

    /// The values of a parameter; none where there is no such place.
    pub(super) fn get(&self, at: usize) -> &[f32] {
        self.values.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// This · (1 − λ) + other · λ, value by value, for parameters of the same model.
    pub(crate) fn interpolated(&self, other: &Self, share: f32) -> Self {
        let mut mixed = self.clone();
        for (values, others) in mixed.values.iter_mut().zip(&other.values) {
            values.iter_mut().zip(others).for_each(|(value, other)| *value += share * (other - *value));
        }
        mixed
    }
}

impl Places {
    fn of(config: &ModelConfig, names: &[String]) -> Self {
        let places: BTreeMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        // Every name is one of the configuration's own parameters; a place beyond the end would read as no values.
        let place = |name: &str| places.get(name).copied().unwrap_or(usize::MAX);
        let affine =
            |name: &str| Affine { weight: place(&format!("{name}.weight")), bias: place(&format!("{name}.bias")) };
        let layer = |names: LayerNames| LayerPlaces {
            query: affine(&names.query),
            key: affine(&names.key),
            value: affine(&names.value),
            attention_output: affine(&names.attention_output),
            attention_norm: affine(&names.attention_norm),
            widen: affine(&names.widen),
            narrow: affine(&names.narrow),
            output_norm: affine(&names.output_norm),
        };
        let embeddings = config.embedding_names();
        Self {
            words: place(&embeddings.words),
            positions: embeddings.positions.as_deref().map(place),
            types: embeddings.types.as_deref().map(place),
            norm: affine(&embeddings.norm),
            relative: config.relative_buckets.map(|_| place(RELATIVE_BIAS)),
            layers: (0..config.num_hidden_layers).map(|at| layer(config.layer_names(at))).collect(),
            dense: None,
        }
    }
}

impl Gradients {
    /// All zero.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let values = parameters.values.iter().map(|values| vec![0.0; values.len()]).collect();
        let (words_at, dim) = (parameters.places.words, parameters.config.hidden_size);
        Self { values, words: Vec::new(), words_at, dense_at: parameters.places.dense, dim }
    }

    /// All zero again.
    pub(crate) fn clear(&mut self) {
        let (words_at, dim) = (self.words_at, self.dim);
        for (at, values) in self.values.iter_mut().enumerate() {
            match at == words_at {
                false => values.fill(0.0),
                true => self.words.iter().for_each(|&word| {
                    let start = word as usize * dim;
                    values.get_mut(start..start + dim).unwrap_or_default().fill(0.0);
                }),
            }
        }
        self.words.clear();
    }

    /// Calls `each` with every stretch of values that may differ from zero: its parameter, where it begins there, and the values.
    pub(crate) fn each_stretch(&mut self, mut each: impl FnMut(usize, usize, &mut [f32])) {
        let (words_at, dim) = (self.words_at, self.dim);
        for (at, values) in self.values.iter_mut().enumerate() {
            if at != words_at {
                each(at, 0, values);
                continue;
            }
            for &word in &self.words {
                let start = word as usize * dim;
                if let Some(row) = values.get_mut(start..start + dim) {
                    each(at, start, row);
                }
            }
        }
    }

    /// Adds to a parameter's gradient.
    pub(super) fn add(&mut self, at: usize, more: &[f32]) {
        if let Some(values) = self.values.get_mut(at) {
            values.iter_mut().zip(more).for_each(|(value, more)| *value += more);
        }
    }

    /// The gradient of the linear layer behind the transformer; empty where there is none.
    pub(crate) fn dense(&mut self) -> &mut [f32] {
        self.dense_at.map(|at| self.get(at)).unwrap_or_default()
    }

    /// A parameter's gradient.
    pub(super) fn get(&mut self, at: usize) -> &mut [f32] {
        self.values.get_mut(at).map(Vec::as_mut_slice).unwrap_or_default()
    }

    /// Notes that words have gradients.
    pub(super) fn touch(&mut self, words: impl Iterator<Item = u32>) {
        self.words.extend(words);
        self.words.sort_unstable();
        self.words.dedup();
    }
}

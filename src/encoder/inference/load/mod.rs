//! A [`Transformer`] from a configuration and a mapped checkpoint.

mod modern_bert;
mod post_norm;

use std::sync::Arc;

use super::arena::ArenaBuilder;
use super::attention::Attention;
use super::kernel::{Kernel, MAX_DEPTH_OF_NUMBERS, PANEL};
use super::linear::{Linear, LinearSource, Pieces};
use super::positions::{PositionBias, Rotary};
use super::transformer::{Embeddings, Layer, NormWeights, Norms, Transformer};
use crate::encoder::beside::on_threads;
use crate::encoder::config::{Activation, ModelConfig};
use crate::encoder::files::encoder_error;
use crate::encoder::settings::Precision;
use crate::encoder::weights::{RawTensor, WeightFiles};
use crate::error::Result;

/// What a transformer is loaded from, and how.
pub(crate) struct Loader<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) files: &'a WeightFiles,
    pub(crate) precision: Precision,
    /// Tokens of the longest text, at most what the model has places for.
    pub(crate) max_tokens: usize,
    pub(crate) kernel: &'static dyn Kernel,
}

/// All of a transformer that is particular to its family.
struct Parts {
    words: RawTensor,
    places: Vec<f32>,
    norm: NormWeights,
    position_bias: Option<PositionBias>,
    layers: Vec<LayerParts>,
    final_norm: Option<NormWeights>,
}

/// A layer whose linear layers are still in the file.
struct LayerParts {
    linears: LinearSources,
    rotary: Option<Arc<Rotary>>,
    reach: Option<usize>,
    norms: Norms,
}

struct LinearSources {
    project: LinearSource,
    output: LinearSource,
    widen: LinearSource,
    gate: Option<LinearSource>,
    narrow: LinearSource,
}

/// What is done at the same time as other things.
enum Job<'a> {
    Pack(&'a LinearSource, &'a mut [u8]),
    /// Checks that all values are finite.
    LookThrough(&'a RawTensor),
}

impl LinearSources {
    /// In the order in which they are used, and packed.
    fn all(&self) -> impl Iterator<Item = &LinearSource> {
        [&self.project, &self.output, &self.widen].into_iter().chain(&self.gate).chain([&self.narrow])
    }
}

impl Loader<'_> {
    /// Reads, checks and packs the weights.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) when a tensor is missing, has another shape or a value that is not finite;
    /// [`Error::Encoder`](crate::Error::Encoder) when there is not enough memory.
    pub(crate) fn load(&self) -> Result<Transformer> {
        let widest = self.config.hidden_size.max(self.config.intermediate_size);
        if self.precision == Precision::I8 && widest > MAX_DEPTH_OF_NUMBERS {
            let problem =
                format!("its layers are {widest} wide; up to {MAX_DEPTH_OF_NUMBERS} are computed with precision i8");
            return Err(encoder_error(self.files.origin(), problem));
        }
        let parts = match &self.config.modern {
            None => self.post_norm()?,
            Some(modern) => self.modern_bert(modern)?,
        };
        let sources: Vec<&LinearSource> = parts.layers.iter().flat_map(|layer| layer.linears.all()).collect();
        let mut linears = self.pack(&sources, &parts.words)?.into_iter();
        let activation = self.config.hidden_act;
        let layers = parts.layers.into_iter().map_while(|layer| self.layer(layer, activation, &mut linears)).collect();
        Ok(Transformer {
            kernel: self.kernel,
            dim: self.config.hidden_size,
            stride: self.config.hidden_size.next_multiple_of(PANEL),
            embeddings: Embeddings {
                words: parts.words,
                places: parts.places,
                first_position: self.config.first_position,
                norm: parts.norm,
            },
            position_bias: parts.position_bias,
            layers,
            final_norm: parts.final_norm,
        })
    }

    /// The layer over the next packed linear layers, which are as many as its sources.
    fn layer(
        &self,
        parts: LayerParts,
        activation: Activation,
        linears: &mut impl Iterator<Item = Linear>,
    ) -> Option<Layer> {
        let heads = self.heads();
        let attention = Attention {
            heads: heads.count,
            head: heads.padded,
            scale: 1.0 / (heads.width as f32).sqrt(),
            reach: parts.reach,
        };
        let (project, output, widen) = (linears.next()?, linears.next()?, linears.next()?);
        let gate = if parts.linears.gate.is_some() { Some(linears.next()?) } else { None };
        let (narrow, rotary, norms) = (linears.next()?, parts.rotary, parts.norms);
        Some(Layer { attention, rotary, project, output, widen, activation, gate, narrow, norms })
    }

    /// Packs the linear layers, and meanwhile looks through the vectors of the vocabulary, which stay where they are.
    fn pack(&self, sources: &[&LinearSource], words: &RawTensor) -> Result<Vec<Linear>> {
        let origin = self.files.origin();
        let memory = |e: std::io::Error| encoder_error(origin, format!("no memory for its weights: {e}"));
        let lengths: Vec<usize> = sources.iter().map(|source| source.packed_bytes(self.precision)).collect();
        let mut arena = ArenaBuilder::new(&lengths).map_err(memory)?;
        let parts: Vec<&mut [u8]> = arena.parts(&lengths);
        let jobs = sources.iter().zip(parts).map(|(source, part)| Job::Pack(source, part));
        on_threads(std::iter::once(Job::LookThrough(words)).chain(jobs).collect(), |job| match job {
            Job::Pack(source, part) => source.pack(self.precision, part),
            Job::LookThrough(tensor) => tensor.check_finite(),
        })?;
        let parts = arena.finish(&lengths).map_err(memory)?;
        sources.iter().zip(parts).map(|(source, part)| source.over(self.precision, part)).collect()
    }

    fn heads(&self) -> Pieces {
        let heads = self.config.num_attention_heads;
        Pieces::heads(heads, self.config.hidden_size / heads)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<RawTensor> {
        self.files.tensor(name, shape)
    }

    /// The matrices of these names (`{name}.weight`, and `{name}.bias`) as one layer, their outputs side by side.
    fn linear(&self, names: &[&String], with_bias: bool, pieces: (Pieces, Pieces)) -> Result<LinearSource> {
        let (_, outputs) = pieces;
        self.linear_from(names, with_bias, pieces, (outputs.count * outputs.width, 0))
    }

    /// The same of matrices with `rows` rows, of which the outputs are those from `first` on.
    fn linear_from(
        &self,
        names: &[&String],
        with_bias: bool,
        (inputs, outputs): (Pieces, Pieces),
        (rows, first): (usize, usize),
    ) -> Result<LinearSource> {
        let weight = |name: &&String| self.tensor(&format!("{name}.weight"), &[rows, inputs.count * inputs.width]);
        let bias = |name: &&String| self.tensor(&format!("{name}.bias"), &[rows]);
        let biased = if with_bias { names } else { &[] };
        Ok(LinearSource {
            weights: names.iter().map(weight).collect::<Result<_>>()?,
            biases: biased.iter().map(bias).collect::<Result<_>>()?,
            first,
            outputs,
            inputs,
        })
    }

    fn norm(&self, name: &str, with_bias: bool) -> Result<NormWeights> {
        let shape = [self.config.hidden_size];
        let weight = self.tensor(&format!("{name}.weight"), &shape)?.to_f32()?;
        let bias = match with_bias {
            true => self.tensor(&format!("{name}.bias"), &shape)?.to_f32()?,
            false => Vec::new(),
        };
        Ok(NormWeights { weight, bias, eps: self.config.layer_norm_eps as f32 })
    }
}

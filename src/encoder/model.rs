//! The transformer of an encoder, on what it was asked to compute with.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{Device, Tensor};

use super::architecture::{self, Architecture};
use super::checkpoint::Checkpoint;
use super::inference::kernel;
use super::inference::{Loader, Sequence, Transformer, Workspace};
use super::settings::EncoderSettings;
use super::tokenizer::Tokenized;
use super::weights::Weights;
use crate::error::{Error, Result};

/// Of a workspace that is kept for the next batch; a very long text needs more, and gives it back.
const MAX_IDLE_BYTES: usize = 64 << 20;

/// What an encoder computes with. It changes the speed, and the last bits of embeddings, never what they are comparable with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// The processor: own kernels where it has AVX2, AVX-512 or NEON, candle elsewhere.
    #[default]
    Cpu,
    /// The processor, with candle: the reference.
    Candle,
    /// The NVIDIA GPU of that number, with candle; needs the cargo feature `cuda`.
    Cuda(usize),
    /// The Apple GPU of that number, with candle; needs the cargo feature `metal`.
    Metal(usize),
}

/// A loaded transformer.
pub(super) enum Model {
    Packed(Box<Packed>),
    Candle { architecture: Box<dyn Architecture>, device: Device },
}

/// Packed weights, and workspaces that wait for the next batch.
pub(super) struct Packed {
    transformer: Transformer,
    idle: Mutex<Vec<Workspace>>,
}

impl Model {
    pub(super) fn load(checkpoint: &Checkpoint, settings: &EncoderSettings, backend: Backend) -> Result<Self> {
        let (config, files) = (checkpoint.config(), checkpoint.weight_files()?);
        let (precision, max_tokens) = (settings.precision, settings.max_tokens);
        if let (Backend::Cpu, Some(kernel)) = (backend, kernel::detect()) {
            let transformer = Loader { config, files: &files, precision, max_tokens, kernel }.load()?;
            return Ok(Self::Packed(Box::new(Packed { transformer, idle: Mutex::default() })));
        }
        let device = backend.device().map_err(|e| Error::InvalidOption {
            option: "backend",
            expected: "cpu, candle, or a GPU that is there, in a build with the cargo feature `cuda` or `metal`"
                .to_string(),
            got: format!("{backend} ({e})"),
        })?;
        let weights = Weights::read(&files, &config.parameters(), &device)?;
        let weights = weights.at(precision);
        Ok(Self::Candle { architecture: architecture::load(config, &weights)?, device })
    }

    /// What the transformer runs on, for reports.
    pub(super) fn runs_on(&self) -> String {
        match self {
            Self::Packed(packed) => packed.transformer.kernel().name().to_string(),
            Self::Candle { device, .. } if device.is_cpu() => "candle".to_string(),
            Self::Candle { device, .. } => format!("candle on {:?}", device.location()),
        }
    }

    /// Whether texts of different lengths can go through the model together.
    pub(super) fn mixes_lengths(&self) -> bool {
        matches!(self, Self::Packed(_))
    }

    /// The last hidden states of all tokens of all texts, row-major. Each text has at least one token; without
    /// [`mixes_lengths`](Self::mixes_lengths) all have equally many.
    pub(super) fn hidden(&self, texts: &[&Tokenized]) -> candle_core::Result<Vec<f32>> {
        match self {
            Self::Packed(packed) => Ok(packed.hidden(texts)),
            Self::Candle { architecture, device } => with_candle(&**architecture, device, texts),
        }
    }
}

impl Packed {
    fn hidden(&self, texts: &[&Tokenized]) -> Vec<f32> {
        let mut workspace = self.idle().pop().unwrap_or_default();
        let sequences: Vec<Sequence<'_>> =
            texts.iter().map(|text| Sequence { ids: &text.ids, attended: text.attended }).collect();
        let hidden = self.transformer.forward(&sequences, &mut workspace).to_vec();
        if workspace.bytes() <= MAX_IDLE_BYTES {
            self.idle().push(workspace);
        }
        hidden
    }

    /// A workspace is whole whenever it is in the list, also after a panic elsewhere.
    fn idle(&self) -> MutexGuard<'_, Vec<Workspace>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_candle(
    architecture: &dyn Architecture,
    device: &Device,
    texts: &[&Tokenized],
) -> candle_core::Result<Vec<f32>> {
    let length = texts.first().map_or(0, |text| text.ids.len());
    let ids: Vec<u32> = texts.iter().flat_map(|text| text.ids.iter().copied()).collect();
    let ids = Tensor::from_vec(ids, (texts.len(), length), device)?;
    let mask = attention_mask(texts, length, device)?;
    architecture.forward(&ids, mask.as_ref())?.flatten_all()?.to_vec1()
}

/// 1 for each token that may be attended to; none where all may.
fn attention_mask(texts: &[&Tokenized], length: usize, device: &Device) -> candle_core::Result<Option<Tensor>> {
    if texts.iter().all(|text| text.attended >= length) {
        return Ok(None);
    }
    let mask = texts.iter().flat_map(|text| (0..length).map(|at| u32::from(at < text.attended)));
    Tensor::from_vec(mask.collect::<Vec<u32>>(), (texts.len(), length), device).map(Some)
}

impl Backend {
    fn device(self) -> candle_core::Result<Device> {
        match self {
            Self::Cpu | Self::Candle => Ok(Device::Cpu),
            Self::Cuda(ordinal) => Device::new_cuda(ordinal),
            Self::Metal(ordinal) => Device::new_metal(ordinal),
        }
    }
}

impl std::str::FromStr for Backend {
    type Err = Error;

    /// Reads what [`Display`](std::fmt::Display) writes: `cpu`, `candle`, `cuda`, `cuda:1`, `metal`, `metal:1`.
    fn from_str(text: &str) -> Result<Self> {
        let (name, ordinal) = text.split_once(':').unwrap_or((text, "0"));
        let backend = match (name, ordinal.parse()) {
            ("cuda", Ok(ordinal)) => Some(Self::Cuda(ordinal)),
            ("metal", Ok(ordinal)) => Some(Self::Metal(ordinal)),
            _ => None,
        };
        match (text, backend) {
            ("cpu", _) => Ok(Self::Cpu),
            ("candle", _) => Ok(Self::Candle),
            (_, Some(backend)) => Ok(backend),
            _ => Err(Error::InvalidOption {
                option: "backend",
                expected: "cpu, candle, cuda, cuda:N, metal or metal:N".to_string(),
                got: text.to_string(),
            }),
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Candle => f.write_str("candle"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Metal(ordinal) => write!(f, "metal:{ordinal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_read_as_they_are_written() {
        for backend in [Backend::Cpu, Backend::Candle, Backend::Cuda(0), Backend::Cuda(3), Backend::Metal(1)] {
            assert_eq!(backend.to_string().parse::<Backend>().unwrap(), backend);
        }
        assert_eq!("cuda".parse::<Backend>().unwrap(), Backend::Cuda(0));
        for bad in ["", "gpu", "cuda:", "cuda:-1", "cpu:0", "CPU", "metal:x"] {
            assert!(matches!(bad.parse::<Backend>(), Err(Error::InvalidOption { .. })), "{bad}");
        }
    }
}

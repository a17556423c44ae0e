//! Training encoders on ontologies: unified work embeddings (arXiv 2511.07969).

mod config;
mod corpus;
mod model_files;
mod objective;
mod optimizer;
mod run;
mod sampler;
mod sources;
mod token_rows;
mod trainee;
mod trainer;
mod transformer;

pub use config::{
    BatchConfig, DataConfig, GraphConfig, ObjectiveConfig, OptimizerConfig, Split, TrainingConfig, ValidationConfig,
};
pub use corpus::{Corpus, HeldOut, Job, LeftOut, Sentence, Skill};
pub use objective::{Contrast, Edges, Objective};
pub use optimizer::{AdamW, Schedule};
pub use run::{Log, TrainingEvent, TrainingRun, Validation};
pub use sampler::{Batch, BatchGraph, Graph, Sampler};
pub use sources::{Sources, read_corpus};
pub use token_rows::TokenRows;
pub use trainer::{GraphTerm, StepReport, Trainer, TrainingOptions};

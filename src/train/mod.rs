//! Training encoders on ontologies: unified work embeddings ([arXiv 2511.07969](https://arxiv.org/abs/2511.07969)).
//!
//! A [`Corpus`] of skills, jobs and sentences is read from ESCO, O*NET and annotated sentences, without what is held out. A [`Sampler`] draws
//! batches of four graphs from it; the [`Objective`] is symmetric many-to-many InfoNCE over late interaction; a [`Trainer`] takes steps, and a
//! [`TrainingRun`] (`workindex train`) does all of it in a folder, judges the model on the way with [`workbench`](crate::workbench), chooses how far
//! to go from the base to what was trained, and writes a model directory. A run is a function of base, data and configuration: not of threads,
//! nor of interruptions.
//!
//! | file | what |
//! |---|---|
//! | `corpus.rs`, `sources.rs` | what is learned from, and what is held out |
//! | `sampler.rs` | batches of skill–job, skill–sentence, skill–alias and job–alias |
//! | `objective/` | scores, losses and their derivatives by token rows |
//! | `transformer/` | the transformer with a backward pass of its own, held to candle's |
//! | `shape.rs`, `start.rs`, `vocabulary.rs`, `principal_axes.rs` | a smaller model made of the base: fewer layers and pieces, shorter rows |
//! | `trainee.rs` | the model that is trained: texts to token rows and back |
//! | `teacher.rs` | the base as a teacher of a smaller model |
//! | `optimizer.rs` | AdamW that touches only the words of a batch, clipping, schedule |
//! | `trainer.rs`, `run.rs`, `options.rs`, `config.rs`, `curves.rs` | steps; runs; their options and configuration; their curves |
//! | `model_files.rs` | the model directory, and the state of a run |
//! | `mix.rs` | means of models, weight by weight |

mod config;
mod corpus;
mod curves;
mod mix;
mod model_files;
mod objective;
mod optimizer;
mod options;
mod principal_axes;
mod run;
mod sampler;
mod shape;
mod sources;
mod start;
mod teacher;
mod token_rows;
mod trainee;
mod trainer;
mod transformer;
mod vocabulary;

pub use config::{
    BatchConfig, DataConfig, GraphConfig, ObjectiveConfig, OptimizerConfig, TrainingConfig, ValidationConfig,
};
pub use corpus::{Corpus, HeldOut, Job, LeftOut, Sentence, Skill};
pub use mix::mix;
pub use objective::{Contrast, Edges, Objective};
pub use optimizer::{AdamW, Schedule};
pub use options::{GraphTerm, TrainingOptions};
pub use run::{Log, TrainingEvent, TrainingRun, Validation};
pub use sampler::{Batch, BatchGraph, Graph, Sampler};
pub use shape::{ModelShape, StoredWeights};
pub use sources::{Sources, read_corpus};
pub use token_rows::TokenRows;
pub use trainer::{StepReport, Trainer};

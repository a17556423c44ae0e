//! Training encoders on ontologies: unified work embeddings (arXiv 2511.07969).

mod corpus;
mod objective;
mod optimizer;
mod sampler;
mod token_rows;
mod trainee;
mod trainer;
mod transformer;

pub use corpus::{Corpus, HeldOut, Job, LeftOut, Sentence, Skill};
pub use objective::{Contrast, Edges, Objective};
pub use optimizer::{AdamW, Schedule};
pub use sampler::{Batch, BatchGraph, Graph, Sampler};
pub use token_rows::TokenRows;
pub use trainer::{GraphTerm, StepReport, Trainer, TrainingOptions};

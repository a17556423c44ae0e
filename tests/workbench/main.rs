//! WorkBench: datasets, metrics and baselines are WorkRB's; an evaluation is what its parts say, and goes on where it was stopped.
#![cfg(feature = "workbench")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../data/mod.rs"]
mod data;

mod data_folder;
mod evaluation;
mod hostile;
mod lexical;
mod metrics;
mod quality_real;
mod reports;
mod support;
mod tasks;
mod tasks_real;

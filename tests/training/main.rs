//! Training: nothing held out reaches a batch, a seed fixes everything, an interrupted run comes to the same weights, and the model
//! that comes out is one that everything else reads.
#![cfg(feature = "train")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../workbench/data_folder.rs"]
mod data_folder;

mod leakage;
mod mix;
mod runs;
mod smaller;
mod support;

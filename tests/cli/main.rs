//! The command line: its verbs work together from an empty folder to a ranking, its output is what programs parse, its
//! errors say where and what to do, and its exit status is 0, 1 or 2 as promised.
//!
//! All of it runs with the tiny encoder of the fixtures, offline.
#![cfg(feature = "cli")]

#[cfg(feature = "workbench")]
#[path = "../workbench/data_folder.rs"]
mod data_folder;
mod encoders;
mod explain;
mod failures;
mod ingest;
mod interrupted;
mod rank;
mod reindex;
mod releases;
mod support;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "workbench")]
mod workbench;

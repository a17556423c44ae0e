//! WorkBench: judging encoders, scoring rules and baselines on ranking tasks of the labour market.
//!
//! The six tasks of "Unified Work Embeddings" ([arXiv 2511.07969](https://arxiv.org/abs/2511.07969)) and some of the same shape: a text
//! ranks a list of targets, and the metrics say where the right ones stand. Data, splits and metrics are those of WorkRB
//! ([arXiv 2604.13055](https://arxiv.org/abs/2604.13055)); the tests compare them with its own code. `workindex eval` and `compare` are the
//! command line of this module.
//!
//! A [`Data`] folder gives a [`Dataset`] for each [`SetName`]; an [`Evaluation`] judges [`System`]s (an encoder under a rule, or a [`Baseline`])
//! on them and keeps a [`Record`] of each set, from which a [`Report`] is made. A record holds the ranks of all positives: any [`Metric`] can be
//! computed from it later, and two runs be compared query by query.
//!
//! | file | what |
//! |---|---|
//! | `task.rs` | [`Task`], its sets, their [`Split`] |
//! | `dataset.rs` | [`Dataset`]: queries, positives, targets, and where they come from |
//! | `data.rs`, `loaders/` | the folder of the data, and a loader for each kind of source |
//! | `held_out.rs` | which concepts are held out from training |
//! | `lexical/` | baselines without a model |
//! | `system.rs` | what is judged |
//! | `target_index.rs` | an index of targets, whose scores the executor gives |
//! | `evaluate.rs`, `plan.rs` | sets judged one after the other, each once; one set |
//! | `ranks.rs`, `metrics.rs` | from scores to ranks to values |
//! | `record.rs`, `run.rs`, `files.rs` | results on disk |
//! | `bootstrap.rs`, `summary.rs` | intervals; means over queries, sets and tasks |
//! | `report/` | tables, Markdown, JSON and a plot |
//!
//! # What differs from WorkRB
//!
//! * Equal scores rank in the order of the targets. WorkRB sorts with an unstable sort, whose order of equal scores depends on the
//!   processor: of systems with many ties (BM25, edit distance) its values are one of many, between the lowest and the highest possible.
//! * Labels are stripped before anything is compared: two alternative labels of ESCO 1.1 that equal their preferred label but for
//!   white space around that one are no queries here.
//! * Job2Skill and Skill2Job have no validation set here (WorkRB's is of vacancies that a tagger has read): theirs is the queries whose
//!   concept is held out.
//! * Queries without positives are left out, where WorkRB keeps them and skips them in every metric.

mod bootstrap;
mod data;
mod dataset;
mod evaluate;
mod files;
pub mod held_out;
mod lexical;
mod loaders;
mod metrics;
mod plan;
pub mod ranks;
mod record;
mod report;
mod run;
mod summary;
mod system;
mod target_index;
mod task;

pub use bootstrap::Resampling;
pub use data::{Data, DataOptions};
pub use dataset::{Dataset, DatasetBuilder, Origin, Query, Target};
pub use evaluate::{Evaluation, Event};
#[cfg(feature = "train")]
pub(crate) use files::write as write_file;
pub use lexical::{Baseline, LexicalIndex};
#[cfg(feature = "train")]
pub use loaders::read_sentences;
pub use loaders::{Loaded, Selection};
pub use metrics::Metric;
pub use record::{Head, JudgedSystem, Record, Seconds};
#[cfg(feature = "train")]
pub(crate) use report::chart;
pub use report::{Cell, Column, Report, Row, Table};
pub use run::{JudgedEncoder, Missing, Run, RunHead};
pub use summary::{Estimate, MacroSummary, SetSummary, Summary};
pub use system::System;
pub use target_index::TargetIndex;
pub use task::{SetName, Split, Task};

//! WorkBench: judging encoders, scoring rules and baselines on ranking tasks of the labour market.

mod bootstrap;
mod data;
mod dataset;
mod evaluate;
mod files;
pub mod held_out;
mod lexical;
mod loaders;
mod metrics;
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
pub use lexical::{Baseline, LexicalIndex};
pub use loaders::{Loaded, Selection};
pub use metrics::Metric;
pub use record::{Head, JudgedSystem, Record, Seconds};
pub use report::{Cell, Column, Report, Row, Table};
pub use run::{JudgedEncoder, Missing, Run, RunHead};
pub use summary::{Estimate, MacroSummary, SetSummary, Summary};
pub use system::System;
pub use target_index::TargetIndex;
pub use task::{SetName, Split, Task};

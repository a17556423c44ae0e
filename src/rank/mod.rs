//! Query execution over a snapshot.
//!
//! | file | what |
//! |---|---|
//! | `executor.rs` | ranks a space for queries: scan and certificate, everything at full precision, or a few by themselves |
//! | `plan.rs` | which parts of which segments are read, in tasks for several threads |
//! | `batch.rs` | queries and rules made ready: the rows that their passes need, packed together |
//! | `sweep.rs` | one pass over the rows: upper bounds from the scan copy, or scores from the master copy |
//! | `stored_rows.rs` | what a sweep reads, chunk by chunk |
//! | `certify.rs` | [`Certificate`]: from bounds to the exact best |
//! | `rescore.rs` | full-precision scores of chosen surface forms |
//! | `filter.rs` | [`Filter`]: which targets take part |
//! | `top_k.rs` | the best k scores, in the one order that rankings have |
//! | `explain/` | [`Explanation`]: why a concept scores what it does |
//! | `ranking.rs` | [`RankOptions`], [`Ranking`], [`Hit`], [`RankedTargets`] |

mod batch;
mod certify;
mod executor;
mod explain;
mod filter;
mod plan;
mod ranking;
mod rescore;
mod stored_rows;
mod sweep;
#[cfg(test)]
mod test_space;
mod top_k;

pub use certify::Certificate;
pub(crate) use certify::Outcome;
pub(crate) use executor::{Request, execute, score_all};
pub(crate) use explain::{Asked, explain};
pub use explain::{Comparison, ExplainedForm, ExplainedToken, Explanation, FormScore};
pub use filter::Filter;
pub(crate) use filter::targets as filter_targets;
pub(crate) use plan::ScanPlan;
pub use ranking::{ExactMatch, Hit, RankOptions, RankedTargets, Ranking};
pub(crate) use top_k::Scored;

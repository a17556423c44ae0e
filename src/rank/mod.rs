//! Query execution over a snapshot.
//!
//! | file | what |
//! |---|---|
//! | `executor.rs` | scores every target that a filter lets through, in parallel, and keeps the best |
//! | `filter.rs` | [`Filter`]: which targets take part |
//! | `top_k.rs` | the best k scores, in the one order that rankings have |
//! | `explain/` | [`Explanation`]: why a concept scores what it does |
//! | `ranking.rs` | [`RankOptions`], [`Ranking`], [`Hit`] |

mod executor;
mod explain;
mod filter;
mod ranking;
mod top_k;

pub(crate) use executor::execute;
pub(crate) use explain::{Asked, explain};
pub use explain::{Comparison, ExplainedForm, ExplainedToken, Explanation, FormScore};
pub use filter::Filter;
pub(crate) use filter::targets as filter_targets;
pub use ranking::{ExactMatch, Hit, RankOptions, Ranking};
pub(crate) use top_k::Scored;

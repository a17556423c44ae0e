//! Why a concept scores what it does for a query.
//!
//! | file | what |
//! |---|---|
//! | `explanation.rs` | [`Explanation`]: what is handed out |
//! | `tokens.rs` | [`ExplainedToken`]: what rows and columns are called |
//! | `stored_form.rs` | a surface form as the segment has it, for all rules |
//! | `explain.rs` | scores a concept's forms, and takes apart those that decide |
//!
//! Everything is computed in f64 from the rows that the executor scores with, by `late_interaction::breakdown`.

#[allow(clippy::module_inception)]
mod explain;
mod explanation;
mod stored_form;
mod tokens;

pub(crate) use explain::{Asked, explain};
pub use explanation::{Comparison, ExplainedForm, Explanation, FormScore};
pub use tokens::ExplainedToken;

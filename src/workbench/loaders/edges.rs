//! Queries and positives from the edges between two kinds of concepts.

use std::collections::HashMap;

use super::{Job, held_out_selection};
use crate::ontology::Concept;
use crate::workbench::dataset::DatasetBuilder;
use crate::workbench::held_out::Holdout;

/// An edge, seen from the side of the query.
pub(super) struct Edge<'r> {
    /// The query's text.
    pub(super) query: &'r str,
    /// The concept whose text that is.
    pub(super) concept: &'r Concept,
    /// The label of the target.
    pub(super) target: &'r str,
}

/// Adds the queries of edges, in the order in which they first come. Where only held-out concepts are asked for, a text is a
/// query if all concepts that have it are held out, so that its positives are whole.
pub(super) fn add(job: &Job<'_>, builder: &mut DatasetBuilder, edges: &[Edge<'_>]) {
    struct OfText<'r> {
        text: &'r str,
        held_out: bool,
        positives: Vec<u32>,
    }
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut queries: Vec<OfText<'_>> = Vec::new();
    let held_out = job.held_out();
    for edge in edges {
        let at = *places.entry(edge.query).or_insert(queries.len());
        if at == queries.len() {
            queries.push(OfText { text: edge.query, held_out: true, positives: Vec::new() });
        }
        let query = &mut queries[at];
        query.held_out &= held_out.holds_out(edge.concept);
        query.positives.extend(builder.position(edge.target));
    }
    let before = queries.len();
    if held_out != Holdout::None {
        queries.retain(|query| query.held_out);
        builder.origin().selection = Some(held_out_selection("queries of concepts", held_out));
    }
    builder.leave_out("queries of concepts for training", before - queries.len());
    queries.into_iter().for_each(|query| builder.query(query.text, query.positives));
}

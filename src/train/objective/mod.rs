//! The objective of "Unified Work Embeddings" (arXiv 2511.07969): InfoNCE over the scores of late interaction, with its derivative by every
//! token row.
//!
//! | file | what |
//! |---|---|
//! | `info_nce.rs` | from a matrix of scores and its positives to a loss, and the derivative by each score |
//! | `interaction.rs` | from cosines of token rows to the score of a pair, and back |
//! | `imitation.rs` | distillation: rows against those of a teacher |
//! | `scores.rs` | all pairs of some texts: blocks of cosines, scores, and derivatives by rows |
//!
//! The tests compare all of it with torch's automatic differentiation in f64 (`fixtures/train`).

mod imitation;
mod info_nce;
mod interaction;
mod scores;
#[cfg(test)]
mod tests;

pub(super) use imitation::imitate;
pub use info_nce::Contrast;
pub(super) use interaction::MIN_TEMPERATURE;

use super::token_rows::TokenRows;
use crate::late_interaction::{Direction, Interaction, Rule};
use interaction::Pairing;
use scores::{PooledScores, Scores, TokenScores};

/// What is minimised: how pairs are scored, and how scores are contrasted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// The rule that pairs are scored by: soft late interaction with weights from cosines, MaxSim or mean pooling.
    pub rule: Rule,
    /// How a score is contrasted with the others of its batch.
    pub contrast: Contrast,
}

/// Two lists of texts of a batch and which of them belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges<'a> {
    /// Texts on one side, by their places among the batch's.
    pub left: &'a [u32],
    /// Texts on the other.
    pub right: &'a [u32],
    /// Pairs that belong together, by their places in `left` and `right`.
    pub positives: &'a [(u32, u32)],
    /// τ of the loss.
    pub temperature: f32,
    /// What the loss counts.
    pub weight: f32,
}

impl Objective {
    /// The weighted loss of some edges over raw token rows; `gradient`, rows of the same texts, gets its derivative added.
    pub fn add(&self, rows: &TokenRows, edges: &Edges<'_>, gradient: &mut TokenRows) -> f64 {
        match self.pairing() {
            Some(pairing) => self.add_by(&TokenScores::new(rows, edges, pairing), edges, gradient),
            None => self.add_by(&PooledScores::new(rows, edges), edges, gradient),
        }
    }

    /// The scores of all pairs, left after left: what the loss is of.
    pub fn scores(&self, rows: &TokenRows, edges: &Edges<'_>) -> Vec<f32> {
        match self.pairing() {
            Some(pairing) => TokenScores::new(rows, edges, pairing).scores(),
            None => PooledScores::new(rows, edges).scores(),
        }
    }

    fn add_by(&self, scores: &impl Scores, edges: &Edges<'_>, gradient: &mut TokenRows) -> f64 {
        let matrix = scores.scores();
        let (left, right) = (edges.left.len(), edges.right.len());
        let (loss, mut by_score) =
            info_nce::loss(&matrix, (left, right), edges.positives, edges.temperature, self.contrast);
        by_score.iter_mut().for_each(|by| *by *= edges.weight);
        scores.add_gradient(&by_score, gradient);
        f64::from(edges.weight) * loss
    }

    /// How token rows are matched; none where they are pooled.
    fn pairing(&self) -> Option<Pairing> {
        let (over_left, over_right) =
            (self.rule.direction != Direction::Target, self.rule.direction != Direction::Query);
        let temperature = match self.rule.interaction {
            Interaction::Soft | Interaction::ContextMatch => Some(self.rule.temperature),
            Interaction::MaxSim => None,
            Interaction::MeanPool => return None,
        };
        Some(Pairing { temperature, over_left, over_right })
    }
}

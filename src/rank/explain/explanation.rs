//! What an explanation says.

use serde::Serialize;

use super::tokens::ExplainedToken;
use crate::late_interaction::Rule;
use crate::ontology::SpaceName;
use crate::rank::ranking::as_text;

/// Why a concept scores what it does for a query: which tokens met which, and what each pair adds to the score.
///
/// A concept's score is the mean of its preferred form's score and its best form's, so one or two surface forms decide it.
/// Everything is in f64 and sums up: the contributions of a form's comparisons to the form's score, and the forms' scores,
/// each times its [`part`](ExplainedForm::part), to the concept's. That is the [`Hit`](crate::Hit)'s to within 1e-5, save
/// where raw weights at a very small temperature leave two tokens too close to call in f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The query, stripped; none when it was a token matrix.
    pub query: Option<String>,
    /// Whether the query was longer than the encoder reads, so that its end played no part.
    pub truncated: bool,
    /// The query's tokens, one for each row of its token matrix.
    pub query_tokens: Vec<ExplainedToken>,
    /// The space, with its release.
    #[serde(serialize_with = "as_text")]
    pub space: SpaceName,
    /// The concept's position in the space, from 0.
    pub target: usize,
    /// The concept's id.
    pub id: String,
    /// The concept's preferred label.
    pub label: String,
    /// The rule that scores.
    pub rule: Rule,
    /// The concept's score, in −1…1.
    pub score: f64,
    /// The surface forms that decide the score: the preferred one and, where it is another, the best one.
    pub forms: Vec<ExplainedForm>,
    /// The concept's other surface forms, best first.
    pub other_forms: Vec<FormScore>,
}

/// A surface form that decides a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedForm {
    /// Its text.
    pub text: String,
    /// Whether it is the preferred label.
    pub preferred: bool,
    /// Whether no form of the concept scores higher.
    pub best: bool,
    /// How much of the concept's score it is: 1, or 0.5 when preferred and best form differ.
    pub part: f64,
    /// Its score, in −1…1.
    pub score: f64,
    /// Its tokens, one for each row of its token matrix.
    pub tokens: Vec<ExplainedToken>,
    /// What the score sums up: one comparison, save in ConTeXT-Match in both directions, where each side's tokens are
    /// compared with the other side as a whole.
    pub comparisons: Vec<Comparison>,
}

/// A surface form that does not decide a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormScore {
    /// Its text.
    pub text: String,
    /// Its score, in −1…1.
    pub score: f64,
}

/// All pairs of a query token and a target token. Matrices have one row per query token and one column per target token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What the rows are: the query's tokens, or `whole text` for its pooled vector.
    pub query_tokens: Vec<ExplainedToken>,
    /// What the columns are.
    pub target_tokens: Vec<ExplainedToken>,
    /// cᵢⱼ: the cosine of each pair.
    pub cosines: Vec<Vec<f64>>,
    /// aᵢⱼ: how each query token's attention is divided among the target's tokens; each row sums to 1. None where the score
    /// is no mean over the query's tokens, and in mean pooling.
    pub query_weights: Option<Vec<Vec<f64>>>,
    /// bᵢⱼ: how each target token's attention is divided among the query's tokens; each column sums to 1. None where the
    /// score is no mean over the target's tokens, and in mean pooling.
    pub target_weights: Option<Vec<Vec<f64>>>,
    /// What each pair adds to the form's score: aᵢⱼ cᵢⱼ / m, bᵢⱼ cᵢⱼ / n, or the mean of the two.
    pub contributions: Vec<Vec<f64>>,
    /// What each query token adds: the row sums of the contributions.
    pub query_shares: Vec<f64>,
    /// What each target token adds: the column sums of the contributions.
    pub target_shares: Vec<f64>,
}

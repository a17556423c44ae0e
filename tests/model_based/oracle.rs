//! What a space should answer: every target scored by the f64 reference, one after the other.

use std::collections::BTreeSet;

use workindex::{
    Concept, ExactMatch, Filter, Interaction, Kind, Ranking, RelationKind, Rule, TokenMatrix, Weights, reference,
};

use crate::model::Stored;
use crate::operations::Question;

/// Checks a ranking of the concepts of a kind of a release.
pub fn check(
    stored: &Stored,
    kind: &Kind,
    question: &Question,
    with_text: bool,
    ranking: &Ranking,
    matrix: &dyn Fn(&str) -> TokenMatrix,
) {
    let concepts = stored.space(kind);
    let query = matrix(question.text);
    let score = |concept: &&Concept| {
        let forms = stored.texts_of(concept).into_iter().map(|text| {
            let target = matrix(text);
            (reference::score(&question.rule, &query, &target), budget(&question.rule, &query, &target))
        });
        let (scores, budgets): (Vec<f64>, Vec<f64>) = forms.unzip();
        (reference::concept_score(&scores), budgets.into_iter().fold(0.0, f64::max))
    };
    let scores: Vec<(f64, f64)> = concepts.iter().map(score).collect();
    let allowed: BTreeSet<usize> = (0..concepts.len())
        .filter(|&at| question.filter.as_ref().is_none_or(|filter| lets_through(filter, stored, concepts[at])))
        .collect();
    let n = question.k.unwrap_or(usize::MAX).min(allowed.len());
    assert_eq!(ranking.len(), n, "{question:?}");
    assert_eq!((ranking.rule, ranking.certificate.targets), (question.rule, allowed.len()), "{question:?}");
    assert!(ranking.certificate.certified);
    for (at, hit) in ranking.iter().enumerate() {
        let concept = concepts[hit.target];
        assert_eq!((hit.rank, &hit.id, &hit.label), (at + 1, &concept.id, &concept.label), "{question:?}");
        assert!(allowed.contains(&hit.target), "{question:?}: {hit:?} is filtered out");
        let (expected, budget) = scores[hit.target];
        let error = (f64::from(hit.score) - expected).abs();
        assert!(error <= budget, "{question:?}: {hit:?}, {expected} expected, off by {error:e}, allowed {budget:e}");
        let exact = if with_text { exact_match(concept, question.text) } else { None };
        assert_eq!(hit.exact, exact, "{question:?}: {hit:?}");
    }
    let sorted = |pair: &[workindex::Hit]| (-pair[0].score, pair[0].target) < (-pair[1].score, pair[1].target);
    assert!(ranking.windows(2).all(sorted), "{question:?}: {ranking:?}");
    let ranked: BTreeSet<usize> = ranking.iter().map(|hit| hit.target).collect();
    let last = ranking.last().map_or(f64::INFINITY, |hit| f64::from(hit.score));
    for &missing in allowed.difference(&ranked) {
        let (score, budget) = scores[missing];
        assert!(score <= last + budget, "{question:?}: target {missing} with {score} is missing");
    }
}

/// How far a score may be from the reference: a looser bound than that of `tests/certified.rs`, and that texts embedded in one batch differ
/// a little from the same in another.
fn budget(rule: &Rule, query: &TokenMatrix, target: &TokenMatrix) -> f64 {
    let delta = (query.dim() as f64).sqrt() / 65_278.0 + 2e-5;
    let tau = f64::from(rule.temperature);
    let slack = match (rule.interaction, rule.weights) {
        (Interaction::MaxSim | Interaction::MeanPool, _) => delta,
        (_, Weights::Cosine) => delta * (1.0 + 1.0 / tau),
        (_, Weights::Raw) => {
            let kappa = largest_norm(query) * largest_norm(target);
            delta + 2.0 * (kappa * delta / tau / 2.0).tanh()
        }
    };
    slack + 5e-5
}

fn largest_norm(matrix: &TokenMatrix) -> f64 {
    let norm = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    matrix.rows().chain([matrix.pooled()]).map(norm).fold(0.0, f64::max)
}

/// Labels are compared without regard to case; all of them are ASCII and without white space at their ends.
fn exact_match(concept: &Concept, text: &str) -> Option<ExactMatch> {
    let is = |label: &String| label.eq_ignore_ascii_case(text);
    match (is(&concept.label), concept.alternative_labels.iter().any(is)) {
        (true, _) => Some(ExactMatch::Preferred),
        (_, true) => Some(ExactMatch::Alternative),
        _ => None,
    }
}

fn lets_through(filter: &Filter, stored: &Stored, concept: &Concept) -> bool {
    let values = |name: &String| concept.attributes.get(name).into_iter().flatten();
    match filter {
        Filter::Attribute { name, value } => values(name).any(|found| found == value),
        Filter::Prefix { name, prefix } => values(name).any(|found| found.starts_with(prefix)),
        Filter::Below(id) => is_below(stored, concept, id),
        Filter::Ids(ids) => ids.contains(&concept.id),
        Filter::All(filters) => filters.iter().all(|filter| lets_through(filter, stored, concept)),
        Filter::Any(filters) => filters.iter().any(|filter| lets_through(filter, stored, concept)),
        Filter::Not(filter) => !lets_through(filter, stored, concept),
        other => panic!("no such filter was asked for: {other:?}"),
    }
}

/// Whether a way upwards from the concept leads to one with the id: all that is reached, until nothing new is.
fn is_below(stored: &Stored, concept: &Concept, id: &str) -> bool {
    let concepts = stored.release.concepts();
    let same = |at: &usize| (&concepts[*at].kind, &concepts[*at].id) == (&concept.kind, &concept.id);
    let mut reached: BTreeSet<usize> = (0..concepts.len()).filter(same).collect();
    loop {
        let broader = stored.release.relations().iter().filter(|relation| relation.kind == RelationKind::Broader);
        let up = broader.filter(|relation| reached.contains(&(relation.from as usize)));
        let next: BTreeSet<usize> = reached.iter().copied().chain(up.map(|relation| relation.to as usize)).collect();
        if next.len() == reached.len() {
            return reached.into_iter().any(|at| concepts[at].id == id);
        }
        reached = next;
    }
}

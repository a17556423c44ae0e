//! The scoring rules in f64, in loops that read like the formulas: what the engine is tested against, and what anyone
//! can check its scores with. It works on raw rows, without rotation, quantisation or kernels.
//!
//! For a query with rows e₁…e_m and pooled vector p_q, and a target with rows f₁…f_n and pooled vector p_t, cᵢⱼ =
//! cos(eᵢ, fⱼ) (0 where a vector is zero) and wᵢⱼ = cᵢⱼ or eᵢ · fⱼ as the rule's weights say:
//!
//! | interaction | score as a mean over the query's tokens |
//! |---|---|
//! | soft | 1/m Σᵢ Σⱼ aᵢⱼ cᵢⱼ with aᵢⱼ = softmax over j of wᵢⱼ / τ |
//! | MaxSim | 1/m Σᵢ maxⱼ cᵢⱼ |
//! | ConTeXT-Match | Σᵢ aᵢ cos(eᵢ, p_t) with aᵢ = softmax over i of w(eᵢ, p_t) / τ |
//! | mean pooling | cos(p_q, p_t) |
//!
//! The score over the target's tokens is the same with query and target exchanged, and `Both` is the mean of the two.

use crate::token_matrix::TokenMatrix;

use super::{Direction, Interaction, Rule, Weights};

/// The score of `target` for `query`, within −1…1 up to rounding.
///
/// It is NaN when the rule is not [valid](Rule::validate) or the two matrices differ in their dimension.
///
/// ```
/// use workindex::{Rule, TokenMatrix, reference};
/// let query = TokenMatrix::new(2, vec![2.0, 0.0])?;
/// let target = TokenMatrix::new(2, vec![3.0, 0.0, 0.0, 1.0])?;
/// // The query's token finds its equal; of the target's two tokens only one does.
/// assert_eq!(reference::score(&Rule::max_sim(), &query, &target), (1.0 + 0.5) / 2.0);
/// # Ok::<(), workindex::Error>(())
/// ```
pub fn score(rule: &Rule, query: &TokenMatrix, target: &TokenMatrix) -> f64 {
    if query.dim() != target.dim() || rule.validate().is_err() {
        return f64::NAN;
    }
    match rule.direction {
        Direction::Query => mean_over_tokens(rule, query, target),
        Direction::Target => mean_over_tokens(rule, target, query),
        Direction::Both => (mean_over_tokens(rule, query, target) + mean_over_tokens(rule, target, query)) / 2.0,
    }
}

/// The score of a concept with several surface forms: the mean of its preferred form's score, which comes first, and
/// its best form's. NaN without any form.
///
/// ```
/// assert_eq!(workindex::reference::concept_score(&[0.25, 0.75, 0.5]), 0.5);
/// assert_eq!(workindex::reference::concept_score(&[0.25]), 0.25);
/// ```
pub fn concept_score(forms: &[f64]) -> f64 {
    let preferred = forms.first().copied().unwrap_or(f64::NAN);
    (preferred + largest(forms.iter().copied())) / 2.0
}

/// The score as a mean over the tokens of `from`.
fn mean_over_tokens(rule: &Rule, from: &TokenMatrix, to: &TokenMatrix) -> f64 {
    match rule.interaction {
        Interaction::Soft => mean(from.rows().map(|e| attend(rule, e, to))),
        Interaction::MaxSim => mean(from.rows().map(|e| largest(to.rows().map(|f| cos(e, f))))),
        Interaction::ContextMatch => attend(rule, to.pooled(), from),
        Interaction::MeanPool => cos(from.pooled(), to.pooled()),
    }
}

/// Σⱼ aⱼ cos(e, fⱼ) over the rows fⱼ of `matrix`, with aⱼ = softmax over j of w(e, fⱼ) / τ.
fn attend(rule: &Rule, e: &[f32], matrix: &TokenMatrix) -> f64 {
    let weight = match rule.weights {
        Weights::Cosine => cos,
        Weights::Raw => dot,
    };
    let a = softmax(matrix.rows().map(|f| weight(e, f) / f64::from(rule.temperature)).collect());
    a.iter().zip(matrix.rows()).map(|(a, f)| a * cos(e, f)).sum()
}

/// exp(zⱼ − max z) / Σ exp(z − max z).
pub(super) fn softmax(mut z: Vec<f64>) -> Vec<f64> {
    let top = largest(z.iter().copied());
    z.iter_mut().for_each(|z| *z = (*z - top).exp());
    let sum: f64 = z.iter().sum();
    z.iter_mut().for_each(|z| *z /= sum);
    z
}

fn cos(a: &[f32], b: &[f32]) -> f64 {
    let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
    if norms == 0.0 { 0.0 } else { dot(a, b) / norms }
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

pub(super) fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_score_by_hand() {
        // cosines 1 and 0, weights e¹⁰ and e⁰ at τ = 0.1.
        let query = TokenMatrix::new(2, vec![5.0, 0.0]).unwrap();
        let target = TokenMatrix::new(2, vec![1.0, 0.0, 0.0, 2.0]).unwrap();
        let forth = 10f64.exp() / (10f64.exp() + 1.0);
        let rule = Rule { direction: Direction::Query, temperature: 0.125, ..Rule::default() };
        let forth_at_eighth = 8f64.exp() / (8f64.exp() + 1.0);
        assert!((score(&rule, &query, &target) - forth_at_eighth).abs() <= 1e-15);
        assert!((score(&Rule::default(), &query, &target) - (forth + 0.5) / 2.0).abs() <= 1e-10);
    }

    #[test]
    fn what_cannot_be_scored_is_nan() {
        let (two, three) = (TokenMatrix::new(2, vec![1.0; 2]).unwrap(), TokenMatrix::new(3, vec![1.0; 3]).unwrap());
        assert!(score(&Rule::default(), &two, &three).is_nan());
        assert!(score(&Rule::soft(0.0), &two, &two).is_nan());
        assert!(concept_score(&[]).is_nan());
    }
}

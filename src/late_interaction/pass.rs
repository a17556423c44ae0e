//! What a rule asks of the data: one or two passes, each over one kind of stored rows.
//!
//! Every rule is the reduction of similarities of some rows of the query with some rows of the target:
//!
//! | rule | target's rows | query's rows | reduced |
//! |---|---|---|---|
//! | soft, MaxSim | tokens | tokens | in the rule's directions |
//! | ConTeXT-Match, query | pooled vector | tokens | soft, over the query's tokens |
//! | ConTeXT-Match, target | tokens | pooled vector | soft, over the target's tokens |
//! | ConTeXT-Match, both | the two above, and the mean of their scores | | |
//! | mean pooling | pooled vector | pooled vector | nothing to reduce |

use super::fold::{FoldSpec, Reduce, SHARED_SOFTMAX_MIN};
use super::{Direction, Interaction, Rule, Weights};

/// Rows of a token matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RowKind {
    /// One per token.
    Tokens,
    /// The pooled vector alone.
    Pooled,
}

impl RowKind {
    /// Both, in the order of their discriminants.
    pub(crate) const ALL: [RowKind; 2] = [RowKind::Tokens, RowKind::Pooled];
}

/// One pass over stored rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pass {
    /// The target's rows.
    pub(crate) target: RowKind,
    /// The query's rows.
    pub(crate) query: RowKind,
    /// What becomes of their similarities at full precision.
    pub(crate) full: FoldSpec,
}

impl Pass {
    /// What becomes of approximate similarities: something that is bounded (see [`bound`](super::bound)).
    pub(crate) fn scan(&self) -> FoldSpec {
        match self.full.reduce {
            Reduce::Softmax { .. } => FoldSpec { reduce: Reduce::Max, ..self.full },
            Reduce::Max | Reduce::SharedSoftmax { .. } => self.full,
        }
    }
}

/// The passes of a rule: one or two. Its score is the mean of theirs.
pub(crate) fn passes(rule: &Rule) -> Vec<Pass> {
    let soft = match rule.weights {
        Weights::Cosine if rule.temperature >= SHARED_SOFTMAX_MIN => {
            Reduce::SharedSoftmax { inverse: 1.0 / rule.temperature }
        }
        weights => Reduce::Softmax { temperature: rule.temperature, raw: weights == Weights::Raw },
    };
    let (over_query, over_target) = (rule.direction != Direction::Target, rule.direction != Direction::Query);
    let pass = |target, query, reduce, over_query, over_target| Pass {
        target,
        query,
        full: FoldSpec { reduce, over_query, over_target },
    };
    use RowKind::{Pooled, Tokens};
    match rule.interaction {
        Interaction::Soft => vec![pass(Tokens, Tokens, soft, over_query, over_target)],
        Interaction::MaxSim => vec![pass(Tokens, Tokens, Reduce::Max, over_query, over_target)],
        Interaction::MeanPool => vec![pass(Pooled, Pooled, Reduce::Max, true, false)],
        // The softmax over the query's tokens is what a mean over the target's one row takes, and the other way round.
        Interaction::ContextMatch => {
            let in_query = over_query.then(|| pass(Pooled, Tokens, soft, false, true));
            let in_target = over_target.then(|| pass(Tokens, Pooled, soft, true, false));
            in_query.into_iter().chain(in_target).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_always_of_something_bounded() {
        for interaction in [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool] {
            for direction in [Direction::Query, Direction::Target, Direction::Both] {
                for weights in [Weights::Cosine, Weights::Raw] {
                    for temperature in [Rule::MIN_TEMPERATURE, SHARED_SOFTMAX_MIN, 0.1, 1e30] {
                        let rule = Rule { interaction, direction, weights, temperature };
                        let passes = passes(&rule);
                        let both = interaction == Interaction::ContextMatch && direction == Direction::Both;
                        assert_eq!(passes.len(), 1 + usize::from(both));
                        for pass in passes {
                            assert!(!matches!(pass.scan().reduce, Reduce::Softmax { .. }));
                            assert!(pass.full.over_query || pass.full.over_target);
                            let pooled = [pass.target, pass.query].contains(&RowKind::Pooled);
                            assert_eq!(
                                pooled,
                                matches!(interaction, Interaction::ContextMatch | Interaction::MeanPool)
                            );
                        }
                    }
                }
            }
        }
    }
}

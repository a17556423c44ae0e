//! The scoring rule that an encoder is for, in the words of its model directory, as a [`Rule`].

use std::path::Path;

#[cfg(feature = "workbench")]
use crate::encoder::Encoder;
use crate::encoder::{DirectionWord, InteractionWord, Profile, RuleChoice, WeightsWord};
use crate::error::{Error, Result};
use crate::late_interaction::{Direction, Rule, Weights};

/// The rule of rankings that ask for none: the encoder's, or else that of the queries' kind. `folder` is what errors name.
pub(super) fn default_rule(profile: &Profile, folder: &Path, query_kind: Option<&str>) -> Result<Rule> {
    let rule = profile.rule().map_or_else(|| Rule::for_queries(query_kind), of);
    match rule.validate() {
        Ok(()) => Ok(rule),
        Err(error) => {
            Err(Error::Encoder { path: folder.join("workindex.json"), problem: format!("rule.temperature: {error}") })
        }
    }
}

/// Refuses a model whose own rule is out of its range.
pub(super) fn check(profile: &Profile, folder: &Path) -> Result<()> {
    default_rule(profile, folder, None).map(|_| ())
}

/// The rule of rankings that ask for none, by an encoder that is in no index yet.
#[cfg(feature = "workbench")]
pub(crate) fn encoder_rule(encoder: &Encoder, query_kind: Option<&str>) -> Result<Rule> {
    let checkpoint = encoder.checkpoint();
    default_rule(checkpoint.profile(), checkpoint.dir(), query_kind)
}

/// What is not said is as the interaction's own default has it.
fn of(choice: RuleChoice) -> Rule {
    let rule = match choice.interaction {
        None => Rule::default(),
        Some(InteractionWord::Soft) => Rule::default(),
        Some(InteractionWord::MaxSim) => Rule::max_sim(),
        Some(InteractionWord::ContextMatch) => Rule::context_match(),
        Some(InteractionWord::MeanPool) => Rule::mean_pool(),
    };
    let direction = choice.direction.map(|direction| match direction {
        DirectionWord::Query => Direction::Query,
        DirectionWord::Target => Direction::Target,
        DirectionWord::Both => Direction::Both,
    });
    let weights = choice.weights.map(|weights| match weights {
        WeightsWord::Cosine => Weights::Cosine,
        WeightsWord::Raw => Weights::Raw,
    });
    Rule {
        interaction: rule.interaction,
        direction: direction.unwrap_or(rule.direction),
        weights: weights.unwrap_or(rule.weights),
        temperature: choice.temperature.unwrap_or(rule.temperature),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_interactions_own() {
        assert_eq!(of(RuleChoice::default()), Rule::default());
        let context = RuleChoice { interaction: Some(InteractionWord::ContextMatch), ..RuleChoice::default() };
        assert_eq!(of(context), Rule::context_match());
        let max_sim = RuleChoice {
            interaction: Some(InteractionWord::MaxSim),
            direction: Some(DirectionWord::Query),
            ..RuleChoice::default()
        };
        assert_eq!(of(max_sim), Rule { direction: Direction::Query, ..Rule::max_sim() });
        let soft = RuleChoice { temperature: Some(0.5), weights: Some(WeightsWord::Raw), ..RuleChoice::default() };
        assert_eq!(of(soft), Rule { weights: Weights::Raw, ..Rule::soft(0.5) });
    }
}

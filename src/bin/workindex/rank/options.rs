//! How to rank: the rule and the number of hits.

use clap::{Args as ClapArgs, ValueEnum};
use workindex::{Direction, Interaction, Rule, Weights};

use crate::console::Console;
use crate::failure::{Failure, Outcome};

/// How many hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    Best(usize),
    All,
}

/// Reads `--top`.
pub fn top(text: &str) -> Result<Top, String> {
    match text {
        "all" => Ok(Top::All),
        _ => match text.parse() {
            Ok(k) if k > 0 => Ok(Top::Best(k)),
            _ => Err("expected a number of hits from 1 on, or `all`".to_string()),
        },
    }
}

/// The scoring rule. What is not given is the rule's own default.
#[derive(Debug, ClapArgs)]
pub struct RuleArgs {
    /// How the similarities of two token matrices become a score.
    #[arg(long, value_enum, default_value_t = RuleName::Soft)]
    rule: RuleName,
    /// Softmax temperature, at least 0.0001. Small: each token looks at its best match only. [default: soft 0.1,
    /// context 1; no part in maxsim and mean]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Over whose tokens the score is a mean: how well the query is explained by the target, how well the target is
    /// covered by the query, or both. [default: both; context: query]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    /// What the softmax weights are computed from. [default: cosine; context: raw]
    #[arg(long, value_enum)]
    weights: Option<WeightsName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RuleName {
    /// Soft late interaction: each token is matched with all tokens of the other side, by a softmax.
    Soft,
    /// Each token is matched with its most similar one (ColBERT).
    Maxsim,
    /// ConTeXT-Match: one side is pooled, the tokens of the other are weighted by it.
    Context,
    /// The cosine of the pooled vectors: the ordinary bi-encoder.
    Mean,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DirectionName {
    Query,
    Target,
    Both,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WeightsName {
    Cosine,
    Raw,
}

impl RuleArgs {
    /// The rule, checked.
    pub fn rule(&self, console: &Console) -> Outcome<Rule> {
        let mut rule = match self.rule {
            RuleName::Soft => Rule::default(),
            RuleName::Maxsim => Rule::max_sim(),
            RuleName::Context => Rule::context_match(),
            RuleName::Mean => Rule::mean_pool(),
        };
        self.note_what_plays_no_part(&rule, console);
        rule.temperature = self.temperature.unwrap_or(rule.temperature);
        if let Some(direction) = self.direction {
            rule.direction = direction.into();
        }
        if let Some(weights) = self.weights {
            rule.weights = weights.into();
        }
        rule.validate().map_err(|error| Failure::Usage(format!("--{error}")))?;
        Ok(rule)
    }

    fn note_what_plays_no_part(&self, rule: &Rule, console: &Console) {
        let softmax = matches!(rule.interaction, Interaction::Soft | Interaction::ContextMatch);
        let directed = rule.interaction != Interaction::MeanPool;
        let unused = [
            ("--temperature", self.temperature.is_some() && !softmax),
            ("--weights", self.weights.is_some() && !softmax),
            ("--direction", self.direction.is_some() && !directed),
        ];
        for (option, _) in unused.iter().filter(|(_, unused)| *unused) {
            console.note(format_args!("note: {option} plays no part in this rule"));
        }
    }
}

impl From<DirectionName> for Direction {
    fn from(name: DirectionName) -> Self {
        match name {
            DirectionName::Query => Direction::Query,
            DirectionName::Target => Direction::Target,
            DirectionName::Both => Direction::Both,
        }
    }
}

impl From<WeightsName> for Weights {
    fn from(name: WeightsName) -> Self {
        match name {
            WeightsName::Cosine => Weights::Cosine,
            WeightsName::Raw => Weights::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_is_a_positive_number_or_all() {
        assert_eq!(top("all"), Ok(Top::All));
        assert_eq!(top("3"), Ok(Top::Best(3)));
        assert!(["0", "-1", "", "ten", "1.5"].iter().all(|text| top(text).is_err()));
    }
}

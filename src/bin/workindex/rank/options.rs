//! How to rank: the rule and the number of hits.

use clap::{Args as ClapArgs, ValueEnum};
use workindex::{Direction, Interaction, Kind, RankOptions, Rule, Weights};

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

/// The scoring rule. What is not given is as the space's encoder has it, or else the rule's own default.
#[derive(Debug, ClapArgs)]
pub struct RuleArgs {
    /// How the similarities of two token matrices become a score. [default: what the model is for; else soft]
    #[arg(long, value_enum)]
    rule: Option<RuleName>,
    /// Softmax temperature, at least 0.0001. Small: each token looks at its best match only. [default: the model's; else
    /// soft 0.1, context 1; no part in maxsim and mean]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Over whose tokens the score is a mean: how well the query is explained by the target, how well the target is
    /// covered by the query, or both. [default: the model's; else both; context: query]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    /// What the softmax weights are computed from. [default: the model's; else cosine; context: raw]
    #[arg(long, value_enum)]
    weights: Option<WeightsName>,
    /// What the texts are: occupation, skill, sentence. Models with a head for each kind of text (JobBERT) embed them by it; where
    /// the model is for no rule of its own, sentences are ranked by how well they cover a target (soft, 0.2, target). [default:
    /// what the model has for queries]
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    query_kind: Option<String>,
}

/// Reads a kind of texts.
pub fn kind_name(text: &str) -> Result<String, String> {
    Kind::new(text).map(|kind| kind.to_string()).map_err(|error| error.to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuleName {
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
pub enum DirectionName {
    Query,
    Target,
    Both,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum WeightsName {
    Cosine,
    Raw,
}

impl RuleArgs {
    /// The options with the rule, checked, and the kind of the queries. `default` is the rule that the space's encoder is for.
    pub fn of(&self, default: Rule, options: RankOptions, console: &Console) -> Outcome<RankOptions> {
        let options = options.rule(self.chosen(default, console)?);
        Ok(match &self.query_kind {
            Some(kind) => options.query_kind(kind),
            None => options,
        })
    }

    /// The rule, checked.
    pub fn chosen(&self, default: Rule, console: &Console) -> Outcome<Rule> {
        let rule = self.rule(default);
        self.note_what_plays_no_part(&rule, console);
        rule.validate().map_err(|error| Failure::Usage(format!("--{error}")))?;
        Ok(rule)
    }

    /// What the queries are, as far as it was said.
    pub fn query_kind(&self) -> Option<&str> {
        self.query_kind.as_deref()
    }

    /// Refuses what no model makes right, before anything is opened.
    pub fn check(&self) -> Outcome {
        let rule = self.rule(Rule::default());
        rule.validate().map_err(|error| Failure::Usage(format!("--{error}")))
    }

    fn rule(&self, default: Rule) -> Rule {
        let mut rule = self.rule.map_or(default, |name| name.instead_of(default));
        rule.temperature = self.temperature.unwrap_or(rule.temperature);
        rule.direction = self.direction.map_or(rule.direction, Direction::from);
        rule.weights = self.weights.map_or(rule.weights, Weights::from);
        rule
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

impl RuleName {
    /// The rule of this name, with its own defaults.
    pub fn rule(self) -> Rule {
        match self {
            RuleName::Soft => Rule::default(),
            RuleName::Maxsim => Rule::max_sim(),
            RuleName::Context => Rule::context_match(),
            RuleName::Mean => Rule::mean_pool(),
        }
    }

    /// The rule of this name for a model with a default rule. Temperature and weights belong to an interaction: another one
    /// than the model's has its own. The direction stays the model's, if it has a rule of its own in which that plays a part.
    fn instead_of(self, default: Rule) -> Rule {
        let named = self.rule();
        if named.interaction == default.interaction {
            return default;
        }
        match default == Rule::default() || default.interaction == Interaction::MeanPool {
            true => named,
            false => Rule { direction: default.direction, ..named },
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

    #[test]
    fn an_override_of_one_part_keeps_the_others() {
        let none = || RuleArgs { rule: None, temperature: None, direction: None, weights: None, query_kind: None };
        let default = Rule { direction: Direction::Query, weights: Weights::Raw, ..Rule::soft(0.02) };
        let named = |rule| RuleArgs { rule: Some(rule), ..none() };
        assert_eq!(none().rule(default), default);
        assert_eq!(RuleArgs { temperature: Some(0.5), ..none() }.rule(default), Rule { temperature: 0.5, ..default });
        let both = RuleArgs { direction: Some(DirectionName::Both), ..none() };
        assert_eq!(both.rule(default), Rule { direction: Direction::Both, ..default });
        assert_eq!(named(RuleName::Soft).rule(default), default);
        assert_eq!(named(RuleName::Maxsim).rule(default), Rule { direction: Direction::Query, ..Rule::max_sim() });
        assert_eq!(named(RuleName::Context).rule(Rule::default()), Rule::context_match());
        assert_eq!(named(RuleName::Context).rule(Rule::mean_pool()), Rule::context_match());
    }
}

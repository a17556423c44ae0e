//! Which systems are judged.

use workindex::workbench::{Baseline, System};
use workindex::{Direction, Forms, Interaction, Rule, Weights};

use super::parse;
use crate::failure::{Failure, Outcome};
use crate::rank::{DirectionName, RuleName, WeightsName};

/// Rules and baselines. Several values of one option multiply with those of the others.
#[derive(Debug, clap::Args)]
pub struct SystemArgs {
    /// A scoring rule; what is not given of it is as published, whatever the model. [default: the one that a ranking would use, which depends
    /// on model and queries]
    #[arg(long = "rule", value_enum, value_delimiter = ',', value_name = "RULE")]
    rules: Vec<RuleName>,
    /// A softmax temperature.
    #[arg(long = "temperature", value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    temperatures: Vec<f32>,
    /// Over whose tokens the score is a mean.
    #[arg(long = "direction", value_enum, value_delimiter = ',', value_name = "DIRECTION")]
    directions: Vec<DirectionName>,
    /// What the softmax weights are computed from.
    #[arg(long = "weights", value_enum, value_delimiter = ',', value_name = "WEIGHTS")]
    weights: Vec<WeightsName>,
    /// Which texts of a target are embedded: its preferred label, or all its labels; a target then scores as the mean of its preferred label's
    /// score and its best label's. [default: preferred]
    #[arg(long = "forms", value_enum, value_delimiter = ',', value_name = "FORMS")]
    forms: Vec<FormsName>,
    /// Judge every rule in every direction; --temperature says at which temperatures of soft late interaction (0.1).
    #[arg(long, conflicts_with_all = ["rules", "directions", "weights"])]
    sweep: bool,
    /// A baseline without a model: bm25, tfidf-word, tfidf-char, edit-distance, random; or all.
    #[arg(long = "baseline", value_name = "B", value_delimiter = ',', value_parser = baselines)]
    baselines: Vec<Baselines>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormsName {
    Preferred,
    All,
}

/// One baseline, or all of them.
#[derive(Debug, Clone)]
struct Baselines(Vec<Baseline>);

fn baselines(text: &str) -> Result<Baselines, String> {
    match text {
        "all" => Ok(Baselines(Baseline::ALL.to_vec())),
        name => Ok(Baselines(vec![parse(name)?])),
    }
}

impl SystemArgs {
    /// What is judged: rules if there is an encoder, then baselines.
    pub fn systems(&self, encoder: bool) -> Outcome<Vec<System>> {
        let mut systems = Vec::new();
        if encoder {
            systems.extend(self.of_encoder()?);
        } else if self.sweep || self.asks_for_rules() || !self.forms.is_empty() {
            return Err(Failure::Usage("rules judge an encoder: give one with --encoder".to_string()));
        }
        let baselines = self.baselines.iter().flat_map(|baselines| &baselines.0);
        systems.extend(baselines.map(|baseline| System::Lexical(*baseline)));
        if systems.is_empty() {
            return Err(Failure::Usage("give an --encoder, or a --baseline, or both".to_string()));
        }
        Ok(systems)
    }

    fn asks_for_rules(&self) -> bool {
        !(self.rules.is_empty()
            && self.temperatures.is_empty()
            && self.directions.is_empty()
            && self.weights.is_empty())
    }

    fn of_encoder(&self) -> Outcome<Vec<System>> {
        let rules: Vec<Option<Rule>> = match (self.sweep, self.asks_for_rules()) {
            (true, _) => {
                let temperatures = if self.temperatures.is_empty() { &[0.1][..] } else { &self.temperatures };
                System::sweep(temperatures).into_iter().filter_map(|system| rule_of(&system)).map(Some).collect()
            }
            (false, true) => self.rules().into_iter().map(Some).collect(),
            (false, false) => vec![None],
        };
        for rule in rules.iter().flatten() {
            rule.validate().map_err(|error| Failure::Usage(format!("--{error}")))?;
        }
        let forms = if self.forms.is_empty() { vec![FormsName::Preferred] } else { self.forms.clone() };
        let of_forms = |forms: &FormsName| match forms {
            FormsName::Preferred => Forms::Preferred,
            FormsName::All => Forms::All,
        };
        let systems = forms
            .iter()
            .flat_map(|forms| rules.iter().map(move |&rule| System::LateInteraction { rule, forms: of_forms(forms) }));
        Ok(systems.collect())
    }

    /// Every combination of what was given, with what plays no part left out.
    fn rules(&self) -> Vec<Rule> {
        let names = if self.rules.is_empty() { vec![RuleName::Soft] } else { self.rules.clone() };
        let mut rules: Vec<Rule> = Vec::new();
        for base in names.into_iter().map(RuleName::rule) {
            let softmax = matches!(base.interaction, Interaction::Soft | Interaction::ContextMatch);
            let directed = base.interaction != Interaction::MeanPool;
            for temperature in of(softmax, &self.temperatures, base.temperature) {
                for direction in of(
                    directed,
                    &self.directions.iter().map(|d| (*d).into()).collect::<Vec<Direction>>(),
                    base.direction,
                ) {
                    for weights in
                        of(softmax, &self.weights.iter().map(|w| (*w).into()).collect::<Vec<Weights>>(), base.weights)
                    {
                        rules.push(Rule { interaction: base.interaction, direction, weights, temperature });
                    }
                }
            }
        }
        rules
    }
}

/// The values that were given for what plays a part; else the rule's own.
fn of<T: Copy>(plays_a_part: bool, given: &[T], own: T) -> Vec<T> {
    if plays_a_part && !given.is_empty() { given.to_vec() } else { vec![own] }
}

fn rule_of(system: &System) -> Option<Rule> {
    match system {
        System::LateInteraction { rule, .. } => *rule,
        System::Lexical(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> SystemArgs {
        SystemArgs {
            rules: vec![],
            temperatures: vec![],
            directions: vec![],
            weights: vec![],
            forms: vec![],
            sweep: false,
            baselines: vec![],
        }
    }

    fn names(args: &SystemArgs, encoder: bool) -> Vec<String> {
        args.systems(encoder).unwrap().iter().map(System::to_string).collect()
    }

    #[test]
    fn what_is_given_multiplies() {
        let args = SystemArgs {
            rules: vec![RuleName::Soft, RuleName::Mean],
            temperatures: vec![0.1, 0.05],
            directions: vec![DirectionName::Both, DirectionName::Target],
            ..none()
        };
        let expected = ["soft-0.1-both", "soft-0.1-target", "soft-0.05-both", "soft-0.05-target", "mean"];
        assert_eq!(names(&args, true), expected);
        let args = SystemArgs {
            forms: vec![FormsName::Preferred, FormsName::All],
            baselines: vec![baselines("bm25").unwrap()],
            ..none()
        };
        assert_eq!(names(&args, true), ["default", "default+labels", "bm25"]);
        assert_eq!(names(&SystemArgs { baselines: vec![baselines("all").unwrap()], ..none() }, false).len(), 5);
        assert_eq!(names(&SystemArgs { sweep: true, ..none() }, true).len(), 8);
    }

    #[test]
    fn rules_need_an_encoder_and_their_range() {
        assert!(none().systems(false).is_err());
        assert!(SystemArgs { sweep: true, ..none() }.systems(false).is_err());
        assert!(SystemArgs { temperatures: vec![0.0], ..none() }.systems(true).is_err());
    }
}

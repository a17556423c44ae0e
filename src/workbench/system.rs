//! What is judged: an encoder's token embeddings under a scoring rule, or a lexical baseline.

use std::fmt;

use super::lexical::Baseline;
use crate::late_interaction::{Direction, Interaction, Rule, Weights};
use crate::ontology::Forms;

/// A way to score targets. Its name, as printed, is its id in results: `soft-0.1-both`, `maxsim-query`, `default+labels`, `bm25`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum System {
    /// Late interaction over the embeddings of the encoder that is judged.
    LateInteraction {
        /// The rule; without, the one of a ranking that asks for none, which depends on model and queries.
        rule: Option<Rule>,
        /// Which texts of a target are embedded.
        forms: Forms,
    },
    /// Without the encoder.
    Lexical(Baseline),
}

impl System {
    /// Every interaction in every direction that it has, at one temperature of the softmax on cosines, with preferred labels alone.
    pub fn sweep(temperatures: &[f32]) -> Vec<System> {
        let directions = [Direction::Query, Direction::Target, Direction::Both];
        let mut rules = vec![Rule::mean_pool(), Rule::context_match()];
        rules.extend(directions.map(|direction| Rule { direction, ..Rule::max_sim() }));
        for &temperature in temperatures {
            rules.extend(directions.map(|direction| Rule { direction, ..Rule::soft(temperature) }));
        }
        rules.into_iter().map(|rule| System::LateInteraction { rule: Some(rule), forms: Forms::Preferred }).collect()
    }

    /// Whether it judges the encoder.
    pub fn needs_encoder(&self) -> bool {
        matches!(self, System::LateInteraction { .. })
    }

    /// The texts of a target that it sees.
    pub(super) fn forms(&self) -> Forms {
        match self {
            System::LateInteraction { forms, .. } => *forms,
            System::Lexical(_) => Forms::Preferred,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            System::Lexical(baseline) => f.write_str(baseline.as_str()),
            System::LateInteraction { rule, forms } => {
                match rule {
                    None => f.write_str("default")?,
                    Some(rule) => f.write_str(&short_name(rule))?,
                }
                f.write_str(if *forms == Forms::All { "+labels" } else { "" })
            }
        }
    }
}

/// The parts of a rule that play a part in it.
fn short_name(rule: &Rule) -> String {
    let direction = match rule.direction {
        Direction::Query => "query",
        Direction::Target => "target",
        Direction::Both => "both",
    };
    let (temperature, weights) = (rule.temperature, if rule.weights == Weights::Raw { "-raw" } else { "" });
    match rule.interaction {
        Interaction::Soft => format!("soft-{temperature}-{direction}{weights}"),
        Interaction::MaxSim => format!("maxsim-{direction}"),
        Interaction::ContextMatch => format!("context-{temperature}-{direction}{weights}"),
        Interaction::MeanPool => "mean".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_plays_a_part() {
        let names: Vec<String> = System::sweep(&[0.1, 0.05]).iter().map(System::to_string).collect();
        let expected = "mean context-1-query-raw maxsim-query maxsim-target maxsim-both soft-0.1-query soft-0.1-target soft-0.1-both \
                        soft-0.05-query soft-0.05-target soft-0.05-both";
        assert_eq!(names.join(" "), expected);
        assert_eq!(System::LateInteraction { rule: None, forms: Forms::All }.to_string(), "default+labels");
        assert_eq!(System::Lexical(Baseline::Bm25).to_string(), "bm25");
    }
}

//! How a model is trained, and what of it makes sense.

use super::objective::{MIN_TEMPERATURE, Objective};
use super::optimizer::{AdamW, Schedule};
use super::sampler::{Graph, Sampler};
use super::shape::ModelShape;
use crate::error::{Error, Result};
use crate::late_interaction::{Interaction, Weights};

/// What a graph counts in the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphTerm {
    /// The graph.
    pub graph: Graph,
    /// α: what its loss is multiplied with.
    pub weight: f32,
    /// τ of its loss.
    pub temperature: f32,
}

/// How a model is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// How batches are drawn.
    pub sampler: Sampler,
    /// What is minimised.
    pub objective: Objective,
    /// The graphs, and what each counts; graphs of the sampler that have no term are left out of the loss.
    pub terms: Vec<GraphTerm>,
    /// The learning rate of each step.
    pub schedule: Schedule,
    /// The optimiser.
    pub optimizer: AdamW,
    /// The largest norm of a gradient.
    pub clip: f64,
    /// The model that is trained.
    pub shape: ModelShape,
    /// What the distance of token rows from the base's counts, 1 − cosine in the mean over rows: the base teaches. 0 for nothing.
    pub distillation: f32,
    /// Tokens of a text, special ones included.
    pub max_tokens: usize,
    /// Bytes that may be kept between forward and backward; beyond, forward is repeated.
    pub memory: u64,
}

impl TrainingOptions {
    /// The paper's terms, and one for job–alias.
    pub const TERMS: [GraphTerm; 4] = [
        GraphTerm { graph: Graph::SkillJob, weight: 1.0, temperature: 0.05 },
        GraphTerm { graph: Graph::SkillSentence, weight: 0.5, temperature: 0.02 },
        GraphTerm { graph: Graph::SkillAlias, weight: 0.5, temperature: 0.02 },
        GraphTerm { graph: Graph::JobAlias, weight: 0.5, temperature: 0.02 },
    ];

    /// Whether everything is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for what is not.
    pub fn validate(&self) -> Result<()> {
        let rule = self.objective.rule;
        rule.validate()?;
        let (soft, sampler) = (rule.interaction == Interaction::Soft, &self.sampler);
        require("rule", rule.interaction != Interaction::ContextMatch, "soft, maxsim or mean", &"context")?;
        require("weights", !soft || rule.weights == Weights::Cosine, "cosine", &"raw")?;
        let temperature = rule.temperature;
        require("temperature", !soft || temperature >= MIN_TEMPERATURE, "at least 0.025 in training", &temperature)?;
        require("skills", sampler.skills > 0, "at least 1", &sampler.skills)?;
        require("partners", sampler.partners > 0, "at least 1", &sampler.partners)?;
        for (option, share) in [
            ("from_edges", sampler.from_edges),
            ("from_sentences", sampler.from_sentences),
            ("annotated", sampler.annotated),
            ("padded", sampler.padded),
            ("renamed", sampler.renamed),
        ] {
            require(option, (0.0..=1.0).contains(&share), "from 0 to 1", &share)?;
        }
        // More by rounding is not more.
        let drawn = sampler.from_edges + sampler.from_sentences;
        require("from_edges and from_sentences together", drawn < 1.0 + 1e-9, "at most 1", &drawn)?;
        let positive = |number: f64| number > 0.0 && number.is_finite();
        let not_negative = |number: f64| number >= 0.0 && number.is_finite();
        require("learning_rate", positive(self.schedule.peak), "above 0", &self.schedule.peak)?;
        require("weight_decay", not_negative(self.optimizer.weight_decay), "at least 0", &self.optimizer.weight_decay)?;
        require("clip", self.clip > 0.0, "above 0", &self.clip)?;
        require("distillation", not_negative(self.distillation.into()), "at least 0", &self.distillation)?;
        require("max_tokens", self.max_tokens > 2, "more than 2", &self.max_tokens)?;
        require("graphs", !self.terms.is_empty(), "at least one", &"none")?;
        for GraphTerm { temperature, weight, .. } in &self.terms {
            let in_range = positive((*temperature).into()) && not_negative((*weight).into());
            let got = format!("{temperature} and {weight}");
            require("graph", in_range, "a temperature above 0, and a weight of at least 0", &got)?;
        }
        Ok(())
    }
}

/// An option that has to be in its range.
pub(super) fn require(option: &'static str, in_range: bool, expected: &str, got: &dyn std::fmt::Display) -> Result<()> {
    if in_range {
        return Ok(());
    }
    Err(Error::InvalidOption { option, expected: expected.to_string(), got: got.to_string() })
}

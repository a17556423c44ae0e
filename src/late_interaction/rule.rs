//! Scoring rules: what late interaction computes, and in which direction.

use serde::Serialize;

use crate::error::{Error, Result};

/// How the similarities of two token matrices become a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interaction {
    /// Soft late interaction (UWE, arXiv 2511.07969): each token of one side is matched with all tokens of the other,
    /// weighted by a softmax at the rule's temperature.
    Soft,
    /// MaxSim (ColBERT): each token is matched with its most similar one. The limit of [`Soft`](Self::Soft) at τ → 0.
    MaxSim,
    /// ConTeXT-Match (arXiv 2505.24640): one side is pooled; the tokens of the other are weighted by a softmax of
    /// their dot products with the pooled vector.
    ContextMatch,
    /// The cosine of the two pooled vectors: the ordinary bi-encoder. Direction, weights and temperature play no part.
    MeanPool,
}

/// Over whose tokens the score is a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The query's: how well is the query explained by the target? (UWE, ColBERT)
    Query,
    /// The target's: how well is the target covered by the query? The right question for a sentence against a label.
    Target,
    /// The mean of the two.
    Both,
}

/// What the softmax weights are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Cosines.
    Cosine,
    /// Dot products of the raw embeddings.
    Raw,
}

/// A scoring rule. Scores are means over tokens, so that they lie in −1…1 whatever the lengths.
///
/// The default is soft late interaction at τ = 0.1 on cosines, in both directions: the rule that ranks best with an
/// untrained encoder over all WorkBench tasks together.
///
/// ```
/// use workindex::{Direction, Rule};
/// let rule = Rule { direction: Direction::Target, ..Rule::soft(0.1) };
/// assert!(rule.validate().is_ok());
/// assert!(Rule::soft(0.0).validate().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rule {
    /// How similarities become a score.
    pub interaction: Interaction,
    /// Over whose tokens the score is a mean.
    pub direction: Direction,
    /// What the softmax weights are computed from. No part in MaxSim and mean pooling.
    pub weights: Weights,
    /// Softmax temperature τ, finite and at least [`Rule::MIN_TEMPERATURE`]. No part in MaxSim and mean pooling.
    pub temperature: f32,
}

impl Default for Rule {
    fn default() -> Self {
        Self::soft(0.1)
    }
}

impl Rule {
    /// The smallest temperature. Below it a softmax of cosines is MaxSim to within f32.
    pub const MIN_TEMPERATURE: f32 = 1e-4;

    /// The rule for queries of a kind, where nothing is known of the encoder: sentences (`sentence`) are asked how well they cover
    /// the target, at τ = 0.2; all others get the default.
    ///
    /// Measured with all-MiniLM-L6-v2 on the whole validation sets of WorkBench and beyond (`workindex eval --sweep`; the README has the
    /// table): of twenty rules the default has the highest macro average, and no other is better on all sets of a pair of kinds that has several.
    /// For sentences against skills this one is better by 0.7 MAP in the mean of three sets [−0.4, 1.8]: by 3.2 and 1.2 on two of them, and
    /// worse by 2.4 on the third; by 1.1 [−0.5, 2.7] where alternative labels are embedded.
    ///
    /// ```
    /// use workindex::{Direction, Rule};
    /// assert_eq!(Rule::for_queries(Some("sentence")).direction, Direction::Target);
    /// assert_eq!(Rule::for_queries(Some("occupation")), Rule::default());
    /// ```
    pub fn for_queries(kind: Option<&str>) -> Self {
        match kind {
            Some("sentence") => Self { direction: Direction::Target, ..Self::soft(0.2) },
            _ => Self::default(),
        }
    }

    /// Soft late interaction at temperature τ, on cosines, in both directions.
    pub fn soft(temperature: f32) -> Self {
        Self { interaction: Interaction::Soft, direction: Direction::Both, weights: Weights::Cosine, temperature }
    }

    /// MaxSim in both directions.
    pub fn max_sim() -> Self {
        Self { interaction: Interaction::MaxSim, ..Self::soft(0.1) }
    }

    /// ConTeXT-Match as published: weights over the query's tokens from raw dot products at temperature 1.
    pub fn context_match() -> Self {
        Self {
            interaction: Interaction::ContextMatch,
            direction: Direction::Query,
            weights: Weights::Raw,
            temperature: 1.0,
        }
    }

    /// The cosine of the pooled vectors.
    pub fn mean_pool() -> Self {
        Self { interaction: Interaction::MeanPool, ..Self::soft(0.1) }
    }

    /// Whether the temperature is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when it is not.
    pub fn validate(&self) -> Result<()> {
        if self.temperature.is_finite() && self.temperature >= Self::MIN_TEMPERATURE {
            return Ok(());
        }
        Err(Error::InvalidOption {
            option: "temperature",
            expected: format!("a finite number of at least {}", Self::MIN_TEMPERATURE),
            got: self.temperature.to_string(),
        })
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = match self.direction {
            Direction::Query => "query → target",
            Direction::Target => "target → query",
            Direction::Both => "both directions",
        };
        let weights = match self.weights {
            Weights::Cosine => "cosine weights",
            Weights::Raw => "raw weights",
        };
        let temperature = self.temperature;
        match self.interaction {
            Interaction::Soft => write!(f, "soft late interaction, τ {temperature}, {weights}, {direction}"),
            Interaction::MaxSim => write!(f, "MaxSim, {direction}"),
            Interaction::ContextMatch => write!(f, "ConTeXT-Match, τ {temperature}, {weights}, {direction}"),
            Interaction::MeanPool => f.write_str("mean pooling"),
        }
    }
}

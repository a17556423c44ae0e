//! The configuration of a training run, as TOML.

use serde::{Deserialize, Serialize};

use super::objective::{Contrast, Objective};
use super::optimizer::{AdamW, Schedule};
use super::options::{GraphTerm, TrainingOptions, require};
use super::sampler::{Graph, Sampler};
use super::shape::ModelShape;
use crate::error::{Error, Result};
use crate::late_interaction::{Direction, Rule};
use crate::workbench::held_out::Holdout;

/// A training run. Every field has a default; unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// What is learned from.
    pub data: DataConfig,
    /// How batches are drawn.
    pub batch: BatchConfig,
    /// What is trained: the base, or a smaller model made of it.
    pub model: ModelShape,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// What each graph counts, by its name; a graph that is not there is not trained on.
    pub graphs: Vec<GraphConfig>,
    /// How.
    pub optimizer: OptimizerConfig,
    /// What it is judged by on the way, and chosen by.
    pub validation: ValidationConfig,
}

/// What is learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The release of ESCO; `newest`, or empty for none.
    pub esco: String,
    /// The release of O*NET; `newest`, or empty for none.
    pub onet: String,
    /// Annotated sentences below `workbench` (`sentence`, `skills`), or empty for none.
    pub sentences: String,
    /// What is held out.
    pub held_out: Holdout,
}

/// How batches are drawn; as [`Sampler`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of `Sampler`")]
pub struct BatchConfig {
    pub seed: u32,
    pub skills: usize,
    pub partners: usize,
    pub sentences: usize,
    pub from_edges: f64,
    pub from_sentences: f64,
    pub annotated: f64,
    pub padded: f64,
    pub renamed: f64,
    /// Tokens of a text, special ones included.
    pub max_tokens: usize,
    /// Megabytes that may be kept between forward and backward.
    pub memory_mb: u64,
}

/// What is minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// `soft`, `max_sim` or `mean_pool`.
    pub rule: String,
    /// τ of soft late interaction.
    pub temperature: f32,
    /// `query`, `target` or `both`.
    pub direction: String,
    /// Whether all edges of a batch are positives.
    pub many_to_many: bool,
    /// Whether both sides are contrasted.
    pub symmetric: bool,
    /// What the distance of token rows from the base's counts; 0 for nothing.
    pub distillation: f32,
}

/// What a graph counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphConfig {
    /// `skill-job`, `skill-sentence`, `skill-alias` or `job-alias`.
    pub name: String,
    /// α.
    pub weight: f32,
    /// τ of the loss.
    pub temperature: f32,
}

/// How it is minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Steps.
    pub steps: u64,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// The share of steps in which it rises.
    pub warm_up: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The largest norm of a gradient.
    pub clip: f64,
}

/// What a model is judged by on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationConfig {
    /// Every so many steps; 0 for never.
    pub every: u64,
    /// Sets, as `workindex eval --task` takes them; the mean over tasks of their MAP decides.
    pub sets: Vec<String>,
    /// One query in so many.
    pub one_in: usize,
    /// Ends the run when the value has not risen for so many validations; 0 for never.
    pub patience: usize,
    /// How far to go from the base to what was trained: each is judged at the end, and the best is kept.
    pub interpolation: Vec<f32>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        let graph = |term: GraphTerm| GraphConfig {
            name: term.graph.as_str().to_string(),
            weight: term.weight,
            temperature: term.temperature,
        };
        Self {
            data: DataConfig::default(),
            batch: BatchConfig::default(),
            model: ModelShape::default(),
            objective: ObjectiveConfig::default(),
            graphs: TrainingOptions::TERMS.map(graph).to_vec(),
            optimizer: OptimizerConfig::default(),
            validation: ValidationConfig::default(),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        let (esco, onet) = ("newest".to_string(), String::new());
        let sentences = "skill_extraction/skillskape_train.csv".to_string();
        Self { esco, onet, sentences, held_out: Holdout::Hash }
    }
}

impl Default for BatchConfig {
    fn default() -> Self {
        let Sampler {
            seed, skills, partners, sentences, from_edges, from_sentences, annotated, padded, renamed, ..
        } = Sampler::default();
        Self {
            seed,
            skills,
            partners,
            sentences,
            from_edges,
            from_sentences,
            annotated,
            padded,
            renamed,
            max_tokens: 48,
            memory_mb: 2000,
        }
    }
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        let (rule, direction) = ("soft".to_string(), "both".to_string());
        Self { rule, temperature: 0.1, direction, many_to_many: true, symmetric: true, distillation: 0.0 }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { steps: 600, learning_rate: 1.5e-4, warm_up: 0.1, weight_decay: 0.01, clip: 1.0 }
    }
}

impl Default for ValidationConfig {
    fn default() -> Self {
        let sets = ["job-normalisation", "skill-extraction/house", "skill-extraction/tech", "title-similarity"];
        Self {
            every: 100,
            sets: sets.map(str::to_string).to_vec(),
            one_in: 1,
            patience: 0,
            interpolation: vec![0.5, 0.6, 0.7, 0.8, 1.0],
        }
    }
}

impl TrainingConfig {
    /// Reads TOML. `name` stands for it in errors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the place for what is no configuration, or is out of its range.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| Error::InvalidOption {
            option: "configuration",
            expected: "TOML with the fields of a training run".to_string(),
            got: format!("in {name}: {error}"),
        })?;
        config.options()?.validate()?;
        let warm_up = config.optimizer.warm_up;
        require("warm_up", (0.0..=1.0).contains(&warm_up), "from 0 to 1", &warm_up)?;
        for share in &config.validation.interpolation {
            require("interpolation", share.is_finite() && *share >= 0.0, "numbers from 0", share)?;
        }
        Ok(config)
    }

    /// The same as TOML, with every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The options of the trainer.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a word that is none of those that a field takes.
    pub fn options(&self) -> Result<TrainingOptions> {
        let terms = self.graphs.iter().map(GraphConfig::term).collect::<Result<Vec<_>>>()?;
        let batch = &self.batch;
        let sampler = Sampler {
            seed: batch.seed,
            skills: batch.skills,
            partners: batch.partners,
            sentences: batch.sentences,
            from_edges: batch.from_edges,
            from_sentences: batch.from_sentences,
            annotated: batch.annotated,
            padded: batch.padded,
            renamed: batch.renamed,
            graphs: terms.iter().map(|term| term.graph).collect(),
        };
        let OptimizerConfig { steps, learning_rate, warm_up, weight_decay, clip } = self.optimizer;
        let warm_up = (steps as f64 * warm_up) as u64;
        Ok(TrainingOptions {
            sampler,
            objective: self.objective.objective()?,
            terms,
            schedule: Schedule { peak: learning_rate, warm_up, steps },
            optimizer: AdamW { weight_decay, ..AdamW::default() },
            clip,
            shape: self.model.clone(),
            distillation: self.objective.distillation,
            max_tokens: batch.max_tokens,
            memory: batch.memory_mb.saturating_mul(1_000_000),
        })
    }
}

impl GraphConfig {
    fn term(&self) -> Result<GraphTerm> {
        let named = Graph::ALL.into_iter().find(|graph| graph.as_str() == self.name);
        let graph = named.ok_or_else(|| unknown("graph", &Graph::ALL.map(Graph::as_str).join(", "), &self.name))?;
        Ok(GraphTerm { graph, weight: self.weight, temperature: self.temperature })
    }
}

impl ObjectiveConfig {
    fn objective(&self) -> Result<Objective> {
        let rule = match self.rule.as_str() {
            "soft" => Rule::soft(self.temperature),
            "max_sim" => Rule::max_sim(),
            "mean_pool" => Rule::mean_pool(),
            other => return Err(unknown("rule", "soft, max_sim or mean_pool", other)),
        };
        let direction = match self.direction.as_str() {
            "query" => Direction::Query,
            "target" => Direction::Target,
            "both" => Direction::Both,
            other => return Err(unknown("direction", "query, target or both", other)),
        };
        let contrast = Contrast { many_to_many: self.many_to_many, symmetric: self.symmetric };
        Ok(Objective { rule: Rule { direction, ..rule }, contrast })
    }
}

fn unknown(option: &'static str, expected: &str, got: &str) -> Error {
    Error::InvalidOption { option, expected: expected.to_string(), got: got.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_printing_and_says_what_is_wrong() {
        let config = TrainingConfig::default();
        assert_eq!(TrainingConfig::parse(&config.to_toml(), "x").unwrap(), config);
        assert_eq!(TrainingConfig::parse("", "x").unwrap(), config);
        let some = TrainingConfig::parse("[optimizer]\nsteps = 7\n[data]\nheld_out = \"isco_group\"", "x").unwrap();
        assert_eq!((some.optimizer.steps, some.data.held_out), (7, Holdout::IscoGroup));
        for (text, words) in [
            ("[optimiser]\nsteps = 1", "optimiser"),
            ("[objective]\nrule = \"hard\"", "max_sim"),
            ("[objective]\ntemperature = 0.001", "0.025"),
            ("[[graphs]]\nname = \"a\"\nweight = 1.0\ntemperature = 1.0", "skill-job"),
            ("[[graphs]]\nname = \"skill-job\"\nweight = 1.0\ntemperature = 0.0", "temperature above 0"),
            ("steps =", "in x:"),
            ("[batch]\npadded = nan", "padded: expected"),
            ("[batch]\nfrom_edges = 0.7\nfrom_sentences = 0.4", "together"),
            ("[optimizer]\nweight_decay = -0.1", "weight_decay: expected"),
            ("[optimizer]\nwarm_up = 1.5", "from 0 to 1"),
            ("[validation]\ninterpolation = [0.5, inf]", "interpolation: expected"),
        ] {
            let error = TrainingConfig::parse(text, "x").unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

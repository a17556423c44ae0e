//! What a model directory says beyond the transformer: modules, sides, and how the model is meant to be used. Read without
//! weights and without hashing anything.

use std::path::Path;

use super::modules::Modules;
use super::settings::Precision;
use super::sides::{
    DirectionWord, InteractionWord, LateConfig, RuleChoice, SentenceConfig, SideKey, SideSpec, Sidecar, Sides, choose,
};
use crate::error::Result;

/// Modules, sides and defaults of a model directory.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    modules: Modules,
    late: LateConfig,
    sidecar: Sidecar,
    sides: Sides,
}

impl Profile {
    /// Reads modules.json and what it names, config_sentence_transformers.json and workindex.json.
    ///
    /// # Errors
    /// [`Error::Encoder`](crate::Error::Encoder) for what is damaged, contradictory or not supported.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let (modules, config, sidecar) = (Modules::read(dir)?, SentenceConfig::read(dir)?, Sidecar::read(dir)?);
        let sides = choose(&modules, &config, &sidecar)?;
        Ok(Self { modules, late: config.late, sidecar, sides })
    }

    pub(crate) fn modules(&self) -> &Modules {
        &self.modules
    }

    pub(crate) fn sides(&self) -> &Sides {
        &self.sides
    }

    /// How a PyLate model marks its texts.
    pub(crate) fn late(&self) -> &LateConfig {
        &self.late
    }

    /// What the addresses of the embeddings of concepts of a kind contain besides the text; none where the encoder has one
    /// side.
    pub(crate) fn target_key(&self, kind: &str) -> Option<SideKey> {
        self.sides.target_key(kind)
    }

    /// Whether texts go through the transformer and the pooling as they are, on one side.
    pub(crate) fn is_plain(&self) -> bool {
        let plain = !self.modules.is_late() && !self.modules.has_pooled_head();
        plain && self.sides.specs() == [SideSpec::default()]
    }

    /// The most tokens that the checkpoint wants to be given, if it says so.
    pub(crate) fn max_seq_length(&self) -> Option<usize> {
        if self.modules.is_late() { Some(self.late.longest()) } else { self.modules.max_seq_length }
    }

    /// Tokens per text where no settings are given.
    pub(crate) fn default_max_tokens(&self) -> Option<usize> {
        self.sidecar.max_tokens.or(self.modules.is_late().then(|| self.late.longest()))
    }

    /// Whether special tokens are rows where no settings are given.
    pub(crate) fn default_special_tokens(&self) -> Option<bool> {
        self.sidecar.special_tokens.or(self.modules.is_late().then_some(true))
    }

    /// How linear layers are computed where no settings are given.
    pub(crate) fn default_precision(&self) -> Option<Precision> {
        self.sidecar.precision
    }

    /// The scoring rule that the model is for, if that can be told: the sidecar's; MaxSim over the query's tokens of a PyLate
    /// model; the cosine of the pooled vectors of a model with a pooled head.
    pub(crate) fn rule(&self) -> Option<RuleChoice> {
        let recognised = if self.modules.is_late() {
            Some((InteractionWord::MaxSim, Some(DirectionWord::Query)))
        } else {
            self.modules.has_pooled_head().then_some((InteractionWord::MeanPool, None))
        };
        let recognised = recognised.map(|(interaction, direction)| RuleChoice {
            interaction: Some(interaction),
            direction,
            ..RuleChoice::default()
        });
        match (self.sidecar.rule, recognised) {
            (Some(said), Some(recognised)) if said.interaction.is_none() => Some(RuleChoice {
                interaction: recognised.interaction,
                direction: said.direction.or(recognised.direction),
                ..said
            }),
            (said, recognised) => said.or(recognised),
        }
    }
}

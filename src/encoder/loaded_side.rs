//! A side with all that it needs in memory.

use super::checkpoint::Checkpoint;
use super::head::PooledHead;
use super::modules::PoolingConfig;
use super::sides::{Frame, SideSpec};
use super::tokenizer::{TextTokenizer, Tokenized};
use crate::error::Result;

/// What one side of an encoder does to texts.
pub(super) struct LoadedSide {
    pub(super) frame: Frame,
    /// What the pooled vector goes through; none where token rows are the output.
    pub(super) head: Option<PooledHead>,
    pooling: PoolingConfig,
}

impl LoadedSide {
    /// All sides of a checkpoint, in their order.
    ///
    /// # Errors
    /// What [`Frame::of`] and [`PooledHead::load`] give.
    pub(super) fn load_all(checkpoint: &Checkpoint, tokenizer: &TextTokenizer, max_tokens: usize) -> Result<Vec<Self>> {
        let (profile, transformer) = (checkpoint.profile(), checkpoint.transformer_path());
        let load = |spec: &SideSpec| {
            let frame = Frame::of(spec, profile.late(), tokenizer, &transformer, max_tokens)?;
            let head = profile.modules().heads.iter().find(|head| head.route == spec.route);
            let head = head.map(|head| PooledHead::load(checkpoint.dir(), head)).transpose()?;
            Ok(Self { frame, head, pooling: profile.modules().pooling() })
        };
        profile.sides().specs().iter().map(load).collect()
    }

    /// Which tokens are no rows, whatever the settings.
    pub(super) fn skipped(&self, ids: &[u32]) -> Vec<bool> {
        ids.iter().map(|id| self.frame.skiplist.binary_search(id).is_ok()).collect()
    }

    /// The pooled vector of a text, of its rows of `dim` values: over the tokens that may be attended to, without those of the
    /// prompt where the checkpoint says so.
    pub(super) fn pooled(&self, text: &Tokenized, dim: usize, rows: &[f32]) -> Vec<f32> {
        let attended = rows.get(..text.attended.saturating_mul(dim)).unwrap_or(rows);
        let prompt = if self.pooling.include_prompt { 0 } else { self.frame.prompt_tokens };
        self.pooling.mode.of(dim, attended, prompt)
    }
}

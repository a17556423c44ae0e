//! ModernBERT: normalised before each part, rotary positions, attention to near tokens only in most layers, a gated
//! feed-forward part.

use std::sync::Arc;

use super::{LayerParts, LinearSources, Loader, Norms, Parts, Pieces, Rotary};
use crate::encoder::config::{FINAL_NORM, ModernBertConfig};
use crate::error::Result;

/// The rotations of layers that attend to all tokens, and of the others.
struct Rotations {
    global: Arc<Rotary>,
    local: Arc<Rotary>,
}

impl Loader<'_> {
    pub(super) fn modern_bert(&self, modern: &ModernBertConfig) -> Result<Parts> {
        let (config, names) = (self.config, self.config.embedding_names());
        let words = self.tensor(&names.words, &[config.vocab_size, config.hidden_size])?;
        let rotary = |theta| Arc::new(Rotary::new(self.max_tokens, self.heads().width, theta));
        let rotations = Rotations { global: rotary(modern.global_rope_theta), local: rotary(modern.local_rope_theta) };
        let layers = (0..config.num_hidden_layers).map(|layer| self.modern_layer(modern, layer, &rotations));
        Ok(Parts {
            words,
            places: Vec::new(),
            norm: self.norm(&names.norm, modern.norm_bias)?,
            position_bias: None,
            layers: layers.collect::<Result<_>>()?,
            final_norm: Some(self.norm(FINAL_NORM, modern.norm_bias)?),
        })
    }

    fn modern_layer(&self, modern: &ModernBertConfig, layer: usize, rotations: &Rotations) -> Result<LayerParts> {
        let names = self.config.modern_layer_names(layer);
        let (d, wide) = (Pieces::whole(self.config.hidden_size), Pieces::whole(self.config.intermediate_size));
        let heads = self.heads();
        let query_key_value = Pieces { count: 3 * heads.count, ..heads };
        // The first half of the widening matrix's rows are the values, the second half the gates.
        let widen = |first| {
            let names = [&names.widen];
            self.linear_from(&names, modern.mlp_bias, (d, wide), (2 * wide.width, first))
        };
        let linears = LinearSources {
            project: self.linear(&[&names.query_key_value], modern.attention_bias, (d, query_key_value))?,
            output: self.linear(&[&names.attention_output], modern.attention_bias, (heads, d))?,
            widen: widen(0)?,
            gate: Some(widen(wide.width)?),
            narrow: self.linear(&[&names.narrow], modern.mlp_bias, (wide, d))?,
        };
        let attention = names.attention_norm.map(|name| self.norm(&name, modern.norm_bias)).transpose()?;
        let norms = Norms::Before { attention, feed_forward: self.norm(&names.output_norm, modern.norm_bias)? };
        let reach = modern.reach(layer);
        let rotary = if reach.is_none() { &rotations.global } else { &rotations.local };
        Ok(LayerParts { linears, rotary: Some(Arc::clone(rotary)), reach, norms })
    }
}

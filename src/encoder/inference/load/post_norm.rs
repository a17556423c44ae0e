//! BERT and its relatives, which differ in the names of tensors, in positions and in token types.

use super::{LayerParts, LinearSources, Loader, Norms, Parts, Pieces, PositionBias};
use crate::encoder::architecture::relative_bucket::relative_bucket;
use crate::encoder::config::RELATIVE_BIAS;
use crate::error::Result;

impl Loader<'_> {
    pub(super) fn post_norm(&self) -> Result<Parts> {
        let (config, names) = (self.config, self.config.embedding_names());
        let words = self.tensor(&names.words, &[config.vocab_size, config.hidden_size])?;
        Ok(Parts {
            words,
            places: self.places()?,
            norm: self.norm(&names.norm, true)?,
            position_bias: self.position_bias()?,
            layers: (0..config.num_hidden_layers).map(|layer| self.post_norm_layer(layer)).collect::<Result<_>>()?,
            final_norm: None,
        })
    }

    /// For each row of the table of positions that a text can reach, its vector and that of token type 0, which all tokens of a
    /// single text have.
    fn places(&self) -> Result<Vec<f32>> {
        let (config, names, d) = (self.config, self.config.embedding_names(), self.config.hidden_size);
        let mut places = match &names.positions {
            Some(name) => self.tensor(name, &[config.max_position_embeddings, d])?.to_f32()?,
            None => Vec::new(),
        };
        places.truncate((config.first_position + self.max_tokens) * d);
        places.shrink_to_fit();
        if let Some(name) = &names.types {
            let types = self.tensor(name, &[config.type_vocab_size, d])?.to_f32()?;
            for place in places.chunks_exact_mut(d) {
                place.iter_mut().zip(&types).for_each(|(value, of_type)| *value += of_type);
            }
        }
        Ok(places)
    }

    fn position_bias(&self) -> Result<Option<PositionBias>> {
        let Some(buckets) = self.config.relative_buckets else { return Ok(None) };
        let heads = self.config.num_attention_heads;
        let table = self.tensor(RELATIVE_BIAS, &[buckets, heads])?.to_f32()?;
        let bucket = |distance| relative_bucket(distance, buckets);
        Ok(Some(PositionBias::new(&table, heads, self.max_tokens, bucket)))
    }

    fn post_norm_layer(&self, layer: usize) -> Result<LayerParts> {
        let names = self.config.layer_names(layer);
        let (d, wide) = (Pieces::whole(self.config.hidden_size), Pieces::whole(self.config.intermediate_size));
        let heads = self.heads();
        let linears = LinearSources {
            project: self.linear(&[&names.query, &names.key, &names.value], true, (d, heads))?,
            output: self.linear(&[&names.attention_output], true, (heads, d))?,
            widen: self.linear(&[&names.widen], true, (d, wide))?,
            gate: None,
            narrow: self.linear(&[&names.narrow], true, (wide, d))?,
        };
        let norms = Norms::After {
            attention: self.norm(&names.attention_norm, true)?,
            feed_forward: self.norm(&names.output_norm, true)?,
        };
        Ok(LayerParts { linears, rotary: None, reach: None, norms })
    }
}

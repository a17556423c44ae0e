//! The tensors of a model: their names, as `transformers` spells them in each family, and their shapes.

use super::{Family, ModelConfig};

/// The names of the embeddings' tensors. Tables are whole names; the layer norm is the name before `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmbeddingNames {
    pub words: String,
    /// None in ModernBERT, which rotates queries and keys instead.
    pub positions: Option<String>,
    /// None in families without token types.
    pub types: Option<String>,
    pub norm: String,
}

/// The parts of one post-norm layer (every family but ModernBERT): names before `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerNames {
    pub query: String,
    pub key: String,
    pub value: String,
    pub attention_output: String,
    pub attention_norm: String,
    pub widen: String,
    pub narrow: String,
    pub output_norm: String,
}

/// The parts of one layer of ModernBERT: names before `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModernLayerNames {
    /// None in the first layer, which takes the embeddings as they are.
    pub attention_norm: Option<String>,
    /// Query, key and value, in this order, in one matrix.
    pub query_key_value: String,
    pub attention_output: String,
    pub output_norm: String,
    /// The wide values and the gates, in this order, in one matrix.
    pub widen: String,
    pub narrow: String,
}

/// MPNet's one table of relative positions, for all layers.
pub(crate) const RELATIVE_BIAS: &str = "encoder.relative_attention_bias.weight";
/// ModernBERT's norm after the last layer.
pub(crate) const FINAL_NORM: &str = "final_norm";

impl ModelConfig {
    /// Name and shape of every tensor that the model is made of, without a prefix.
    pub(crate) fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut parameters = Parameters(Vec::new());
        let (d, names) = (self.hidden_size, self.embedding_names());
        let modern = self.modern.as_ref();
        parameters.weight(names.words, vec![self.vocab_size, d]);
        names.positions.into_iter().for_each(|name| parameters.weight(name, vec![self.max_position_embeddings, d]));
        names.types.into_iter().for_each(|name| parameters.weight(name, vec![self.type_vocab_size, d]));
        parameters.affine(&names.norm, vec![d], modern.is_none_or(|modern| modern.norm_bias));
        if let Some(buckets) = self.relative_buckets {
            parameters.weight(RELATIVE_BIAS.to_string(), vec![buckets, self.num_attention_heads]);
        }
        for layer in 0..self.num_hidden_layers {
            match modern {
                None => self.add_layer(&mut parameters, layer),
                Some(_) => self.add_modern_layer(&mut parameters, layer),
            }
        }
        if let Some(modern) = modern {
            parameters.affine(FINAL_NORM, vec![d], modern.norm_bias);
        }
        parameters.0
    }

    pub(crate) fn embedding_names(&self) -> EmbeddingNames {
        let table = |name: &str| format!("embeddings.{name}_embeddings.weight");
        if self.family == Family::ModernBert {
            let norm = "embeddings.norm".to_string();
            return EmbeddingNames { words: table("tok"), positions: None, types: None, norm };
        }
        EmbeddingNames {
            words: table("word"),
            positions: Some(table("position")),
            types: (self.type_vocab_size > 0).then(|| table("token_type")),
            norm: "embeddings.LayerNorm".to_string(),
        }
    }

    /// The names of a post-norm layer; ModernBERT's are those of [`modern_layer_names`](Self::modern_layer_names).
    pub(crate) fn layer_names(&self, layer: usize) -> LayerNames {
        let (layers, [query, key, value, attention_output, attention_norm, widen, narrow, output_norm]) =
            match self.family {
                Family::DistilBert => ("transformer.layer", DISTILBERT_LAYER),
                Family::MpNet => ("encoder.layer", MPNET_LAYER),
                _ => ("encoder.layer", BERT_LAYER),
            };
        let name = |part: &str| format!("{layers}.{layer}.{part}");
        LayerNames {
            query: name(query),
            key: name(key),
            value: name(value),
            attention_output: name(attention_output),
            attention_norm: name(attention_norm),
            widen: name(widen),
            narrow: name(narrow),
            output_norm: name(output_norm),
        }
    }

    pub(crate) fn modern_layer_names(&self, layer: usize) -> ModernLayerNames {
        let name = |part: &str| format!("layers.{layer}.{part}");
        ModernLayerNames {
            attention_norm: (layer > 0).then(|| name("attn_norm")),
            query_key_value: name("attn.Wqkv"),
            attention_output: name("attn.Wo"),
            output_norm: name("mlp_norm"),
            widen: name("mlp.Wi"),
            narrow: name("mlp.Wo"),
        }
    }

    fn add_layer(&self, parameters: &mut Parameters, layer: usize) {
        let Self { hidden_size: d, intermediate_size: wide, .. } = *self;
        let names = self.layer_names(layer);
        for (name, shape) in [
            (names.query, vec![d, d]),
            (names.key, vec![d, d]),
            (names.value, vec![d, d]),
            (names.attention_output, vec![d, d]),
            (names.attention_norm, vec![d]),
            (names.widen, vec![wide, d]),
            (names.narrow, vec![d, wide]),
            (names.output_norm, vec![d]),
        ] {
            parameters.affine(&name, shape, true);
        }
    }

    fn add_modern_layer(&self, parameters: &mut Parameters, layer: usize) {
        let Self { hidden_size: d, intermediate_size: wide, modern: Some(modern), .. } = self else { return };
        let (d, wide, names) = (*d, *wide, self.modern_layer_names(layer));
        if let Some(name) = names.attention_norm {
            parameters.affine(&name, vec![d], modern.norm_bias);
        }
        for (name, shape, bias) in [
            (names.query_key_value, vec![3 * d, d], modern.attention_bias),
            (names.attention_output, vec![d, d], modern.attention_bias),
            (names.output_norm, vec![d], modern.norm_bias),
            (names.widen, vec![2 * wide, d], modern.mlp_bias),
            (names.narrow, vec![d, wide], modern.mlp_bias),
        ] {
            parameters.affine(&name, shape, bias);
        }
    }
}

/// In the order of [`LayerNames`].
const BERT_LAYER: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];
const MPNET_LAYER: [&str; 8] = [
    "attention.attn.q",
    "attention.attn.k",
    "attention.attn.v",
    "attention.attn.o",
    "attention.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];
const DISTILBERT_LAYER: [&str; 8] = [
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
];

struct Parameters(Vec<(String, Vec<usize>)>);

impl Parameters {
    fn weight(&mut self, name: String, shape: Vec<usize>) {
        self.0.push((name, shape));
    }

    /// A weight of the given shape, and with `bias` a bias as long as its first dimension.
    fn affine(&mut self, name: &str, shape: Vec<usize>, bias: bool) {
        let rows = shape.iter().take(1).copied().collect();
        self.weight(format!("{name}.weight"), shape);
        if bias {
            self.weight(format!("{name}.bias"), rows);
        }
    }
}

//! What only ModernBERT has: rotary positions, and layers that attend to near tokens only.

use serde_json::Value;

use super::fields::{Fields, Problem, excerpt};

/// A rotation base above 1, as all published ones are, and small enough for an f32.
const THETAS: (f64, f64) = (1.0, 1e12);
const FULL: &str = "full_attention";
const SLIDING: &str = "sliding_attention";

/// The part of a ModernBERT configuration that no other family has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModernBertConfig {
    /// For each layer whether every token attends to all tokens, rather than to near ones.
    pub global_layers: Vec<bool>,
    /// The window of the other layers in tokens: each token attends to half as many on either side.
    pub local_attention: usize,
    /// The base of the rotary positions in layers that attend to all tokens.
    pub global_rope_theta: f64,
    /// The base of the rotary positions in the other layers.
    pub local_rope_theta: f64,
    /// Whether the layer norms have biases.
    pub norm_bias: bool,
    /// Whether `Wqkv` and `Wo` of the attention have biases.
    pub attention_bias: bool,
    /// Whether `Wi` and `Wo` of the feed-forward part have biases.
    pub mlp_bias: bool,
}

impl ModernBertConfig {
    pub(super) fn read(fields: &Fields<'_>, layers: usize, head_dim: usize) -> Result<Self, Problem> {
        if !head_dim.is_multiple_of(2) {
            return Err(format!(
                "hidden_size / num_attention_heads: rotary positions need an even number, not {head_dim}"
            ));
        }
        fields.only("head_dim", &head_dim.into())?;
        if let Some(scaling) = fields.get("rope_scaling") {
            return Err(format!("rope_scaling: {} is not supported; expected none", excerpt(scaling)));
        }
        let global_rope_theta = theta(fields, FULL, "global_rope_theta", 160_000.0)?;
        // `null` means that all layers have the same base.
        let local_default = if fields.is_null("local_rope_theta") { global_rope_theta } else { 10_000.0 };
        Ok(Self {
            global_layers: global_layers(fields, layers)?,
            local_attention: fields.size_or("local_attention", 1 << 20, 128)?,
            global_rope_theta,
            local_rope_theta: theta(fields, SLIDING, "local_rope_theta", local_default)?,
            norm_bias: fields.flag("norm_bias")?,
            attention_bias: fields.flag("attention_bias")?,
            mlp_bias: fields.flag("mlp_bias")?,
        })
    }

    /// How far a token attends to either side in the given layer; `None` for without end.
    pub(crate) fn reach(&self, layer: usize) -> Option<usize> {
        let global = self.global_layers.get(layer).copied().unwrap_or(true);
        (!global).then_some(self.local_attention / 2)
    }
}

/// From `layer_types`, or `global_attn_every_n_layers` in files of earlier versions of `transformers`.
fn global_layers(fields: &Fields<'_>, layers: usize) -> Result<Vec<bool>, Problem> {
    let Some(types) = fields.list("layer_types")? else {
        let every = fields.size_or("global_attn_every_n_layers", 1 << 10, 3)?;
        return Ok((0..layers).map(|layer| layer.is_multiple_of(every)).collect());
    };
    if types.len() != layers {
        return Err(format!("layer_types: expected one for each of {layers} layers, found {}", types.len()));
    }
    let global = |layer_type: &Value| match layer_type.as_str() {
        Some(FULL) => Ok(true),
        Some(SLIDING) => Ok(false),
        _ => Err(format!("layer_types: expected `{FULL}` or `{SLIDING}`, found {}", excerpt(layer_type))),
    };
    types.iter().map(global).collect()
}

/// From `rope_parameters`, or a field of its own in files of earlier versions of `transformers`.
fn theta(fields: &Fields<'_>, kind: &str, earlier: &str, default: f64) -> Result<f64, Problem> {
    let default = fields.number_or(earlier, THETAS, default)?;
    let within = |problem| format!("rope_parameters: {problem}");
    let Some(both) = fields.get("rope_parameters") else { return Ok(default) };
    let Some(parameters) = Fields::new(both).map_err(within)?.get(kind) else { return Ok(default) };
    let within = |problem| format!("rope_parameters: {kind}: {problem}");
    let parameters = Fields::new(parameters).map_err(within)?;
    parameters.only("rope_type", &"default".into()).map_err(within)?;
    parameters.number_or("rope_theta", THETAS, default).map_err(within)
}

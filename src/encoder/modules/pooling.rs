//! How a pooled vector is made of the token embeddings of a text.

use std::path::Path;

use serde::Deserialize;

use crate::encoder::files::{encoder_error, read_json};
use crate::error::Result;

/// How a pooled vector is made of the token embeddings of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    #[default]
    Mean,
    /// The embedding of the first token.
    Cls,
    /// The largest value of all tokens, special ones included, in each dimension.
    Max,
}

/// A Pooling module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolingConfig {
    pub mode: Pooling,
    /// Whether the tokens of a prompt, and the special ones before it, take part.
    pub include_prompt: bool,
}

impl Default for PoolingConfig {
    fn default() -> Self {
        Self { mode: Pooling::Mean, include_prompt: true }
    }
}

/// Older files say which mode is on by one flag each, newer ones by a name.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    pooling_mode: Option<String>,
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    flags: serde_json::Map<String, serde_json::Value>,
}

fn yes() -> bool {
    true
}

pub(super) fn read(path: &Path) -> Result<PoolingConfig> {
    let File { pooling_mode, include_prompt, flags } = read_json(path)?;
    let modes = match pooling_mode {
        Some(mode) => vec![mode],
        None => {
            let on = flags.iter().filter(|(_, on)| **on == serde_json::Value::Bool(true));
            on.filter_map(|(flag, _)| flag.strip_prefix("pooling_mode_")).map(str::to_string).collect()
        }
    };
    let mode = match modes.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mean" | "mean_tokens"] => Pooling::Mean,
        ["cls" | "cls_token"] => Pooling::Cls,
        ["max" | "max_tokens"] => Pooling::Max,
        other => {
            let problem = format!("pooling `{}` is not supported; mean, cls and max are", other.join(" + "));
            return Err(encoder_error(path, problem));
        }
    };
    Ok(PoolingConfig { mode, include_prompt })
}

impl Pooling {
    /// The pooled vector of `rows` (`tokens × dim`) without the first `skip` of them; the first token is always that of all.
    /// The mean is summed in f64.
    pub(crate) fn of(self, dim: usize, rows: &[f32], skip: usize) -> Vec<f32> {
        let some = rows.get(skip.saturating_mul(dim)..).filter(|some| !some.is_empty()).unwrap_or(rows);
        let rows_of_some = some.chunks_exact(dim.max(1));
        match self {
            Pooling::Cls => rows.iter().copied().take(dim).collect(),
            Pooling::Mean => {
                let n = rows_of_some.len() as f64;
                let mut sums = vec![0.0f64; dim];
                for row in rows_of_some {
                    sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
                }
                sums.into_iter().map(|sum| (sum / n) as f32).collect()
            }
            Pooling::Max => {
                let mut largest = vec![f32::NEG_INFINITY; dim];
                for row in rows_of_some {
                    largest.iter_mut().zip(row).for_each(|(largest, &v)| *largest = largest.max(v));
                }
                largest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_takes_what_it_is_called_after() {
        let rows = [1.0, 2.0, 3.0, 6.0, 5.0, 1.0];
        assert_eq!(Pooling::Mean.of(2, &rows, 0), [3.0, 3.0]);
        assert_eq!(Pooling::Cls.of(2, &rows, 0), [1.0, 2.0]);
        assert_eq!(Pooling::Max.of(2, &rows, 0), [5.0, 6.0]);
    }

    #[test]
    fn rows_left_out_play_no_part_unless_there_are_no_others() {
        let rows = [1.0, 9.0, 3.0, 6.0];
        assert_eq!(Pooling::Mean.of(2, &rows, 1), [3.0, 6.0]);
        assert_eq!(Pooling::Max.of(2, &rows, 1), [3.0, 6.0]);
        assert_eq!(Pooling::Mean.of(2, &rows, 2), [2.0, 7.5]);
        assert_eq!(Pooling::Mean.of(2, &rows, 7), [2.0, 7.5]);
    }
}

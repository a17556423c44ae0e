//! `workindex encoder mix`: a weighted mean of models.

use std::path::PathBuf;
use std::str::FromStr;

use workindex::{Checkpoint, train};

use crate::console::print;
use crate::failure::{Failure, Outcome};

const NOTES: &str = "\
Examples:
  workindex encoder mix seed1/model seed2/model seed3/model --out mean
  workindex encoder mix seed1/model=0.4 seed2/model=0.4 minilm=0.2 --out mean

Runs of one configuration with several seeds are better together than each alone, at the cost of one. A share of the base keeps what training \
forgets; `workindex eval` says how much of it is best.";

/// Make a model of several: a weighted mean of their weights.
///
/// The models have one architecture and one tokenizer, as those have that were trained from one base. Tokenizer, settings and
/// model card are those of the first.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// Model directories, each with its share, or none with one: they then count the same. Shares sum to 1, and may be negative.
    #[arg(value_name = "MODEL_DIR[=SHARE]", required = true, num_args = 2..)]
    models: Vec<Part>,
    /// The folder for the model; absent or empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A model and what it counts.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    model: PathBuf,
    share: Option<f64>,
}

impl FromStr for Part {
    type Err = std::convert::Infallible;

    /// What stands behind the last `=` is a share where it is a number.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.rsplit_once('=').and_then(|(model, share)| Some((model, share.parse().ok()?)));
        Ok(match split {
            Some((model, share)) => Self { model: model.into(), share: Some(share) },
            None => Self { model: text.into(), share: None },
        })
    }
}

pub fn run(args: &Args) -> Outcome {
    let given: Vec<f64> = args.models.iter().filter_map(|part| part.share).collect();
    let shares = match given.len() {
        0 => vec![1.0 / args.models.len() as f64; args.models.len()],
        n if n == args.models.len() => given,
        _ => return Err(Failure::Usage("give every model a share (MODEL_DIR=SHARE), or none".to_string())),
    };
    let open = |(part, share): (&Part, f64)| Ok((Checkpoint::open(&part.model)?, share));
    let parts = args.models.iter().zip(shares).map(open).collect::<Outcome<Vec<_>>>()?;
    train::mix(&parts, &args.out)?;
    print(format_args!("the mean of {} models is in {}", parts.len(), args.out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_behind_the_last_equals_sign() {
        let part = |text: &str| text.parse::<Part>().unwrap();
        assert_eq!(part("a/model"), Part { model: "a/model".into(), share: None });
        assert_eq!(part("a=b/model=-0.25"), Part { model: "a=b/model".into(), share: Some(-0.25) });
        assert_eq!(part("a=b"), Part { model: "a=b".into(), share: None });
    }
}

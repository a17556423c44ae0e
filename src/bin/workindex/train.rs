//! `workindex train`: trains an encoder on ontologies.

use std::fmt::Write;
use std::path::PathBuf;

use workindex::train::{TrainingConfig, TrainingEvent, TrainingRun, Validation, read_corpus};
use workindex::workbench::{Data, DataOptions};
use workindex::{Checkpoint, Error};

use crate::console::{Console, print};
use crate::failure::{Failure, Outcome};
use crate::units;

const NOTES: &str = "\
Examples:
  workindex train minilm.toml --encoder minilm --data data --out results/trained
  workindex eval --data data --encoder results/trained/model --split validation --held-out --out results/judged
  workindex reindex work.index --encoder results/trained/model

The configuration is TOML, and may be empty: `workindex train --print-config` prints all fields with their defaults. The folder gets model/, a \
model directory with a model card; log.json with losses and validations; and the state of the run. An interrupted run goes on where \
it was when the same command is given again, and comes to the same weights.";

/// Train an encoder on ontologies: unified work embeddings.
///
/// Learns from the relations, labels and descriptions of ESCO and O*NET and from annotated sentences, by symmetric many-to-many InfoNCE over
/// soft late interaction. Held-out concepts give nothing; the model is chosen on validation sets that it was not trained on.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// The configuration, TOML.
    #[arg(value_name = "CONFIG.toml", required_unless_present = "print_config")]
    config: Option<PathBuf>,
    /// The model to begin with: a model directory without layers behind the transformer.
    #[arg(long, value_name = "MODEL_DIR", required_unless_present = "print_config")]
    encoder: Option<PathBuf>,
    /// The folder of the data, as for `workindex eval`.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    data: Option<PathBuf>,
    /// The folder of the run.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    out: Option<PathBuf>,
    /// The seed of the batches, in place of the configuration's.
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Print the default configuration.
    #[arg(long)]
    print_config: bool,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let (Some(config), Some(encoder), Some(data), Some(out)) = (&args.config, &args.encoder, &args.data, &args.out)
    else {
        return print(TrainingConfig::default().to_toml().trim_end());
    };
    let text =
        std::fs::read_to_string(config).map_err(|source| Error::Io { action: "read", path: config.clone(), source })?;
    let mut config = TrainingConfig::parse(&text, &config.display().to_string())?;
    config.batch.seed = args.seed.unwrap_or(config.batch.seed);
    let data = Data::open(data, DataOptions::default())?;
    let base = Checkpoint::open(encoder)?;
    let corpus = read_corpus(&data, &config.data, &console.monitor())?;
    let mut run = TrainingRun::open(&data, &base, config.clone(), corpus, out)?;
    say_corpus(&run, console);
    let mut seconds = 0.0;
    let result = run.run(&console.monitor(), &mut |event| match event {
        TrainingEvent::Resumed(step) => console.note(format_args!("goes on from step {step}")),
        TrainingEvent::Step(report) => {
            seconds += report.times.iter().map(|time| time.as_secs_f64()).sum::<f64>();
            if (report.step + 1).is_multiple_of(10) {
                let distance =
                    if report.distance > 0.0 { format!(", distance {:.4}", report.distance) } else { String::new() };
                console.note(format_args!(
                    "step {}: loss {:.3}{distance}, norm {:.2}, {} texts, {} tokens, {:.2} s a step",
                    report.step + 1,
                    report.loss,
                    report.gradient_norm,
                    report.texts,
                    report.tokens,
                    seconds / 10.0
                ));
                seconds = 0.0;
            }
        }
        TrainingEvent::Validated(validation) => console.note(said(validation)),
        TrainingEvent::Stopped(step) => console.note(format_args!("stopped at step {step}: validation has not risen")),
    });
    match result {
        Err(Error::Cancelled) => {
            let problem =
                format!("the state of the last step is in {}: the same command goes on from there", out.display());
            Err(Failure::Interrupted(problem))
        }
        Err(error) => Err(error.into()),
        Ok(best) => {
            let minutes = units::duration(std::time::Duration::from_secs_f64(run.log().seconds));
            print(format_args!(
                "{}\n{} of steps; the model is in {}",
                said(&best),
                minutes,
                out.join("model").display()
            ))
        }
    }
}

fn say_corpus(run: &TrainingRun<'_>, console: &Console) {
    let (corpus, left_out) = (run.corpus(), run.corpus().left_out);
    console.note(format_args!(
        "{}, {}, {}, {}; held out: {}, {}, {}, {}",
        units::counted(corpus.skills.len(), "skill"),
        units::counted(corpus.jobs.len(), "job"),
        units::counted(corpus.n_edges(), "edge"),
        units::counted(corpus.sentences.len(), "sentence"),
        units::counted(left_out.concepts, "concept"),
        units::counted(left_out.edges, "edge"),
        units::counted_as(left_out.aliases, "alias", "aliases"),
        units::counted(left_out.sentences, "sentence"),
    ));
}

/// "step 100: MAP 47.11 (job-normalisation 33.20, …)".
fn said(validation: &Validation) -> String {
    let mut text = format!(
        "step {}, {:.0} % of the way: MAP {:.2} (",
        validation.step,
        100.0 * validation.share,
        100.0 * validation.value
    );
    for (at, (set, value)) in validation.sets.iter().enumerate() {
        let _ = write!(text, "{}{set} {:.2}", if at > 0 { ", " } else { "" }, 100.0 * value);
    }
    text.push(')');
    text
}

//! What `Precision::Bf16` does to rankings: WorkBench's validation sets ranked with an encoder in f32 and in bf16.
//!
//! ```sh
//! cargo run --release --example precision
//! ```
//!
//! `WORKINDEX_ENCODER` is a model directory. `WORKINDEX_DATA` (or else `../shared/data` beside the crate) is a folder as `workindex eval`
//! reads it. Without both, the program says so and ends.
//!
//! Targets and queries are both embedded with the precision that is judged, preferred labels alone, and ranked by the rule that a
//! ranking would use. The score change is that of a target among the best with f32. How much MAP changes, with an interval, say
//! `workindex eval --precision f32`, the same with `bf16`, and `workindex compare`.

use std::error::Error;
use std::path::{Path, PathBuf};

use workindex::workbench::held_out::Holdout;
use workindex::workbench::{Data, DataOptions, Dataset, Loaded, Metric, Selection, Split, TargetIndex, Task, ranks};
use workindex::{Checkpoint, Encoder, EncoderSettings, Forms, Monitor, Precision};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many of the best targets are compared.
const TOP: usize = 10;
/// Of the vacancy titles one in so many is ranked.
const ONE_TITLE_IN: usize = 5;

const TASKS: [Task; 3] = [Task::JobNormalisation, Task::SkillExtraction, Task::TitleSimilarity];

fn main() -> Result<()> {
    let Some((data, model)) = places() else { return Ok(()) };
    let data = Data::open(data, DataOptions::default())?;
    let encoders = [Precision::F32, Precision::Bf16].map(|precision| open(&model, precision));
    let [f32s, bf16s] = encoders;
    let (f32s, bf16s) = (f32s?, bf16s?);
    println!(
        "\n{:<28} {:>7} {:>20} {:>19} {:>6} {:>12}",
        "", "", "MAP, %      ", "% of f32's top 10", "% same", "largest"
    );
    println!(
        "{:<28} {:>7} {:>6} {:>6} {:>6} {:>19} {:>6} {:>12}",
        "set", "queries", "f32", "bf16", "change", "that bf16 has too", "top 1", "score change"
    );
    for set in TASKS.into_iter().flat_map(|task| data.sets(task)) {
        let selection = Selection { split: Split::Validation, held_out: Holdout::None };
        match data.load(&set, selection, &Monitor::silent())? {
            Loaded::Missing(looked_for) => println!("{set:<28} missing: no {looked_for}"),
            Loaded::Ready(dataset) => {
                let one_in = if set.task() == Task::JobNormalisation { ONE_TITLE_IN } else { 1 };
                let dataset = dataset.sampled(one_in);
                print_row(&dataset, &compare(&dataset, &f32s, &bf16s)?);
            }
        }
    }
    Ok(())
}

/// The folder of the data and the model directory, or a line that says what is missing.
fn places() -> Option<(PathBuf, PathBuf)> {
    let from_env = |name| std::env::var_os(name).map(PathBuf::from);
    let data =
        from_env("WORKINDEX_DATA").unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    if !data.is_dir() {
        println!("skipped: no data at {} (WORKINDEX_DATA)", data.display());
        return None;
    }
    let Some(model) = from_env("WORKINDEX_ENCODER") else {
        println!("skipped: WORKINDEX_ENCODER names no model directory");
        return None;
    };
    Some((data, model))
}

fn open(model: &Path, precision: Precision) -> Result<Encoder> {
    let checkpoint = Checkpoint::open(model)?;
    let settings = EncoderSettings { precision, ..checkpoint.default_settings() };
    let encoder = Encoder::from_checkpoint(checkpoint, settings)?;
    println!("{} in {precision:?}, on {}", encoder.name(), encoder.runs_on());
    Ok(encoder)
}

/// Sums over the queries of a set.
#[derive(Default)]
struct Sums {
    /// Of average precisions with f32 and with bf16.
    precision: [f64; 2],
    /// Of shares of the best targets with f32 that are among those with bf16 too.
    share: f64,
    same_first: usize,
    /// The largest difference between the scores of one of the best targets with f32.
    difference: f32,
}

/// Ranks a set's targets as they are embedded in f32 and in bf16.
fn compare(dataset: &Dataset, f32s: &Encoder, bf16s: &Encoder) -> Result<Sums> {
    let (one, other) = (scores(dataset, f32s)?, scores(dataset, bf16s)?);
    let mut sums = Sums::default();
    for ((query, one), other) in dataset.queries().iter().zip(&one).zip(&other) {
        for (sum, scores) in sums.precision.iter_mut().zip([one, other]) {
            *sum += Metric::Map.of(&ranks::of(scores, &query.positives)).unwrap_or(0.0);
        }
        let (best, others) = (best(one), best(other));
        sums.share += best.iter().filter(|target| others.contains(target)).count() as f64 / best.len().max(1) as f64;
        sums.same_first += usize::from(best.first() == others.first());
        let change = |target: &usize| (one[*target] - other[*target]).abs();
        sums.difference = best.iter().map(change).fold(sums.difference, f32::max);
    }
    Ok(sums)
}

/// All scores of all queries.
fn scores(dataset: &Dataset, encoder: &Encoder) -> Result<Vec<Vec<f32>>> {
    let scratch = tempfile::tempdir()?;
    let (index, monitor) = (TargetIndex::temporary(encoder, scratch.path())?, Monitor::silent());
    let space = index.space(dataset.targets(), dataset.target_kind(), Forms::Preferred, &monitor)?;
    let rule = space.default_rule_for(Some(dataset.query_kind()))?;
    let texts: Vec<&str> = dataset.queries().iter().map(|query| query.text.as_str()).collect();
    let (spaces, kind) = ([(space, vec![rule])], Some(dataset.query_kind()));
    let mut all = Vec::with_capacity(texts.len());
    index.score_each(
        &spaces,
        &texts,
        kind,
        &monitor,
        |_, _, _, scores| scores,
        |_, scores| {
            // Where there is nothing to embed, everything is equal.
            all.push(scores.and_then(|mut scores| scores.pop()).unwrap_or_else(|| vec![0.0; dataset.targets().len()]));
            Ok(())
        },
    )?;
    Ok(all)
}

/// The best targets, best first.
fn best(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(TOP);
    order
}

fn print_row(dataset: &Dataset, sums: &Sums) {
    let n = dataset.queries().len().max(1) as f64;
    let [f32s, bf16s] = sums.precision.map(|sum| 100.0 * sum / n);
    println!(
        "{:<28} {:>7} {f32s:>6.2} {bf16s:>6.2} {:>+6.2} {:>19.2} {:>6.2} {:>12.5}",
        dataset.name(),
        dataset.queries().len(),
        bf16s - f32s,
        100.0 * sums.share / n,
        100.0 * sums.same_first as f64 / n,
        sums.difference,
    );
}

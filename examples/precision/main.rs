//! What `Precision::Bf16` does to rankings: validation sets ranked with an encoder in f32 and in bf16.
//!
//! ```sh
//! cargo run --release --example precision
//! ```
//!
//! `WORKINDEX_ENCODER` is a model directory. `WORKINDEX_DATA` (or else `../shared/data` beside the crate) is a folder with
//! `esco/1.1.0` and `esco/1.1.1`, each the English archives as ESCO publishes them, and with the validation sets below
//! `workbench`, as `sets.rs` reads them. Without both, the program says so and ends.
//!
//! Targets and queries are both embedded with the precision that is judged, preferred labels alone, and ranked by the
//! encoder's own rule. Texts are stripped, equal queries merged with their positives, queries without positives left out.
//! Average precision is over the whole ranking, equal scores in the order of the targets. "Cut" are the queries of which the
//! encoder does not read the end; the score change is that of a target among the best with f32.

mod metrics;
mod sets;

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use workindex::{
    Checkpoint, Encoder, EncoderSettings, IngestOptions, Monitor, Precision, RankOptions, RankedTargets, Release,
    Space, WorkIndex,
};

use self::metrics::{Head, TOP, average_precision};
use self::sets::{ONE_TITLE_IN, Query, ValidationSet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let Some((data, model)) = places() else { return Ok(()) };
    let (releases, sets) = sets::read(&data)?;
    let f32s = Embedded::new(&model, Precision::F32, &releases)?;
    let bf16s = Embedded::new(&model, Precision::Bf16, &releases)?;
    println!();
    sets.iter().for_each(describe);
    print_header();
    for set in &sets {
        let space = set.space.to_string();
        print_row(set, &compare(set, &f32s.index.space(&space)?, &bf16s.index.space(&space)?)?);
    }
    println!();
    let attributions: BTreeSet<&str> = releases.iter().filter_map(Release::attribution).collect();
    attributions.iter().for_each(|attribution| println!("{attribution}"));
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

/// A temporary index of all releases with one precision. The index is closed before its folder is removed.
struct Embedded {
    index: WorkIndex,
    _folder: TempDir,
}

impl Embedded {
    fn new(model: &Path, precision: Precision, releases: &[Release]) -> Result<Self> {
        let checkpoint = Checkpoint::open(model)?;
        let settings = EncoderSettings { precision, ..checkpoint.default_settings() };
        let encoder = Encoder::from_checkpoint(checkpoint, settings)?;
        println!("{} in {precision:?}, on {}", encoder.name(), encoder.runs_on());
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("precision.index");
        let mut writer = WorkIndex::create(&path, &encoder)?;
        for release in releases {
            writer.ingest(release, &IngestOptions::default(), &Monitor::silent())?;
        }
        writer.commit()?;
        Ok(Self { index: WorkIndex::open(&path)?, _folder: folder })
    }
}

/// Sums over the queries of a set.
#[derive(Default)]
struct Sums {
    queries: usize,
    /// Queries that are longer than the encoder reads.
    truncated: usize,
    /// Of average precisions with f32 and with bf16.
    precision: [f64; 2],
    /// Of shares of the best targets with f32 that are among those with bf16 too.
    share: f64,
    same_first: usize,
    /// The largest difference between the scores of one of the best targets with f32.
    difference: f32,
}

/// Ranks a set's space as it is embedded in f32 and in bf16.
fn compare(set: &ValidationSet, in_f32: &Space, in_bf16: &Space) -> Result<Sums> {
    let positives = set.queries.iter().map(|query| positions(query, in_f32)).collect::<Result<Vec<_>>>()?;
    let (mut sums, mut heads) = (Sums { queries: set.queries.len(), ..Sums::default() }, Vec::new());
    rank(set, in_f32, |at, ranked| {
        sums.precision[0] += average_precision(&ranked.targets, &positives[at]);
        sums.truncated += usize::from(ranked.truncated);
        heads.push(Head::of(&ranked));
    })?;
    rank(set, in_bf16, |at, ranked| {
        let (expected, head) = (&heads[at], Head::of(&ranked));
        sums.precision[1] += average_precision(&ranked.targets, &positives[at]);
        sums.share += expected.share_in(&head);
        sums.same_first += usize::from(expected.same_first(&head));
        sums.difference = sums.difference.max(expected.largest_difference(&ranked));
    })?;
    Ok(sums)
}

/// Ranks a whole space for each query of a set, in their order.
fn rank(set: &ValidationSet, space: &Space, each: impl FnMut(usize, RankedTargets)) -> Result<()> {
    let texts: Vec<&str> = set.queries.iter().map(|query| query.text.as_str()).collect();
    let options = match &set.query_kind {
        Some(kind) => RankOptions::full().query_kind(kind.as_str()),
        None => RankOptions::full(),
    };
    Ok(space.rank_each(&texts, &options, &Monitor::silent(), each)?)
}

/// Where a query's positives are; the same in both spaces, which are of the same release.
fn positions(query: &Query, space: &Space) -> Result<HashSet<u32>> {
    let position = |id: &String| -> Result<u32> {
        let at = space.position(id).ok_or_else(|| format!("{} has no {id}", space.name()))?;
        Ok(u32::try_from(at)?)
    };
    query.positives.iter().map(position).collect()
}

fn describe(set: &ValidationSet) {
    let ValidationSet { name, space, queries, without, unknown, .. } = set;
    let sample = if *name == sets::NORMALISATION { format!("every {ONE_TITLE_IN}th title; ") } else { String::new() };
    println!(
        "{name}: {sample}{} queries to {space}; {without} texts without a positive left out, {unknown} judgements of \
         concepts that the space lacks",
        queries.len()
    );
}

fn print_header() {
    let top = format!("% of f32's top {TOP}");
    println!("\n{:<28} {:>7} {:>6} {:>20} {top:>19} {:>6} {:>12}", "", "", "", "MAP, %      ", "% same", "largest");
    println!(
        "{:<28} {:>7} {:>6} {:>6} {:>6} {:>6} {:>19} {:>6} {:>12}",
        "set", "queries", "cut", "f32", "bf16", "change", "that bf16 has too", "top 1", "score change"
    );
}

fn print_row(set: &ValidationSet, sums: &Sums) {
    let n = sums.queries.max(1) as f64;
    let [f32s, bf16s] = sums.precision.map(|sum| 100.0 * sum / n);
    println!(
        "{:<28} {:>7} {:>6} {f32s:>6.2} {bf16s:>6.2} {:>+6.2} {:>19.2} {:>6.2} {:>12.5}",
        set.name,
        sums.queries,
        sums.truncated,
        bf16s - f32s,
        100.0 * sums.share / n,
        100.0 * sums.same_first as f64 / n,
        sums.difference,
    );
}

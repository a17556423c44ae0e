//! `workindex eval`: judges an encoder, scoring rules and baselines on the WorkBench tasks.

mod systems;
pub mod table;

use std::path::{Path, PathBuf};
use std::time::Instant;

use workindex::workbench::held_out::Holdout;
use workindex::workbench::{
    Data, DataOptions, Evaluation, Event, Metric, Report, Resampling, Run, Selection, SetName, Split, System,
};
use workindex::{Encoder, Error};

use crate::console::{Console, print};
use crate::encoder::Choice;
use crate::failure::{Failure, Outcome};
use crate::file;
use crate::settings::Settings;
use crate::units;
use systems::SystemArgs;

const NOTES: &str = "\
Examples:
  workindex eval --data data --encoder minilm --out results/minilm
  workindex eval --data data --encoder minilm --sweep --split validation --out results/rules
  workindex eval --data data --encoder minilm --rule soft --temperature 0.05,0.1 --direction both,target \\
                 --task skill-extraction --out results/sentences
  workindex eval --data data --baseline bm25,tfidf-char --task title-similarity --out results/lexical
  workindex compare results/minilm results/trained

The data folder, of which any part may be missing:
  esco/<release>/       a release of ESCO as downloaded (classification and relations, CSV)
  onet/<release>/       a release of O*NET as text
  workbench/job_normalization/titles_{validation,test}.csv             vacancyTitle, conceptUri
  workbench/skill_extraction/{house,tech,techwolf}_{validation,test}_annotations.csv    sentence, label
  workbench/skill_extraction/skillskape_{dev,test}.csv                 sentence, skills
  workbench/skill_similarity/skillmatch.csv                            skill_a, skill_b, related
  workbench/title_similarity/{queries,corpus_elements,qrels.tsv}
  workbench/melo_<name>/{queries,corpus_elements,annotations}.tsv

What the folder of results holds: report.md, results.json, plot.svg; run.json and sets/, from which they are made. They are those of the last
run into it. A set that was judged with the same data, encoder and systems is not judged again: an interrupted run goes on where it was.";

/// Judge an encoder, scoring rules and baselines on the WorkBench tasks.
///
/// Ranks all targets for every query of every set, at full precision, and reports MAP, MRR, RP@k, recall@k, hit@k and nDCG@k as WorkRB
/// defines them, with bootstrap intervals and the macro average. Without a rule, the one that a ranking of such queries would use is judged
/// (`rank --query-kind`).
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// The folder of the data; see below.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The encoder: a model directory in the sentence-transformers layout; `built-in` for the one that this program comes with. Not needed
    /// for baselines alone.
    #[arg(long, value_name = "MODEL_DIR")]
    encoder: Option<Choice>,
    /// The folder for the results.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A task: job2skill, skill2job, job-normalisation, skill-normalisation, skill-extraction, skill-similarity, title-similarity, melo,
    /// onet-technology, onet-task, onet-title; or one set of a task, as in skill-extraction/house. [default: all]
    #[arg(long = "task", value_name = "T", value_delimiter = ',', value_parser = parse::<SetName>)]
    tasks: Vec<SetName>,
    #[command(flatten)]
    systems: SystemArgs,
    /// The part of the sets. To choose a rule or a model use validation; report test. Where WorkBench has no validation part, it is the
    /// held-out queries of test, or (title similarity, MELO) all of them.
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    /// Of sets made from an ontology, take only the queries whose concepts are held out from training: those with an id whose SHA-1 is
    /// divisible by 5 (`hash`), or occupations whose ISCO group has such a code, as a training run with `held_out = "isco_group"`
    /// holds them out. [with no value: hash]
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, default_missing_value = "hash")]
    held_out: Option<HoldoutName>,
    /// The release of ESCO for every set. [default: the one that a set was annotated with, if it is there, else the newest]
    #[arg(long, value_name = "R")]
    esco: Option<String>,
    /// The release of O*NET. [default: the newest]
    #[arg(long, value_name = "R")]
    onet: Option<String>,
    /// The language of ESCO's labels.
    #[arg(long, value_name = "L", default_value = "en")]
    language: String,
    /// Take one query in N: for a quick look.
    #[arg(long, value_name = "N", default_value_t = 1)]
    one_in: usize,
    #[command(flatten)]
    settings: Settings,
    /// Keep the embedded targets in this index, for the next run with the same encoder. [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    index: Option<PathBuf>,
    #[command(flatten)]
    intervals: Intervals,
    /// How many threads to work on; all cores without it. The results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// How intervals are made, and which metrics are shown.
#[derive(Debug, clap::Args)]
pub struct Intervals {
    /// Replicates of the bootstrap; 0 for no intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=100_000))]
    replicates: u32,
    /// Seed of the bootstrap.
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u32,
    /// The metric of tables and plot: map, mrr, rp@K, recall@K, hit@K, ndcg@K.
    #[arg(long, value_name = "M", default_value = "map", value_parser = parse::<Metric>)]
    metric: Metric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SplitName {
    Validation,
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Validation => Split::Validation,
            SplitName::Test => Split::Test,
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum HoldoutName {
    Hash,
    IscoGroup,
}

impl From<HoldoutName> for Holdout {
    fn from(name: HoldoutName) -> Self {
        match name {
            HoldoutName::Hash => Holdout::Hash,
            HoldoutName::IscoGroup => Holdout::IscoGroup,
        }
    }
}

/// Reads a name of the library's.
fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let systems = args.systems.systems(args.encoder.is_some())?;
    let options =
        DataOptions { esco: args.esco.clone(), onet: args.onet.clone(), language: args.language.to_lowercase() };
    let data = Data::open(&args.data, options)?;
    let encoder = args.encoder.as_ref().map(|encoder| args.settings.open(encoder, console)).transpose()?;
    let start = Instant::now();
    let report = on_threads(args.threads, || {
        let run = judge(args, &data, encoder.as_ref(), systems, console)?;
        if run.records.is_empty() {
            return Err(Failure::new(
                format!("none of the sets is in {}", args.data.display()),
                "workindex eval --help says where each of them is looked for",
            ));
        }
        Ok(args.intervals.report(vec![(String::new(), run)]))
    })??;
    write_files(&report, &args.out)?;
    print(table::of_run(&report))?;
    console.note(format_args!(
        "{} in {}; {} has report.md, results.json and plot.svg",
        units::counted(report.runs().map(|(_, run)| run.records.len()).sum(), "set"),
        units::duration(start.elapsed()),
        args.out.display()
    ));
    Ok(())
}

fn judge(args: &Args, data: &Data, encoder: Option<&Encoder>, systems: Vec<System>, console: &Console) -> Outcome<Run> {
    let selection =
        Selection { split: args.split.into(), held_out: args.held_out.map_or(Holdout::None, Holdout::from) };
    let mut evaluation = Evaluation::new(data, &args.out).systems(systems).selection(selection).one_in(args.one_in);
    if let Some(encoder) = encoder {
        evaluation = evaluation.encoder(encoder);
    }
    if !args.tasks.is_empty() {
        evaluation = evaluation.sets(&args.tasks);
    }
    if let Some(index) = &args.index {
        evaluation = evaluation.index(index);
    }
    match evaluation.run(&console.monitor(), &mut |event| say(&event, console)) {
        Err(Error::Cancelled) => Err(Failure::Interrupted(format!(
            "what was judged is in {}: the same command goes on from there",
            args.out.display()
        ))),
        result => Ok(result?),
    }
}

fn say(event: &Event<'_>, console: &Console) {
    match event {
        Event::Begins(set) => console.note(format_args!(
            "{}: {} × {}",
            set.name(),
            units::counted_as(set.queries().len(), "query", "queries"),
            units::counted(set.targets().len(), "target")
        )),
        Event::Judged(record) => {
            let seconds = record.head.seconds;
            let busy = std::time::Duration::from_secs_f64(seconds.targets + seconds.ranking + seconds.lexical);
            console.note(format_args!("{}: done in {}", record.head.set, units::duration(busy)));
        }
        Event::Kept(record) => console.note(format_args!("{}: judged before", record.head.set)),
        Event::Missing(missing) => {
            console.note(format_args!("{}: missing: no {}", missing.set, missing.looked_for));
        }
    }
}

/// Runs work on so many threads, or on all cores.
pub fn on_threads<R: Send>(threads: Option<usize>, work: impl FnOnce() -> R + Send) -> Outcome<R> {
    match threads {
        None => Ok(work()),
        Some(0) => Err(Failure::Usage("--threads: at least 1 is needed".to_string())),
        Some(n) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
            let pool = pool.map_err(|error| Failure::plain(format!("cannot start {n} threads: {error}")))?;
            Ok(pool.install(work))
        }
    }
}

impl Intervals {
    /// A report with the chosen metric first.
    pub fn report(&self, runs: Vec<(String, Run)>) -> Report {
        let mut metrics = Metric::STANDARD.to_vec();
        metrics.retain(|metric| *metric != self.metric);
        metrics.insert(0, self.metric);
        Report::new(runs, &metrics, Resampling { replicates: self.replicates, seed: self.seed })
    }
}

/// Writes report, results and plot into a folder.
pub fn write_files(report: &Report, out: &Path) -> Outcome {
    let json = format!("{:#}\n", report.json());
    std::fs::create_dir_all(out).map_err(|error| Failure::plain(format!("cannot make {}: {error}", out.display())))?;
    for (name, content) in [("results.json", json), ("report.md", report.markdown()), ("plot.svg", report.plot())] {
        file::write(&out.join(name), &content)?;
    }
    Ok(())
}

//! `workindex rank`: ranks a space for texts.

mod conditions;
mod options;
mod output;
mod queries;

use std::io::Write;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use workindex::{Error, RankOptions, Ranking, Space, SpaceName, WorkIndex, read_matrices};

use crate::console::{self, Console};
use crate::failure::{Failure, Outcome};
use crate::progress;
use conditions::Condition;
pub use options::RuleArgs;
use options::Top;
#[cfg(feature = "workbench")]
pub use options::{DirectionName, RuleName, WeightsName, kind_name};
pub use output::as_table;
use output::{Format, Output};
pub use queries::space_name;
use queries::{Queries, Query};

const USAGE: &str = "workindex rank [OPTIONS] <INDEX> <SPACE> <TEXT...|--file F|--matrices F>";

const EXAMPLES: &str = "\
Examples:
  workindex rank work.index esco/skill/en 'Senior data engineer' 'Welder TIG/MIG - immediate start!'
  workindex rank work.index esco/skill/en --file titles.txt --format jsonl > rankings.jsonl
  workindex rank work.index esco@1.1.0/occupation/en --top 3 --where 'iscoGroup=25*' 'cloud engineer'
  workindex rank work.index esco/skill/en --direction target 'You will maintain our ETL pipelines in Python.'

Conditions (--where); the same key again means any of them, different keys mean all of them:
  KEY=VALUE    the attribute has the value: reuseLevel=transversal
  KEY=VALUE*   a value of the attribute begins like this: iscoGroup=25*
  below=ID     the concept is ID or stands below it in the hierarchy
  id=ID        the concept is ID

Scores are means over tokens and lie in -1 to 1. A hit is marked exact when the text is one of the concept's labels.";

/// Rank the concepts of a space for one or many texts, best first.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// The space: esco/skill/en for the release ingested last, esco@1.1.0/skill/en for one of several.
    #[arg(value_parser = space_name)]
    space: SpaceName,
    #[command(flatten)]
    what: What,
    /// How many hits; `all` for the full ranking.
    #[arg(long, value_name = "K", default_value = "10", value_parser = options::top)]
    top: Top,
    #[command(flatten)]
    rule: RuleArgs,
    /// Rank only the concepts that meet a condition; see below.
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = conditions::parse)]
    conditions: Vec<Condition>,
    /// How many threads to rank on; all cores without it. The result does not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// table for people; json is one array, jsonl one object a line, csv query,rank,score,id,label,exact.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What to rank for.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
struct What {
    /// The texts: job titles, skills, sentences.
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// A file with one text a line; `-` is standard input. Empty lines are skipped.
    #[arg(long, value_name = "F")]
    file: Option<PathBuf>,
    /// Token matrices made elsewhere, as a safetensors file: `tokens` (rows × dim, F32), `offsets` (texts + 1, I64) and,
    /// for rules that need it, `pooled` (texts × dim, F32).
    #[arg(long, value_name = "F")]
    matrices: Option<PathBuf>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    args.rule.check()?;
    let index = WorkIndex::open(&args.index)?;
    let index = match args.threads {
        Some(threads) => index.with_threads(threads)?,
        None => index,
    };
    let space = index.space(&args.space.to_string())?;
    let mut options = match args.top {
        Top::Best(k) => RankOptions::top(k),
        Top::All => RankOptions::full(),
    };
    if !args.conditions.is_empty() {
        conditions::check(&args.conditions, &space)?;
        options = options.filter(conditions::filter(&args.conditions));
    }
    let default = space.default_rule_for(args.rule.query_kind())?;
    let options = args.rule.of(default, options, console)?;
    let hits = match args.top {
        Top::Best(k) => k.min(space.len()),
        Top::All => space.len(),
    };
    let job = Job { space: &space, options: &options, part: queries::part_of(hits), console };
    let mut output = Output::new(args.format, console::stdout())?;
    match &args.what.matrices {
        Some(path) => job.rank_matrices(path, &mut output)?,
        None => job.rank_queries(Queries::new(&args.what.texts, args.what.file.as_deref())?, &mut output)?,
    }
    output.finish()?.flush()?;
    if !args.conditions.is_empty() && output.has_no_hits() {
        console.note("note: no concept of the space meets the conditions");
    }
    match output.unsaid_truncations() {
        0 => {}
        1 => console.note("note: a query is longer than the encoder reads: its end plays no part"),
        n => console.note(format_args!("note: {n} queries are longer than the encoder reads: their ends play no part")),
    }
    if let Some(attribution) = space.attribution() {
        console.note(attribution);
    }
    Ok(())
}

/// What stays the same for all queries.
struct Job<'a> {
    space: &'a Space,
    options: &'a RankOptions,
    /// Queries to rank together.
    part: usize,
    console: &'a Console,
}

impl Job<'_> {
    fn rank_queries<W: Write>(&self, mut queries: Queries, output: &mut Output<W>) -> Outcome {
        let bar = (queries.are_many() && self.console.shows_progress() && !output.is_on_terminal())
            .then(|| progress::bar("ranking", false));
        while let Some(part) = queries.next_part(self.part, self.console)? {
            for ranking in self.rank_part(&part, queries.are_many())? {
                output.write(&ranking)?;
            }
            output.flush()?;
            if let Some(bar) = &bar {
                bar.inc(part.len() as u64);
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        Ok(())
    }

    /// Ranks a part of the queries at once. Of lines of a file, those with nothing to embed are skipped.
    fn rank_part(&self, part: &[Query], skip: bool) -> Outcome<Vec<Ranking>> {
        let texts: Vec<&str> = part.iter().map(|query| query.text.as_str()).collect();
        match self.space.rank_batch(&texts, self.options, &self.console.silent_monitor()) {
            Err(Error::EmptyText { .. }) if skip => {}
            result => return Ok(result?),
        }
        let mut rankings = Vec::new();
        for Query { text, place } in part {
            self.console.check()?;
            match self.space.rank(text, self.options) {
                Ok(ranking) => rankings.push(ranking),
                Err(error @ Error::EmptyText { .. }) => {
                    self.console.note(format_args!("note: {place} skipped: {error}"))
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rankings)
    }

    fn rank_matrices<W: Write>(&self, path: &std::path::Path, output: &mut Output<W>) -> Outcome {
        let matrices = read_matrices(path)?;
        let mut number = 0;
        for part in matrices.chunks(self.part) {
            for mut ranking in self.space.rank_matrices(part, self.options, &self.console.silent_monitor())? {
                number += 1;
                ranking.query = Some(format!("matrix {number}"));
                output.write(&ranking)?;
            }
            output.flush()?;
        }
        if number == 0 { Err(Failure::plain(format!("{} holds no token matrix", path.display()))) } else { Ok(()) }
    }
}

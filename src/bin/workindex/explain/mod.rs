//! `workindex explain`: why a concept scores what it does for a text.
//!
//! | file | what |
//! |---|---|
//! | `concept.rs` | which concept is meant: by id, or by its label |
//! | `grid.rs` | the pairs of a comparison, with the longer side in rows where that helps |
//! | `words.rs` | tokens joined to words, and which words met |
//! | `plain.rs` | score, matches and rule in plain sentences |
//! | `terminal/` | the explanation as text |
//! | `page/` | the explanation as one self-contained HTML page |

mod concept;
mod grid;
mod page;
mod plain;
mod terminal;
mod words;

use std::path::PathBuf;

use workindex::{RankOptions, SpaceName, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::file;
use crate::rank::{RuleArgs, space_name};
use crate::{json, layout};

const EXAMPLES: &str = "\
Examples:
  workindex explain work.index esco/skill/en 'Senior data engineer' 'data warehouse'
  workindex explain work.index esco/skill/en 'Senior data engineer' \\
                    http://data.europa.eu/esco/skill/3ec2e4d6-7000-4905-bf1a-c5b1679416de --html why.html
  workindex explain work.index esco/skill/en 'welder' 'weld metal' --rule maxsim --json | jq '.forms[0].score'

The score is that of `workindex rank` with the same rule options. Each pair of a query token and a target token adds
something to it; all pairs together are the score.";

/// Show why a concept scores what it does for a text: which words met which, and what each adds to the score.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// The space: esco/skill/en for the release ingested last, esco@1.1.0/skill/en for one of several.
    #[arg(value_parser = space_name)]
    space: SpaceName,
    /// The text: a job title, a skill, a sentence.
    text: String,
    /// The concept: its id, as `rank` shows it, or else its preferred label if no other concept has the same.
    id: String,
    #[command(flatten)]
    rule: RuleArgs,
    /// Write a self-contained HTML page with a heat map to this file; a file that is there is replaced.
    #[arg(long, value_name = "F")]
    html: Option<PathBuf>,
    /// Print JSON: tokens, cosines, weights, contributions.
    #[arg(long)]
    json: bool,
}

/// The width of text in a pipe, and on a terminal that does not tell its own.
const WIDTH: usize = 100;
/// How narrow and how wide text gets on a terminal.
const WIDTHS: (usize, usize) = (40, 120);

pub fn run(args: &Args, console: &Console) -> Outcome {
    args.rule.check()?;
    if let Some(path) = &args.html {
        file::check(path)?;
    }
    let space = WorkIndex::open(&args.index)?.space(&args.space.to_string())?;
    let id = concept::resolve(&space, &args.id)?;
    let options = args.rule.of(space.default_rule_for(args.rule.query_kind())?, RankOptions::full(), console)?;
    let explanation = space.explain_with(&args.text, &id, &options)?;
    if let Some(path) = &args.html {
        file::write(path, &page::render(&explanation, space.attribution()))?;
        console.note(format_args!("note: wrote {}", path.display()));
    }
    match args.json {
        true => json::print(&explanation)?,
        false => {
            let width = layout::terminal_width().filter(|&width| width > 0).unwrap_or(WIDTH).clamp(WIDTHS.0, WIDTHS.1);
            print(terminal::render(&explanation, width).trim_end())?;
        }
    }
    if let Some(attribution) = space.attribution() {
        console.note(attribution);
    }
    Ok(())
}

//! The verbs. Each command's own arguments are beside its code.

use clap::{Parser, Subcommand};

#[cfg(feature = "train")]
use crate::train;
use crate::{
    backup, compact, diff, drop, encoder, explain, info, ingest, init, quickstart, rank, reindex, upgrade, verify,
};
#[cfg(feature = "workbench")]
use crate::{compare, eval, score};

const EXAMPLES: &str = "\
Examples:
  workindex init work.index
  workindex ingest esco work.index 'ESCO dataset - v1.1.1 - classification - en - csv.zip' \\
                                   'ESCO dataset - v1.1.1 - relations - csv.zip'
  workindex rank work.index esco/skill/en 'Senior data engineer'
  workindex explain work.index esco/skill/en 'Senior data engineer' 'data warehouse'

Exit status: 0 done, 1 it failed, 2 the command was not understood, 130 interrupted.";

/// Ranks whole ontologies (ESCO, O*NET, your own lists) for a job title, a skill or a sentence of a vacancy.
///
/// An index is a folder. It is made once from an ontology release and an encoder, and then ranks offline, in
/// milliseconds, every concept of a space such as `esco/skill/en`.
#[derive(Debug, Parser)]
#[command(name = "workindex", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// Print results and errors only: no notes, no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Quickstart(quickstart::Args),
    Init(init::Args),
    Ingest(ingest::Args),
    Reindex(reindex::Args),
    Rank(rank::Args),
    Explain(explain::Args),
    Info(info::Args),
    Diff(diff::Args),
    Verify(verify::Args),
    Drop(drop::Args),
    Compact(compact::Args),
    Backup(backup::Args),
    Upgrade(upgrade::Args),
    Encoder(encoder::Args),
    #[cfg(feature = "workbench")]
    Eval(eval::Args),
    #[cfg(feature = "workbench")]
    Compare(compare::Args),
    #[cfg(feature = "workbench")]
    Score(score::Args),
    #[cfg(feature = "train")]
    Train(train::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_verbs_are_well_formed() {
        Cli::command().debug_assert();
    }
}

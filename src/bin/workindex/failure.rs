//! What ends a command early, what is said about it, and the exit status.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use workindex::Error;

use crate::{console, interrupt};

/// What a command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The arguments contradict each other; status 2.
    Usage(String),
    /// The library refused.
    Library(Error),
    /// The command itself could not go on: what happened, and what to do about it.
    Other { problem: String, hint: Option<String> },
    /// Ctrl-C was pressed, and this is how things stand; status 130.
    #[cfg(feature = "workbench")]
    Interrupted(String),
    /// Standard output cannot be written to.
    Output(io::Error),
    /// The result was printed, and it is bad news; status 1.
    BadNews,
}

impl Failure {
    /// A failure with a hint on what to do.
    pub fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Other { problem: problem.into(), hint: Some(hint.into()) }
    }

    /// A failure that says it all.
    pub fn plain(problem: impl Into<String>) -> Self {
        Failure::Other { problem: problem.into(), hint: None }
    }

    /// Prints the failure to standard error; returns the status to exit with.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Usage(problem) => {
                say_error(problem, Some("workindex help shows the commands and what they take"));
                ExitCode::from(2)
            }
            Failure::Library(Error::Cancelled) => {
                console::complain("interrupted: nothing was changed");
                ExitCode::from(interrupt::STATUS)
            }
            #[cfg(feature = "workbench")]
            Failure::Interrupted(state) => {
                console::complain(&format!("interrupted: {state}"));
                ExitCode::from(interrupt::STATUS)
            }
            Failure::Library(error) => {
                say_error(&with_causes(error), hint(error).as_deref());
                ExitCode::FAILURE
            }
            Failure::Other { problem, hint } => {
                say_error(problem, hint.as_deref());
                ExitCode::FAILURE
            }
            // Whoever read the output has seen enough: `workindex rank … | head`.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Failure::Output(error) => {
                say_error(&format!("cannot write to standard output: {error}"), None);
                ExitCode::FAILURE
            }
            Failure::BadNews => ExitCode::FAILURE,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Library(error)
    }
}

/// Only writing to standard output is done with a bare `?`; all other input and output says where.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

fn say_error(problem: &str, hint: Option<&str>) {
    console::complain(&format!("{} {problem}", console::red("error:")));
    if let Some(hint) = hint {
        console::complain(&format!("{} {hint}", console::bold(" hint:")));
    }
}

/// The error and its causes, as far as the error does not tell them itself.
fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text.push_str("\n       because: ");
            text.push_str(&told);
        }
        cause = error.source();
    }
    text
}

/// What to do about an error whose text does not say so.
fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::AlreadyExists { .. } => {
            "give a folder that is absent or empty; to add to an index that is there, use `workindex ingest`"
        }
        Error::Encoder { .. } => {
            "`--encoder built-in` needs no model directory; `workindex encoder fetch all-MiniLM-L6-v2` gets one that fits"
        }
        Error::UnknownSpace { available, .. } if available.is_empty() => {
            "nothing has been ingested yet: `workindex ingest esco`, `ingest onet` or `ingest table`"
        }
        Error::UnknownConcept { .. } => {
            "`workindex rank INDEX SPACE TEXT --format json` shows ids whole; a preferred label does as well"
        }
        Error::InvalidOption { option: "version" | "release", .. } => "say it with `--release R`",
        Error::InvalidOption { option: "language", .. } => "say it with `--language L`",
        Error::Locked { .. } => "wait for the other command to finish, or end it",
        _ => return None,
    };
    Some(hint.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let source = io::Error::other("the disk is on fire");
        let error = Error::Io { action: "read", path: "a.csv".into(), source };
        assert_eq!(with_causes(&error), "cannot read a.csv: the disk is on fire");
    }
}

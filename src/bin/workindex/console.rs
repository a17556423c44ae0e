//! What is printed where: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, StdoutLock, Write};

use workindex::{CancelToken, Monitor};

use crate::failure::Outcome;
use crate::progress;

/// How this run of the program talks, and how it is stopped.
pub struct Console {
    quiet: bool,
    cancel: CancelToken,
}

impl Console {
    pub fn new(quiet: bool, cancel: CancelToken) -> Self {
        Self { quiet, cancel }
    }

    /// Says something that is no result, unless the user wants results only.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            complain(&text.to_string());
        }
    }

    /// Whether progress can be shown without getting into the way of anything.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A monitor for long work: a progress bar on a terminal, and Ctrl-C.
    pub fn monitor(&self) -> Monitor {
        match self.shows_progress() {
            true => progress::monitor(self.cancel.clone()),
            false => Monitor::cancelled_by(self.cancel.clone()),
        }
    }

    /// A monitor that shows nothing, and Ctrl-C.
    pub fn silent_monitor(&self) -> Monitor {
        Monitor::cancelled_by(self.cancel.clone())
    }

    /// Stops here if Ctrl-C was pressed.
    pub fn check(&self) -> Outcome {
        match self.cancel.is_cancelled() {
            true => Err(workindex::Error::Cancelled.into()),
            false => Ok(()),
        }
    }
}

/// Standard output, buffered. `flush` it, so that nothing is lost and a full disk is noticed.
pub fn stdout() -> io::BufWriter<StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// Prints a result.
pub fn print(text: impl Display) -> Outcome {
    let mut out = stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Prints to standard error. If that is closed there is no one to tell.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Bold on a terminal.
pub fn bold(text: &str) -> String {
    styled(text, "1")
}

/// Red and bold on a terminal.
pub fn red(text: &str) -> String {
    styled(text, "1;31")
}

/// For standard error, where all coloured text that is no table goes.
fn styled(text: &str, code: &str) -> String {
    match io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_string(),
    }
}

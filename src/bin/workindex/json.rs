//! JSON output.

use std::io::Write;

use serde::Serialize;

use crate::console;
use crate::failure::Outcome;

/// Prints a value as indented JSON.
pub fn print(value: &impl Serialize) -> Outcome {
    let mut out = console::stdout();
    // Serialising to a writer fails only where the writer does: the values have text keys and finite numbers.
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

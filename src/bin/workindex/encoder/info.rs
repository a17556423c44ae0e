//! `workindex encoder info`: what a model directory is.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};
use workindex::{Encoder, Pooling};

use super::{BUILT_IN, Choice};
use crate::console::print;
use crate::failure::{Failure, Outcome};
use crate::{json, layout, units};

/// Show what a model directory is: family, sizes, fingerprint, files. Loads the model, so that it is known to work.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model directory in the sentence-transformers layout; `built-in` for the one that this program comes with.
    #[arg(value_name = "MODEL_DIR", default_value = BUILT_IN)]
    encoder: Choice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Outcome {
    let encoder = args.encoder.open()?;
    let files = files(&encoder)?;
    match args.json {
        true => json::print(&as_json(&encoder, &files)),
        false => print(as_text(&encoder, &files)),
    }
}

/// The model's files and their sizes.
fn files(encoder: &Encoder) -> Outcome<Vec<(String, u64)>> {
    let checkpoint = encoder.checkpoint();
    let size = |file: &PathBuf| {
        let path = checkpoint.dir().join(file);
        let metadata = std::fs::metadata(&path);
        let metadata = metadata.map_err(|e| Failure::plain(format!("cannot inspect {}: {e}", path.display())))?;
        Ok((file.display().to_string(), metadata.len()))
    };
    checkpoint.files().iter().map(size).collect()
}

fn as_text(encoder: &Encoder, files: &[(String, u64)]) -> String {
    let (checkpoint, settings) = (encoder.checkpoint(), encoder.settings());
    let limit = checkpoint.max_seq_length().unwrap_or(checkpoint.max_positions());
    let rows = [
        ("name", encoder.name().to_string()),
        ("family", format!("{}, {} layers", checkpoint.family(), checkpoint.layers())),
        ("dim", format!("{} values per token row", encoder.dim())),
        ("pooling", pooling(encoder).to_string()),
        ("max tokens", format!("{} by default, at most {limit}", settings.max_tokens)),
        ("rows", if settings.special_tokens { "all tokens" } else { "tokens of the text" }.to_string()),
        ("runs on", format!("{}, {}", encoder.runs_on(), settings.precision)),
        ("fingerprint", format!("{} (with default settings)", encoder.fingerprint())),
        ("files", units::bytes(files.iter().map(|(_, bytes)| bytes).sum())),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<12} {value}");
    }
    let mut table = layout::table(&[], None);
    for (file, bytes) in files {
        layout::add(&mut table, [file.clone(), units::bytes(*bytes)]);
    }
    layout::align_right(&mut table, &[1]);
    text + &layout::lines(&table, "            ")
}

fn as_json(encoder: &Encoder, files: &[(String, u64)]) -> Value {
    let checkpoint = encoder.checkpoint();
    json!({
        "name": encoder.name(),
        "family": checkpoint.family(),
        "layers": checkpoint.layers(),
        "dim": encoder.dim(),
        "pooling": pooling(encoder),
        "max_tokens": encoder.settings().max_tokens,
        "special_tokens": encoder.settings().special_tokens,
        "precision": encoder.settings().precision.to_string(),
        "runs_on": encoder.runs_on(),
        "max_seq_length": checkpoint.max_seq_length(),
        "max_positions": checkpoint.max_positions(),
        "fingerprint": encoder.fingerprint().to_string(),
        "files": files.iter().map(|(file, bytes)| json!({"file": file, "bytes": bytes})).collect::<Vec<_>>(),
    })
}

fn pooling(encoder: &Encoder) -> &'static str {
    match encoder.checkpoint().pooling() {
        Pooling::Mean => "mean",
        Pooling::Cls => "cls",
        Pooling::Max => "max",
    }
}

//! `workindex info`: what an index holds.

use std::fmt::Write;
use std::path::PathBuf;

use workindex::{EncoderInfo, IndexInfo, ReleaseInfo, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::{json, layout, units};

/// Show the spaces, releases, encoders and sizes of an index.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, _: &Console) -> Outcome {
    let info = WorkIndex::open(&args.index)?.info()?;
    match args.json {
        true => json::print(&info),
        false => print(describe(args, &info)),
    }
}

/// The bytes of an index: segments, catalog and copies of model files.
pub fn total_bytes(info: &IndexInfo) -> u64 {
    info.segment_bytes + info.catalog_bytes + info.encoders.iter().map(|encoder| encoder.bytes).sum::<u64>()
}

fn describe(args: &Args, info: &IndexInfo) -> String {
    let mut text = format!("{}  {}\n", args.index.display(), units::bytes(total_bytes(info)));
    text.push_str("\nspaces\n");
    text.push_str(&match info.releases.is_empty() {
        true => "  none yet: see `workindex ingest --help`".to_string(),
        false => layout::lines(&spaces(info), " "),
    });
    text.push_str("\n\nencoders\n");
    for encoder in &info.encoders {
        text.push_str(&describe_encoder(encoder));
    }
    let _ = write!(
        text,
        "\ntoken matrices\n  {} surface forms, {} token rows, {} in {}; catalog {}",
        units::count(info.surface_forms),
        units::count(info.token_rows),
        units::bytes(info.segment_bytes),
        units::counted(info.segments as usize, "segment"),
        units::bytes(info.catalog_bytes),
    );
    if info.dead_surface_forms > 0 {
        let dead = units::count(info.dead_surface_forms);
        let _ = write!(text, "\n  {dead} of them belong to no release");
    }
    if info.reclaimable_bytes > 0 {
        let bytes = units::bytes(info.reclaimable_bytes);
        let _ = write!(text, "\n  `workindex compact` would give {bytes} back");
    }
    for attribution in attributions(&info.releases) {
        let _ = write!(text, "\n\n{attribution}");
    }
    text
}

fn spaces(info: &IndexInfo) -> comfy_table::Table {
    let mut table = layout::table(&["space", "concepts", "surface forms", "relations of the release"], None);
    for release in &info.releases {
        for space in &release.spaces {
            let relations = units::count(release.relations);
            layout::add(
                &mut table,
                [space.name.clone(), units::count(space.concepts), release.forms.clone(), relations],
            );
        }
    }
    layout::align_right(&mut table, &[1, 3]);
    table
}

fn describe_encoder(encoder: &EncoderInfo) -> String {
    let current = if encoder.current { "" } else { " (of older releases)" };
    let how = match (encoder.max_tokens, encoder.special_tokens) {
        (Some(tokens), special) => {
            let special = if special == Some(true) { "with" } else { "without" };
            let precision = encoder.precision.unwrap_or_default();
            let bytes = units::bytes(encoder.bytes);
            format!("{tokens} tokens per text, {special} [CLS] and [SEP], {precision}, {bytes}")
        }
        (None, _) => "declared: it runs elsewhere".to_string(),
    };
    format!("  {}{current}: {} values per token, {how}\n    {}\n", encoder.name, encoder.dim, encoder.fingerprint)
}

/// What output with concepts of these releases must say, each once.
fn attributions(releases: &[ReleaseInfo]) -> Vec<&str> {
    let mut texts: Vec<&str> = Vec::new();
    for text in releases.iter().filter_map(|release| release.attribution.as_deref()) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

//! What an ingest tells of itself.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use workindex::{Defect, IngestReport, KindReport, ReadReport};

use super::Done;
use crate::{layout, units};

/// The report for people.
pub fn as_text(done: &Done) -> String {
    let Done { release, read, ingest, .. } = done;
    let mut text = format!("{} {} ({})\n", release.ontology(), release.version(), release.language());
    describe_reading(&mut text, read, done.reading);
    let _ = match (&ingest.previous, ingest.unchanged) {
        (_, true) => writeln!(text, "\nunchanged: the index has this very release already"),
        (Some(previous), _) => writeln!(text, "\nspaces, compared with {previous}"),
        (None, _) => writeln!(text, "\nspaces"),
    };
    let _ = writeln!(text, "{}", layout::lines(&kinds(ingest), " "));
    let _ = write!(text, "\n{}", texts(ingest, done.ingesting));
    let _ = write!(text, "\n{}: {}", done.index.display(), units::bytes(done.index_bytes));
    if let Some(attribution) = release.attribution() {
        let _ = write!(text, "\n\n{attribution}");
    }
    text
}

fn describe_reading(text: &mut String, read: &ReadReport, time: Duration) {
    let rows: u64 = read.files.iter().map(|(_, rows)| rows).sum();
    let files = units::counted(read.files.len(), "file");
    let _ = writeln!(text, "\nread {files}, {} rows, in {}", units::count(rows), units::duration(time));
    let mut table = layout::table(&["file", "rows"], None);
    for (file, rows) in &read.files {
        layout::add(&mut table, [file.clone(), units::count(*rows)]);
    }
    layout::align_right(&mut table, &[1]);
    let _ = writeln!(text, "{}", layout::lines(&table, " "));
    if !read.unused_files.is_empty() {
        let _ = writeln!(text, "  not used: {}", read.unused_files.join(", "));
    }
    if !read.defects.is_empty() {
        let _ = writeln!(text, "\ndefects in the files, read around");
    }
    for Defect { file, kind, count, examples } in &read.defects {
        let _ = writeln!(text, "  {file}: {} {}", units::count(*count), kind.as_str());
        for example in examples {
            let _ = writeln!(text, "      {}", layout::cut(&example.replace(['\n', '\r'], " "), 110));
        }
    }
}

fn kinds(ingest: &IngestReport) -> comfy_table::Table {
    let mut table = layout::table(&["space", "concepts", "added", "removed", "relabelled"], None);
    for kind in &ingest.kinds {
        let numbers = [kind.concepts, kind.added, kind.removed, kind.relabelled];
        let numbers = numbers.into_iter().map(|n| units::count(n as u64));
        layout::add(&mut table, std::iter::once(kind.space.clone()).chain(numbers));
    }
    layout::align_right(&mut table, &[1, 2, 3, 4]);
    table
}

fn texts(ingest: &IngestReport, time: Duration) -> String {
    let texts = units::counted(ingest.texts, "text");
    let mut text = match ingest.embedded {
        0 => format!("{texts}, all embedded before; {}", units::duration(time)),
        n => {
            let rate = units::rate(n, time);
            let (n, time) = (units::count(n as u64), units::duration(time));
            format!("{texts}, {n} of them embedded now, in {time}: {rate:.0} texts/s")
        }
    };
    if ingest.truncated > 0 {
        let _ = write!(text, "; {} longer than the encoder reads, and cut", units::count(ingest.truncated as u64));
    }
    text
}

/// The report for programs.
pub fn as_json(done: &Done) -> Value {
    let Done { release, read, ingest, .. } = done;
    json!({
        "ontology": release.ontology(),
        "version": release.version(),
        "language": release.language(),
        "attribution": release.attribution(),
        "read": {
            "files": read.files.iter().map(|(file, rows)| json!({"file": file, "rows": rows})).collect::<Vec<_>>(),
            "unused_files": read.unused_files,
            "defects": read.defects.iter().map(defect).collect::<Vec<_>>(),
            "seconds": done.reading.as_secs_f64(),
        },
        "unchanged": ingest.unchanged,
        "previous": ingest.previous,
        "spaces": ingest.kinds.iter().map(kind).collect::<Vec<_>>(),
        "relations": release.relations().len(),
        "texts": ingest.texts,
        "embedded": ingest.embedded,
        "truncated": ingest.truncated,
        "seconds": done.ingesting.as_secs_f64(),
        "index_bytes": done.index_bytes,
    })
}

fn defect(defect: &Defect) -> Value {
    let Defect { file, kind, count, examples } = defect;
    json!({"file": file, "what": kind.as_str(), "count": count, "examples": examples})
}

fn kind(kind: &KindReport) -> Value {
    json!({
        "space": kind.space,
        "concepts": kind.concepts,
        "added": kind.added,
        "removed": kind.removed,
        "relabelled": kind.relabelled,
    })
}

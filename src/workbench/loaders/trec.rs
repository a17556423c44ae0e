//! Sets in TREC's manner: queries, a corpus, and judgements of which belong together. Title similarity, and MELO ("MELO: An
//! Evaluation Benchmark for Multilingual Entity Linking of Occupations", 2024), whose corpus are the surface forms of ESCO's
//! occupations. Neither is split: their one set is given for validation and for test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Job, Loaded};
use crate::error::Result;
use crate::ontology::Kind;
use crate::ontology::source::Dialect;
use crate::workbench::data::{Data, Header, each_row, row_error};
use crate::workbench::task::{SetName, Task};

const MELO: &str = "melo_";

/// Where the three files of a set are, and how they are written.
struct Files {
    folder: String,
    queries: &'static str,
    corpus: &'static str,
    judgements: &'static str,
    texts: Header<'static>,
}

/// One set for each folder of MELO.
pub(super) fn melo_sets(data: &Data) -> Vec<SetName> {
    let folders = data.annotation_folders(MELO);
    match folders.is_empty() {
        true => vec![SetName::of(Task::Melo)],
        false => folders.iter().map(|name| SetName::part(Task::Melo, &name[MELO.len()..])).collect(),
    }
}

pub(super) fn title_similarity(job: &Job<'_>) -> Result<Loaded> {
    load(
        job,
        &Files {
            folder: "title_similarity".to_string(),
            queries: "queries",
            corpus: "corpus_elements",
            judgements: "qrels.tsv",
            texts: Header::Named(&[&["q_id", "c_id"], &["jobtitle"]]),
        },
    )
}

pub(super) fn melo(job: &Job<'_>) -> Result<Loaded> {
    if job.set.part_name().is_empty() {
        return Ok(Loaded::Missing(format!("workbench/{MELO}<name>/")));
    }
    load(
        job,
        &Files {
            folder: format!("{MELO}{}", job.set.part_name()),
            queries: "queries.tsv",
            corpus: "corpus_elements.tsv",
            judgements: "annotations.tsv",
            texts: Header::Without(&["id", "text"]),
        },
    )
}

fn load(job: &Job<'_>, files: &Files) -> Result<Loaded> {
    let mut paths = Vec::new();
    for name in [files.queries, files.corpus, files.judgements] {
        match job.annotations(&format!("{}/{name}", files.folder)) {
            Ok(path) => paths.push(path),
            Err(looked_for) => return Ok(Loaded::Missing(looked_for)),
        }
    }
    let [queries, corpus, judgements]: &[PathBuf; 3] = match paths.as_slice().try_into() {
        Ok(paths) => paths,
        Err(_) => return Ok(Loaded::Missing(format!("workbench/{}", files.folder))),
    };
    let mut builder = job.builder(Kind::OCCUPATION.as_str(), Kind::OCCUPATION);
    let mut targets: HashMap<String, u32> = HashMap::new();
    each_row(corpus, Dialect::TabUnquoted, &files.texts, job.monitor, |fields, line| {
        let (id, text) = id_and_text(corpus, fields, line)?;
        let target = builder.target(&text, []);
        once(corpus, line, &id, targets.insert(id.clone(), target).is_none())
    })?;
    let mut texts: HashMap<String, String> = HashMap::new();
    each_row(queries, Dialect::TabUnquoted, &files.texts, job.monitor, |fields, line| {
        let (id, text) = id_and_text(queries, fields, line)?;
        // With no positives yet, so that queries keep the order of their file.
        builder.query(&text, []);
        once(queries, line, &id, texts.insert(id.clone(), text).is_none())
    })?;
    let header = Header::Without(&["query", "iteration", "target", "relevance"]);
    each_row(judgements, Dialect::TabUnquoted, &header, job.monitor, |fields, line| {
        let (query, target, relevance) = judgement(judgements, fields, line)?;
        let unknown = |column, id: &str| row_error(judgements, line, column, format!("no text has the id `{id}`"));
        let text = texts.get(query).ok_or_else(|| unknown("query", query))?;
        let target = targets.get(target).ok_or_else(|| unknown("target", target))?;
        if relevance > 0.0 {
            builder.query(text, [*target]);
        }
        Ok(())
    })?;
    builder.leave_out("targets of the same text, merged", targets.len().saturating_sub(builder.n_targets()));
    let origin = builder.origin();
    origin.files = [queries, corpus, judgements].map(|path| job.data.relative(path)).to_vec();
    origin.selection = Some("not split: the same for validation and test".to_string());
    Ok(Loaded::Ready(Box::new(builder.finish())))
}

/// Refuses an id that was there before.
fn once(path: &Path, line: u64, id: &str, first: bool) -> Result<()> {
    match first {
        true => Ok(()),
        false => Err(row_error(path, line, "id", format!("another text has the id `{id}` too"))),
    }
}

fn id_and_text(path: &Path, fields: &[&str], line: u64) -> Result<(String, String)> {
    match fields {
        &[id, text] if !id.is_empty() && !text.is_empty() => Ok((id.to_string(), text.to_string())),
        _ => Err(row_error(path, line, "text", "an id and a text are expected, with a tab between them".to_string())),
    }
}

/// A judgement; its fields may stand between tabs or, as elsewhere in TREC, spaces.
fn judgement<'f>(path: &Path, fields: &[&'f str], line: u64) -> Result<(&'f str, &'f str, f64)> {
    let apart: Vec<&str> = match fields {
        [all, "", ..] => all.split_whitespace().collect(),
        fields => fields.to_vec(),
    };
    let expected = "query, iteration, target and relevance are expected";
    let &[query, _, target, relevance] = apart.as_slice() else {
        return Err(row_error(path, line, "query", expected.to_string()));
    };
    match relevance.parse() {
        Ok(relevance) => Ok((query, target, relevance)),
        Err(_) => Err(row_error(path, line, "relevance", format!("a number is expected, not {relevance:?}"))),
    }
}

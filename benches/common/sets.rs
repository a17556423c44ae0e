//! An indexed target space and the f32 rows it was made of.

use std::path::{Path, PathBuf};
use std::time::Instant;

use workindex::{
    Concept, DeclaredEncoder, Encoder, Kind, Monitor, Release, ReleaseBuilder, Space, TokenMatrix, WorkIndex,
};

use super::Cache;
use super::targets::Nested;

/// Texts encoded, and kept in one file, at a time.
const PART: usize = 4096;
const SPACE: &str = "bench/skill/en";

/// One size of target space.
pub struct TargetSet {
    /// As people say it: `14k`.
    pub name: String,
    pub space: Space,
    /// Token rows of the index.
    pub n_rows: usize,
    parts: Vec<PathBuf>,
}

/// Token rows of a target space, of unit length, one target after the other.
pub struct Rows {
    pub dim: usize,
    pub values: Vec<f32>,
    /// Where each target's values end.
    pub ends: Vec<usize>,
}

impl Rows {
    /// The values of each target.
    pub fn targets(&self) -> impl Iterator<Item = &[f32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.values[start..end])
    }
}

/// A matrix's rows scaled to unit length; a row of zeros stays as it is.
pub fn unit_rows(matrix: &TokenMatrix) -> Vec<f32> {
    let unit = |row: &[f32]| {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        row.iter().map(|v| v * scale).collect::<Vec<f32>>()
    };
    matrix.rows().flat_map(unit).collect()
}

impl TargetSet {
    /// The sets of all sizes, from small to large; what is kept from an earlier run is used.
    pub fn prepare_all(nested: &Nested, encoder: &Encoder, cache: &Cache) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut prepare = |&size: &usize| {
            parts.extend(encode(&nested.texts[start..size], encoder, cache));
            start = size;
            Self::prepare(&nested.texts[..size], &parts, encoder, cache)
        };
        nested.sizes.iter().map(&mut prepare).collect()
    }

    fn prepare(texts: &[String], parts: &[PathBuf], encoder: &Encoder, cache: &Cache) -> Self {
        let path = cache.path("indexes", texts, "index");
        if open(&path, texts.len()).is_none() {
            build(&path, texts, parts, encoder);
        }
        let (index, space) = open(&path, texts.len()).expect("an index of all texts");
        let n_rows = index.info().expect("an intact index").token_rows as usize;
        let name =
            if texts.len() < 1000 { texts.len().to_string() } else { format!("{}k", (texts.len() + 500) / 1000) };
        eprintln!("{name}: {} targets, {n_rows} rows, {}", texts.len(), path.display());
        Self { name, space, n_rows, parts: parts.to_vec() }
    }

    /// The rows that the index was made of, read again.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows { dim: 0, values: Vec::new(), ends: Vec::with_capacity(self.space.len()) };
        for part in &self.parts {
            for matrix in workindex::read_matrices(part).expect("kept token matrices") {
                if rows.dim == 0 {
                    rows.dim = matrix.dim();
                    rows.values.reserve_exact(self.n_rows * rows.dim);
                }
                rows.values.extend(unit_rows(&matrix));
                rows.ends.push(rows.values.len());
            }
        }
        rows
    }
}

fn open(path: &Path, n_targets: usize) -> Option<(WorkIndex, Space)> {
    let index = WorkIndex::open(path).ok()?;
    let space = index.space(SPACE).ok()?;
    (space.len() == n_targets).then_some((index, space))
}

/// Encodes texts part by part, so that a run that is stopped goes on where it was.
fn encode(texts: &[String], encoder: &Encoder, cache: &Cache) -> Vec<PathBuf> {
    let mut done = 0;
    let mut part = |part: &[String]| {
        let start = Instant::now();
        let path = cache.encode("rows", encoder, part);
        done += part.len();
        if start.elapsed().as_secs() > 0 {
            eprintln!(
                "encoded {done} of {} texts, {:.0} a second",
                texts.len(),
                part.len() as f64 / start.elapsed().as_secs_f64()
            );
        }
        path
    };
    texts.chunks(PART).map(&mut part).collect()
}

/// Makes an index of the token matrices, in which a target's id and position are its place among the texts.
fn build(path: &Path, texts: &[String], parts: &[PathBuf], encoder: &Encoder) {
    eprintln!("building {}", path.display());
    // What a run that was stopped may have left; the path is this bench's own.
    _ = std::fs::remove_dir_all(path);
    std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a folder");
    let matrices: Vec<TokenMatrix> =
        parts.iter().flat_map(|part| workindex::read_matrices(part).expect("kept token matrices")).collect();
    let declared = DeclaredEncoder::new(encoder.name(), encoder.dim()).expect("a name and a dimension");
    let mut writer = WorkIndex::create_declared(path, &declared).expect("a new index");
    writer.ingest_matrices(&release(texts), &matrices, &Monitor::silent()).expect("an ingest");
    writer.commit().expect("a commit");
}

fn release(texts: &[String]) -> Release {
    let mut builder = ReleaseBuilder::new("bench", "1", "en").expect("a name");
    for (row, text) in (0..).zip(texts) {
        builder.add(Concept::new(row.to_string(), Kind::SKILL, text), "texts", row);
    }
    builder.finish().0
}

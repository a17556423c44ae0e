//! What judging a set gave, as it is kept: for every query and system, the ranks of the positives. Everything else (metrics at any
//! cut-off, intervals, comparisons) is computed from these.
//!
//! A record is a safetensors file: `offsets` (queries + 1, I64) says which ranks are a query's; `ranks` (systems × positives, U32) are from
//! 1 and rising within a query; `labels` (queries, U8) is 1 where the query is a label of a target. The metadata `workindex` is a [`Head`]
//! in JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::dataset::Origin;
use super::metrics::Metric;
use super::task::{SetName, Split};
use crate::error::{Error, Result};

/// The version of this layout.
pub(super) const VERSION: u32 = 1;

/// What is said of a set and its systems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The set.
    pub set: SetName,
    /// The part of the set.
    pub split: Split,
    /// What the queries are.
    pub query_kind: String,
    /// What the targets are.
    pub target_kind: String,
    /// Where the set comes from.
    pub origin: Origin,
    /// Identifies queries, positives and targets.
    pub hash: String,
    /// How many queries, all with positives.
    pub queries: usize,
    /// How many targets.
    pub targets: usize,
    /// Positives of all queries.
    pub positives: usize,
    /// Queries in which the encoder found nothing to embed: their positives rank last.
    pub unembedded: usize,
    /// What was judged, in the order of the ranks.
    pub systems: Vec<JudgedSystem>,
    /// Seconds of wall-clock time.
    pub seconds: Seconds,
    /// Identifies all that the ranks depend on.
    pub key: String,
    /// The version of the layout.
    pub version: u32,
}

/// A system on a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedSystem {
    /// Its name: `soft-0.1-both`, `bm25`.
    pub id: String,
    /// In words: the rule that it was on this set.
    pub description: String,
    /// Why it was not judged on this set, where it was not; it then has no ranks.
    pub not_judged: Option<String>,
}

/// How long a set took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Seconds {
    /// Embedding and committing targets.
    pub targets: f64,
    /// Encoding queries and scoring all targets for them, by all systems of the encoder.
    pub ranking: f64,
    /// The lexical baselines.
    pub lexical: f64,
}

/// The ranks of a set's positives by every system.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What is said of it.
    pub head: Head,
    offsets: Vec<usize>,
    /// System after judged system.
    ranks: Vec<Vec<u32>>,
    labels: Vec<bool>,
}

impl Record {
    /// From the number of positives of each query, whether each is a label, and the ranks by each judged system, query after query.
    pub(super) fn new(head: Head, counts: &[usize], labels: Vec<bool>, ranks: Vec<Vec<u32>>) -> Self {
        let mut offsets = vec![0];
        for count in counts {
            offsets.push(offsets.last().copied().unwrap_or(0) + count);
        }
        Self { head, offsets, ranks, labels }
    }

    /// The ranks of each query's positives by a system of the head; `None` if it was not judged.
    pub fn ranks(&self, system: usize) -> Option<impl Iterator<Item = &[u32]>> {
        let judged = |system: &&JudgedSystem| system.not_judged.is_none();
        self.head.systems.get(system).filter(judged)?;
        let at = self.head.systems.get(..system)?.iter().filter(judged).count();
        let ranks = self.ranks.get(at)?;
        Some(self.offsets.windows(2).map(|ends| ranks.get(ends[0]..ends[1]).unwrap_or_default()))
    }

    /// A metric of every query by a system.
    pub(super) fn values(&self, system: usize, metric: Metric) -> Option<Vec<f32>> {
        Some(self.ranks(system)?.map(|ranks| metric.of(ranks).unwrap_or(0.0) as f32).collect())
    }

    /// For each query, whether it is a label of a target.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// Writes the record to a file, which is there whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let head = serde_json::to_string(&self.head).map_err(|error| unwritable(path, error))?;
        let metadata = HashMap::from([("workindex".to_string(), head)]);
        let offsets = self.offsets.iter().flat_map(|&offset| (offset as i64).to_le_bytes()).collect();
        let ranks = self.ranks.iter().flatten().flat_map(|rank| rank.to_le_bytes()).collect();
        let labels = self.labels.iter().map(|&label| u8::from(label)).collect();
        let positives = self.offsets.last().copied().unwrap_or(0);
        let tensors = [
            ("offsets", Bytes { dtype: Dtype::I64, shape: vec![self.offsets.len()], bytes: offsets }),
            ("ranks", Bytes { dtype: Dtype::U32, shape: vec![self.ranks.len(), positives], bytes: ranks }),
            ("labels", Bytes { dtype: Dtype::U8, shape: vec![self.labels.len()], bytes: labels }),
        ];
        let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| unwritable(path, error))?;
        super::files::write(path, &bytes)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] when the file is no record of this version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::parse(&bytes).map_err(|problem| Error::Input {
            path: path.to_path_buf(),
            row: None,
            column: None,
            problem: format!("not a result of this version of workindex: {problem}; remove it to judge the set again"),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| text(&error))?;
        let head = metadata.metadata().as_ref().and_then(|metadata| metadata.get("workindex"));
        let head: Head = serde_json::from_str(head.ok_or("no metadata")?).map_err(|error| text(&error))?;
        if head.version != VERSION {
            return Err(format!("its layout is version {}, and {VERSION} is read", head.version));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| text(&error))?;
        let tensor = |name: &str, dtype: Dtype| {
            let tensor = tensors.tensor(name).map_err(|error| text(&error))?;
            if tensor.dtype() != dtype { Err(format!("{name} is {:?}", tensor.dtype())) } else { Ok(tensor.data()) }
        };
        let words =
            |bytes: &[u8]| -> Vec<u32> { bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect() };
        let offset = |bytes: &[u8; 8]| usize::try_from(i64::from_le_bytes(*bytes)).map_err(|error| text(&error));
        let offsets =
            tensor("offsets", Dtype::I64)?.as_chunks::<8>().0.iter().map(offset).collect::<Result<Vec<_>, _>>()?;
        let labels: Vec<bool> = tensor("labels", Dtype::U8)?.iter().map(|&label| label != 0).collect();
        let all = words(tensor("ranks", Dtype::U32)?);
        let judged = head.systems.iter().filter(|system| system.not_judged.is_none()).count();
        let rising = |ranks: &[u32]| ranks.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = Some(offsets.len()) == head.queries.checked_add(1)
            && offsets.first() == Some(&0)
            && offsets.windows(2).all(|ends| ends[0] < ends[1])
            && offsets.last() == Some(&head.positives)
            && labels.len() == head.queries
            && Some(all.len()) == head.positives.checked_mul(judged)
            && all.iter().all(|&rank| rank >= 1 && rank as usize <= head.targets);
        if !fits {
            return Err("its parts contradict each other".to_string());
        }
        let ranks: Vec<Vec<u32>> =
            (0..judged).map(|at| all[at * head.positives..(at + 1) * head.positives].to_vec()).collect();
        if !ranks.iter().all(|ranks| offsets.windows(2).all(|ends| rising(&ranks[ends[0]..ends[1]]))) {
            return Err("its ranks do not rise".to_string());
        }
        Ok(Self { head, offsets, ranks, labels })
    }
}

/// Where the record of a set is.
pub(super) fn record_path(out: &Path, set: &SetName) -> PathBuf {
    out.join("sets").join(format!("{}.safetensors", set.file_stem()))
}

/// A key for all that ranks depend on.
pub(super) fn key(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_string()
}

fn unwritable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Io { action: "write", path: path.to_path_buf(), source: std::io::Error::other(error) }
}

struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::task::Task;
    use super::*;

    /// Two queries with three positives, by two judged systems of three.
    pub(in super::super) fn record(set: SetName, ranks: [[u32; 3]; 2]) -> Record {
        let system = |id: &str, not_judged: Option<&str>| JudgedSystem {
            id: id.to_string(),
            description: id.to_string(),
            not_judged: not_judged.map(str::to_string),
        };
        let head = Head {
            set,
            split: Split::Test,
            query_kind: "skill".to_string(),
            target_kind: "skill".to_string(),
            origin: Origin::default(),
            hash: "h".to_string(),
            queries: 2,
            targets: 9,
            positives: 3,
            unembedded: 0,
            systems: vec![system("a", None), system("b", Some("because")), system("c", None)],
            seconds: Seconds::default(),
            key: "k".to_string(),
            version: VERSION,
        };
        Record::new(head, &[1, 2], vec![true, false], ranks.map(Vec::from).into())
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, record) =
            (folder.path().join("a.safetensors"), record(SetName::of(Task::Melo), [[3, 1, 2], [1, 4, 9]]));
        record.write(&path).unwrap();
        let read = Record::read(&path).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.ranks(2).unwrap().collect::<Vec<_>>(), [&[1][..], &[4, 9]]);
        assert!(read.ranks(1).is_none() && read.ranks(3).is_none());
        assert_eq!(read.values(0, Metric::Map), Some(vec![1.0 / 3.0, 1.0]));
    }

    #[test]
    fn damaged_records_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        record(SetName::of(Task::Melo), [[3, 1, 2], [1, 4, 10]]).write(&path).unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("contradict"));
        record(SetName::of(Task::Melo), [[3, 2, 1], [1, 4, 9]]).write(&path).unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("rise"));
        let mut other = record(SetName::of(Task::Melo), [[3, 1, 2], [1, 4, 9]]);
        other.head.version += 1;
        other.write(&path).unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("version 2"));
        record(SetName::of(Task::Melo), [[3, 1, 2], [1, 4, 9]]).write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(Record::read(&path).is_err(), "{at}");
        }
    }
}

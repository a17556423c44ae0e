//! An index that is written, read, compacted and reopened for a long time in one process takes no more memory, descriptors
//! and disk in the end than in the beginning. `WORKINDEX_SOAK_SECONDS` says how long; a few seconds without it.
#![cfg(target_os = "linux")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::*;
use workindex::{Concept, IndexWriter, IngestOptions, Kind, Monitor, RankOptions, Release, ReleaseBuilder, WorkIndex};

/// Releases that stay.
const KEPT: u64 = 4;
/// Steps from one compaction, and so from one sample, to the next.
const ROUND: u64 = 20;

/// What the process and its index take.
#[derive(Debug, Clone, Copy)]
struct Sample {
    resident: u64,
    descriptors: u64,
    threads: u64,
    disk: u64,
}

impl Sample {
    fn now(index: &Path) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        Self { resident: field("VmRSS") * 1024, descriptors, threads: field("Threads"), disk: size_of_folder(index) }
    }

    /// The largest of each.
    fn worst(samples: &[Self]) -> Self {
        let most = |of: fn(&Self) -> u64| samples.iter().map(of).max().unwrap();
        let (resident, descriptors) = (most(|s| s.resident), most(|s| s.descriptors));
        Self { resident, descriptors, threads: most(|s| s.threads), disk: most(|s| s.disk) }
    }
}

/// A release of 24 texts, of which the next one has half.
fn release_of(step: u64) -> Release {
    let words = ["weld", "teach", "care", "drive", "sing", "plan", "mill", "cut", "manage", "repair", "clean"];
    let mut builder = ReleaseBuilder::new("list", &step.to_string(), "en").unwrap();
    for at in 0..24u64 {
        let n = step * 12 + at;
        let [a, b, c] = [n, n / 11, n / 121].map(|n| words[(n % 11) as usize]);
        let mut concept = Concept::new(format!("id-{n}"), Kind::SKILL, format!("{a} {b} {c} {}", n % 997));
        concept.description = Some(format!("what it is to {a} and {b}"));
        concept.attributes.insert("level".to_string(), vec![(n % 5).to_string()]);
        builder.add(concept, "soak", at + 1);
    }
    builder.finish().0
}

struct Soak {
    path: PathBuf,
    writer: Option<IndexWriter>,
    index: WorkIndex,
    step: u64,
    _folder: tempfile::TempDir,
}

impl Soak {
    fn new() -> Self {
        let (folder, path) = scratch();
        let writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
        let index = WorkIndex::open(&path).unwrap();
        Self { path, writer: Some(writer), index, step: 0, _folder: folder }
    }

    /// Ingests, drops, and asks; at the end of a round compacts, and at the end of some verifies and reopens.
    fn step(&mut self) {
        let (step, monitor) = (self.step, Monitor::silent());
        self.step += 1;
        let writer = self.writer.as_mut().unwrap();
        writer.ingest(&release_of(step), &IngestOptions::default(), &monitor).unwrap();
        if step % 5 == 3 {
            writer.abort();
            writer.ingest(&release_of(step), &IngestOptions::default(), &monitor).unwrap();
        }
        if step >= KEPT {
            writer.drop_release(&format!("list@{}/skill/en", step - KEPT)).unwrap();
        }
        writer.commit().unwrap();
        if step % 7 == 0 {
            writer.collect().unwrap();
        }
        if step % ROUND == ROUND - 1 {
            writer.compact(&monitor).unwrap();
        }
        self.ask();
        if step % (ROUND * 5) == ROUND * 5 - 1 {
            assert_intact(&self.index);
            self.writer = None;
            self.writer = Some(WorkIndex::writer(&self.path).unwrap());
            self.index = WorkIndex::open(&self.path).unwrap();
        }
    }

    fn ask(&self) {
        assert!(self.index.refresh().unwrap());
        let space = self.index.space("list/skill/en").unwrap();
        assert_eq!(space.name().version(), Some(self.step.saturating_sub(1).to_string().as_str()));
        std::thread::scope(|scope| {
            for text in ["weld and cut", "teach singing"] {
                let (space, index) = (&space, &self.index);
                scope.spawn(move || {
                    assert_eq!(space.rank(text, &RankOptions::top(5)).unwrap().len(), 5);
                    let oldest = &index.info().unwrap().releases[0].spaces[0].name;
                    assert_eq!(index.space(oldest).unwrap().rank(text, &RankOptions::full()).unwrap().len(), 24);
                });
            }
        });
    }
}

#[test]
fn memory_descriptors_and_disk_stay_flat() {
    let asked = std::env::var("WORKINDEX_SOAK_SECONDS").ok().and_then(|n| n.parse().ok());
    let time = Duration::from_secs(asked.unwrap_or(4));
    let (start, mut soak, mut samples) = (Instant::now(), Soak::new(), Vec::new());
    // Slow machines still see enough of it.
    while start.elapsed() < time || samples.len() < 8 {
        (0..ROUND).for_each(|_| soak.step());
        samples.push(Sample::now(&soak.path));
    }
    // What is loaded once, and what allocators keep, is there after a fifth.
    let warm = &samples[samples.len() / 5..];
    let (early, late) = warm.split_at(warm.len() / 2);
    let (early, late) = (Sample::worst(early), Sample::worst(late));
    eprintln!(
        "{} steps in {:?}; worst of the first half {early:?}, of the second {late:?}",
        soak.step,
        start.elapsed()
    );
    assert!(late.resident <= early.resident + early.resident / 10 + (4 << 20), "resident memory grows");
    assert!(late.descriptors <= early.descriptors + 2, "descriptors are left open");
    assert!(late.threads <= early.threads + 2, "threads are left running");
    // The catalog grows by halves, and how much of it compaction gives back depends on what the reader holds.
    assert!(late.disk <= early.disk + early.disk / 4 + (256 << 10), "disk space is not given back");
}

//! Opening, encoding, scanning, end to end, ingesting: with the plain f32 scan in the same run as the baseline.
//!
//! With `WORKINDEX_DATA` and `WORKINDEX_ENCODER` set: ESCO 1.1.1 and the pretrained encoder, kept as an index below `target/`
//! between runs. Without them: the mini ontology and the tiny random encoder of `fixtures/`, whose figures say nothing about
//! real use. `cargo bench --bench speed`.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use workindex::{Encoder, IngestOptions, Monitor, RankOptions, Release, Space, TokenMatrix, WorkIndex, esco};

const TITLE: &str = "Senior data engineer (Python, cloud)";
const SENTENCE: &str =
    "We are looking for someone who can weld stainless steel pipes, read technical drawings and work in shifts.";

struct Setup {
    encoder: Encoder,
    release: Release,
    index: PathBuf,
}

fn from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_dir())
}

/// The release and the encoder to measure with, and an index of both.
fn setup() -> Setup {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = from_env("WORKINDEX_DATA").zip(from_env("WORKINDEX_ENCODER"));
    let (source, model) = match &real {
        Some((data, model)) => (data.join("esco/1.1.1"), model.clone()),
        None => (root.join("fixtures/mini-esco/1.1.0"), root.join("fixtures/encoder/tiny-bert")),
    };
    let version = source.file_name().map(|name| name.to_string_lossy().into_owned());
    let options = esco::Options { version, ..Default::default() };
    let (release, _) = esco::read(&archives(&source), &options, &Monitor::silent()).expect("a readable ESCO release");
    let encoder = Encoder::open(&model).expect("a model directory");
    let index = root.join("target").join(format!("bench-{}.index", encoder.fingerprint()));
    if WorkIndex::open(&index).is_err() {
        let mut writer = WorkIndex::create(&index, &encoder).expect("a new index");
        writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).expect("an ingest");
        writer.commit().expect("a commit");
    }
    Setup { encoder, release, index }
}

/// The archives in a folder, or the folder itself.
fn archives(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| Some(entry.ok()?.path()));
    let zips: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "zip")).collect();
    if zips.is_empty() { vec![folder.to_path_buf()] } else { zips }
}

/// The obvious way: all rows in f32, unit length, one target after the other; soft late interaction in both directions.
struct PlainScan {
    dim: usize,
    rows: Vec<f32>,
    ends: Vec<usize>,
}

fn unit_rows(matrix: &TokenMatrix) -> Vec<f32> {
    let unit = |row: &[f32]| {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter().map(|v| v / norm).collect::<Vec<f32>>()
    };
    matrix.rows().flat_map(unit).collect()
}

fn soft_mean(cosines: impl Iterator<Item = f32> + Clone) -> f32 {
    let weight = |c: f32| ((c - 1.0) / 0.1).exp();
    let (sum, total) = cosines.fold((0.0, 0.0), |(sum, total), c| (sum + weight(c) * c, total + weight(c)));
    sum / total
}

impl PlainScan {
    fn new(matrices: &[TokenMatrix]) -> Self {
        let mut scan = Self { dim: matrices[0].dim(), rows: Vec::new(), ends: Vec::new() };
        for matrix in matrices {
            scan.rows.extend(unit_rows(matrix));
            scan.ends.push(scan.rows.len());
        }
        scan
    }

    fn rank(&self, query: &[f32], k: usize) -> Vec<(f32, usize)> {
        let mut start = 0;
        let mut scored = Vec::with_capacity(self.ends.len());
        for (target, &end) in self.ends.iter().enumerate() {
            scored.push((self.score(query, &self.rows[start..end]), target));
            start = end;
        }
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.truncate(k);
        scored
    }

    fn score(&self, query: &[f32], target: &[f32]) -> f32 {
        let (m, n) = (query.len() / self.dim, target.len() / self.dim);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let rows = || query.chunks_exact(self.dim);
        let cosines: Vec<f32> = rows().flat_map(|q| target.chunks_exact(self.dim).map(move |t| dot(q, t))).collect();
        let forward: f32 = (0..m).map(|i| soft_mean(cosines[i * n..(i + 1) * n].iter().copied())).sum();
        let backward: f32 =
            (0..n).map(|j| soft_mean((0..m).map(|i| cosines[i * n + j]).collect::<Vec<_>>().into_iter())).sum();
        (forward / m as f32 + backward / n as f32) / 2.0
    }
}

fn open(c: &mut Criterion, setup: &Setup) {
    c.bench_function("open/index and space", |b| {
        b.iter(|| WorkIndex::open(&setup.index).unwrap().space("esco/skill/en").unwrap().len())
    });
}

fn encode(c: &mut Criterion, setup: &Setup) {
    let mut group = c.benchmark_group("encode");
    group.sample_size(20);
    group.bench_function("title", |b| b.iter(|| setup.encoder.encode(black_box(TITLE)).unwrap()));
    group.bench_function("sentence", |b| b.iter(|| setup.encoder.encode(black_box(SENTENCE)).unwrap()));
    let labels: Vec<&str> = setup.release.concepts().iter().take(512).map(|c| c.label.as_str()).collect();
    group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(labels.len() as u64));
    for threads in thread_counts() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        group.bench_function(BenchmarkId::new("labels", format!("{threads} threads")), |b| {
            b.iter(|| pool.install(|| setup.encoder.encode_batch(&labels, &Monitor::silent()).unwrap().len()))
        });
    }
}

fn thread_counts() -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    if all > 1 { vec![1, all] } else { vec![1] }
}

fn scan(c: &mut Criterion, setup: &Setup, space: &Space) {
    let skills = setup.release.concepts().iter().filter(|concept| concept.kind.as_str() == "skill");
    let labels: Vec<&str> = skills.map(|concept| concept.label.as_str()).collect();
    let encoded = setup.encoder.encode_batch(&labels, &Monitor::silent()).unwrap();
    let plain = PlainScan::new(&encoded.into_iter().map(|encoded| encoded.matrix).collect::<Vec<_>>());
    let mut group = c.benchmark_group("scan");
    group.sample_size(20);
    for (name, text) in [("title", TITLE), ("sentence", SENTENCE)] {
        let query = setup.encoder.encode(text).unwrap().matrix;
        let rows = unit_rows(&query);
        group.bench_function(BenchmarkId::new("plain f32 scan, 1 thread", name), |b| b.iter(|| plain.rank(&rows, 10)));
        for threads in thread_counts() {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            group.bench_function(BenchmarkId::new(format!("executor, {threads} threads"), name), |b| {
                b.iter(|| pool.install(|| space.rank_matrix(&query, &RankOptions::top(10)).unwrap().len()))
            });
        }
    }
    let query = setup.encoder.encode(TITLE).unwrap().matrix;
    let batch = vec![query; 64];
    group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(64));
    group.bench_function("executor, all threads/batch of 64 titles", |b| {
        b.iter(|| space.rank_matrices(&batch, &RankOptions::top(10), &Monitor::silent()).unwrap().len())
    });
}

fn end_to_end(c: &mut Criterion, space: &Space) {
    let mut group = c.benchmark_group("text in, skills out");
    group.sample_size(20);
    group.bench_function("title", |b| b.iter(|| space.rank(black_box(TITLE), &RankOptions::top(10)).unwrap().len()));
}

fn ingest(c: &mut Criterion, setup: &Setup) {
    let few = setup.release.concepts().iter().take(256);
    let mut builder = workindex::ReleaseBuilder::new("bench", "1", "en").unwrap();
    few.for_each(|concept| _ = builder.add(concept.clone(), "bench", 0));
    let (release, _) = builder.finish();
    let mut group = c.benchmark_group("ingest");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(256));
    group.bench_function("256 concepts, committed", |b| {
        b.iter(|| {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = WorkIndex::create(folder.path().join("i"), &setup.encoder).unwrap();
            writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).unwrap();
            writer.commit().unwrap()
        })
    });
}

fn all(c: &mut Criterion) {
    let setup = setup();
    let space = WorkIndex::open(&setup.index).unwrap().space("esco/skill/en").unwrap();
    open(c, &setup);
    encode(c, &setup);
    scan(c, &setup, &space);
    end_to_end(c, &space);
    ingest(c, &setup);
}

criterion_group!(benches, all);
criterion_main!(benches);

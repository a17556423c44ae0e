//! Opening, end to end, ingesting. Scanning is measured in `benches/scan`, encoding in `benches/encoder`.
//!
//! The encoder that is built in is measured, too. With `WORKINDEX_DATA` and `WORKINDEX_ENCODER` set: ESCO 1.1.1 and the pretrained encoder, kept as an index below `target/`
//! between runs. Without them: the mini ontology and the tiny random encoder of `fixtures/`, whose figures say nothing about
//! real use. `cargo bench --bench speed`.

mod common;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use workindex::{Encoder, IngestOptions, Monitor, RankOptions, Release, Space, WorkIndex};

use common::Sources;

/// Eight tokens of MiniLM, `[CLS]` and `[SEP]` included.
const TITLE: &str = "Senior data engineer (Python)";
struct Setup {
    encoder: Encoder,
    release: Release,
    index: PathBuf,
}

/// The release to measure with, and an index of it made with an encoder.
fn setup(sources: &Sources, encoder: Encoder) -> Setup {
    let release = sources.newest_esco();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let index = target.join(format!("bench-{}.index", encoder.fingerprint()));
    if WorkIndex::open(&index).is_err() {
        // None yet, or one in the format of another version.
        let _ = std::fs::remove_dir_all(&index);
        let mut writer = WorkIndex::create(&index, &encoder).expect("a new index");
        writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).expect("an ingest");
        writer.commit().expect("a commit");
    }
    Setup { encoder, release, index }
}

fn open(c: &mut Criterion, setup: &Setup) {
    c.bench_function("open/index and space", |b| {
        b.iter(|| WorkIndex::open(&setup.index).unwrap().space("esco/skill/en").unwrap().len())
    });
}

fn end_to_end(c: &mut Criterion, name: &str, space: &Space) {
    let mut group = c.benchmark_group(name);
    let options = RankOptions::top(10);
    group.bench_function("title, one thread", |b| {
        let serial = options.clone().serial();
        b.iter(|| space.rank(black_box(TITLE), &serial).unwrap().len())
    });
    group.bench_function("title", |b| b.iter(|| space.rank(black_box(TITLE), &options).unwrap().len()));
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
    let sources = Sources::find();
    let space = |setup: &Setup| WorkIndex::open(&setup.index).unwrap().space("esco/skill/en").unwrap();
    let given = setup(&sources, Encoder::open(&sources.encoder).expect("a model directory"));
    open(c, &given);
    end_to_end(c, "text in, skills out", &space(&given));
    ingest(c, &given);
    let built_in = setup(&sources, Encoder::built_in().expect("the encoder that is built in"));
    end_to_end(c, "text in, skills out, built-in encoder", &space(&built_in));
}

criterion_group!(benches, all);
criterion_main!(benches);

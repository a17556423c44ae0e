//! Texts to token embeddings: own kernels in both precisions, with candle's forward in the same run as the baseline.
//!
//! With `WORKINDEX_DATA` and `WORKINDEX_ENCODER` set: the labels of ESCO 1.1.1's skills and the pretrained encoder. Without them:
//! the mini ontology and the tiny random encoder of `fixtures/`, whose figures say nothing about real use. A random model of the
//! size of MPNet-base is written below `target/`. Other runtimes are compared by `benches/peers/`. `cargo bench --bench encoder`.

mod common;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use workindex::{Backend, Encoder, EncoderSettings, Monitor, Precision};

use common::{Sources, is_smoke_test, mpnet_base, pools};

/// Eight tokens of MiniLM, `[CLS]` and `[SEP]` included.
const TITLE: &str = "Senior data engineer (Python)";
const SENTENCE: &str =
    "We are looking for someone who can weld stainless steel pipes, read technical drawings and work in shifts.";
/// Labels that are encoded in a batch; with candle fewer, evenly spread over all.
const LABELS: usize = 2048;
const LABELS_WITH_CANDLE: usize = 512;

struct Contestant {
    name: &'static str,
    encoder: Encoder,
    labels: usize,
}

fn contestants(sources: &Sources) -> Vec<Contestant> {
    let default = Encoder::open(&sources.encoder).expect("a model directory");
    let with = |precision| {
        let settings = EncoderSettings { precision, ..default.settings() };
        Encoder::from_checkpoint(default.checkpoint().clone(), settings).expect("the same model")
    };
    let candle = with(Precision::F32).on(Backend::Candle).expect("candle");
    let contestant = |name, encoder, labels| Contestant { name, encoder, labels };
    vec![
        contestant("f32", with(Precision::F32), LABELS),
        contestant("bf16", with(Precision::Bf16), LABELS),
        contestant("i8", with(Precision::I8), LABELS),
        contestant("candle", candle, LABELS_WITH_CANDLE),
    ]
}

fn single_texts(c: &mut Criterion, contestants: &[Contestant]) {
    for (what, text) in [("title", TITLE), ("sentence", SENTENCE)] {
        let mut group = c.benchmark_group(format!("encode/{what}"));
        for Contestant { name, encoder, .. } in contestants {
            group.bench_function(*name, |b| b.iter(|| encoder.encode(black_box(text)).unwrap()));
        }
    }
}

fn batches(c: &mut Criterion, contestants: &[Contestant], labels: &[&str]) {
    let mut group = c.benchmark_group("encode/labels");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for Contestant { name, encoder, labels: most } in contestants {
        let few: Vec<&str> = labels.iter().step_by(labels.len().div_ceil(*most)).copied().collect();
        group.throughput(Throughput::Elements(few.len() as u64));
        for pool in pools() {
            group.bench_function(BenchmarkId::new(*name, pool.name()), |b| {
                b.iter(|| pool.run(|| encoder.encode_batch(&few, &Monitor::silent()).unwrap().len()))
            });
        }
    }
}

fn large_model(c: &mut Criterion) {
    if is_smoke_test() {
        return;
    }
    let dir = mpnet_base();
    let mut group = c.benchmark_group("encode/mpnet-base");
    let open = |precision| {
        let default = Encoder::open(&dir).expect("a model directory");
        let settings = EncoderSettings { precision, ..default.settings() };
        Encoder::from_checkpoint(default.checkpoint().clone(), settings).expect("the same model")
    };
    for precision in [Precision::F32, Precision::Bf16, Precision::I8] {
        let encoder = open(precision);
        let text = eight_tokens(&encoder);
        group.bench_function(precision.to_string(), |b| b.iter(|| encoder.encode(black_box(&text)).unwrap()));
    }
}

/// A text of eight tokens for a tokenizer of few words.
fn eight_tokens(encoder: &Encoder) -> String {
    let mut text = String::new();
    while encoder.tokens(&text).unwrap().len() < 6 {
        text.push_str("x ");
    }
    text
}

fn load(c: &mut Criterion, sources: &Sources) {
    let mut group = c.benchmark_group("load");
    group.sample_size(20);
    group.bench_function("open", |b| b.iter(|| Encoder::open(&sources.encoder).unwrap()));
    let checkpoint = Encoder::open(&sources.encoder).unwrap().checkpoint().clone();
    group.bench_function("without hashing", |b| {
        b.iter(|| Encoder::from_checkpoint(checkpoint.clone(), checkpoint.default_settings()).unwrap())
    });
}

fn all(c: &mut Criterion) {
    let sources = Sources::find();
    let release = sources.newest_esco();
    let skills = release.concepts().iter().filter(|concept| concept.kind.as_str() == "skill");
    let labels: Vec<&str> = skills.map(|concept| concept.label.as_str()).collect();
    let contestants = contestants(&sources);
    contestants.iter().for_each(|c| eprintln!("{}: {}", c.name, c.encoder.runs_on()));
    single_texts(c, &contestants);
    load(c, &sources);
    large_model(c);
    batches(c, &contestants, &labels);
}

criterion_group!(benches, all);
criterion_main!(benches);

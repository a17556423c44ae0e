//! Measures an encoder: the latency of a title and of a sentence on one thread, and the throughput of a file of texts.
//!
//! ```sh
//! cargo run --release --example encode_speed -- MODEL_DIR [--texts FILE] [--threads N] [--precision f32|bf16|i8]
//!     [--backend cpu|candle] [--repeat N] [--dump FILE] [--json]
//! ```
//!
//! `--texts` has one text per line; all of them are encoded in one call on `--threads` threads (1). Latencies are of
//! `--repeat` repetitions (100). `--dump` writes the rows of all texts, one behind the other, as little-endian f32.
//! `benches/peers` compares the figures with those of other runtimes.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use workindex::{Backend, Checkpoint, Encoded, Encoder, EncoderSettings, Monitor, Precision};

/// 8 and 23 tokens of a BERT vocabulary, `[CLS]` and `[SEP]` included.
const SINGLES: [(&str, &str); 2] = [
    ("title", "Senior data engineer (Python)"),
    (
        "sentence",
        "We are looking for someone who can weld stainless steel pipes, read technical drawings and work in shifts.",
    ),
];
/// Texts and repetitions that are not measured.
const WARM_UP: usize = 32;

type Failure = Box<dyn std::error::Error>;

struct Options {
    model: PathBuf,
    texts: Option<PathBuf>,
    threads: usize,
    precision: Precision,
    backend: Backend,
    repeat: usize,
    dump: Option<PathBuf>,
    json: bool,
}

fn main() -> Result<(), Failure> {
    let options = Options::read(std::env::args().skip(1))?;
    let checkpoint = Checkpoint::open(&options.model)?;
    let settings = EncoderSettings { precision: options.precision, ..checkpoint.default_settings() };
    let start = Instant::now();
    let mut encoder = Encoder::from_checkpoint(checkpoint, settings)?;
    if options.backend != Backend::default() {
        encoder = encoder.on(options.backend)?;
    }
    let opened = start.elapsed();

    let single = SINGLES.map(|(name, text)| latency(&encoder, name, text, options.repeat));
    let single: Vec<Value> = single.into_iter().collect::<Result<_, _>>()?;
    let many = options.texts.as_deref().map(|file| throughput(&encoder, file, &options)).transpose()?;
    let report = json!({
        "model": encoder.name(),
        "runs_on": encoder.runs_on(),
        "precision": options.precision,
        "max_tokens": encoder.settings().max_tokens,
        "open_ms": milliseconds(opened),
        "single": single,
        "many": many,
    });
    if options.json {
        println!("{report}");
    } else {
        show(&report);
    }
    Ok(())
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let usage = "usage: encode_speed MODEL_DIR [--texts FILE] [--threads N] [--precision f32|bf16|i8] \
                     [--backend cpu|candle] [--repeat N] [--dump FILE] [--json]";
        let mut options = Self {
            model: arguments.next().filter(|first| !first.starts_with("--")).ok_or(usage)?.into(),
            texts: None,
            threads: 1,
            precision: Precision::F32,
            backend: Backend::Cpu,
            repeat: 100,
            dump: None,
            json: false,
        };
        while let Some(name) = arguments.next() {
            if name == "--json" {
                options.json = true;
                continue;
            }
            let value = arguments.next().ok_or(usage)?;
            match (name.as_str(), value.as_str()) {
                ("--texts", file) => options.texts = Some(file.into()),
                ("--dump", file) => options.dump = Some(file.into()),
                ("--threads", number) => options.threads = at_least_one(&name, number)?,
                ("--repeat", number) => options.repeat = at_least_one(&name, number)?,
                ("--precision", "f32") => options.precision = Precision::F32,
                ("--precision", "bf16") => options.precision = Precision::Bf16,
                ("--precision", "i8") => options.precision = Precision::I8,
                ("--backend", "cpu") => options.backend = Backend::Cpu,
                ("--backend", "candle") => options.backend = Backend::Candle,
                _ => return Err(format!("{name} {value}: not understood\n{usage}").into()),
            }
        }
        match options.dump.is_some() && options.texts.is_none() {
            true => Err("--dump needs --texts, whose rows it writes".into()),
            false => Ok(options),
        }
    }
}

fn at_least_one(name: &str, number: &str) -> Result<usize, Failure> {
    match number.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{name} {number}: expected a whole number of at least 1").into()),
    }
}

/// Median and minimum of encoding one text again and again, on one thread.
fn latency(encoder: &Encoder, name: &str, text: &str, repeat: usize) -> Result<Value, Failure> {
    let times = pool(1)?.install(|| -> workindex::Result<Vec<Duration>> {
        (0..WARM_UP).try_for_each(|_| encoder.encode(text).map(drop))?;
        let timed = (0..repeat).map(|_| {
            let start = Instant::now();
            black_box(encoder.encode(black_box(text))?);
            Ok(start.elapsed())
        });
        timed.collect()
    })?;
    let content_tokens = encoder.encode(text)?.content_tokens;
    let (median, minimum) = median_and_minimum(times);
    Ok(json!({
        "name": name,
        "text": text,
        "content_tokens": content_tokens,
        "median_ms": milliseconds(median),
        "minimum_ms": milliseconds(minimum),
    }))
}

/// The time of encoding all texts of a file, in one call; `repeat` is for single texts only.
fn throughput(encoder: &Encoder, file: &Path, options: &Options) -> Result<Value, Failure> {
    let read = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let texts: Vec<&str> = read.lines().collect();
    let pool = pool(options.threads)?;
    let warm_up = &texts[..texts.len().min(WARM_UP * options.threads)];
    pool.install(|| encoder.encode_batch(warm_up, &Monitor::silent()))?;
    let start = Instant::now();
    let encoded = pool.install(|| encoder.encode_batch(&texts, &Monitor::silent()))?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(dump) = &options.dump {
        write_rows(dump, &encoded).map_err(|error| format!("{}: {error}", dump.display()))?;
    }
    Ok(json!({
        "texts": texts.len(),
        "threads": options.threads,
        "seconds": seconds,
        "texts_per_s": texts.len() as f64 / seconds,
    }))
}

fn write_rows(path: &Path, encoded: &[Encoded]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for value in encoded.iter().flat_map(|encoded| encoded.matrix.values()) {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

/// Of at least one duration.
fn median_and_minimum(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[0])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn show(report: &Value) {
    let number = |value: &Value, name: &str| value[name].as_f64().unwrap_or(f64::NAN);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_string();
    println!("{} on {}, {}", text(report, "model"), text(report, "runs_on"), text(report, "precision"));
    println!("opened in {:.0} ms", number(report, "open_ms"));
    for single in report["single"].as_array().into_iter().flatten() {
        let (median, minimum) = (number(single, "median_ms"), number(single, "minimum_ms"));
        println!("one {}, one thread: median {median:.2} ms, minimum {minimum:.2} ms", text(single, "name"));
    }
    if let many = &report["many"]
        && !many.is_null()
    {
        println!("{} texts, {} threads: {:.0} texts/s", many["texts"], many["threads"], number(many, "texts_per_s"));
    }
}

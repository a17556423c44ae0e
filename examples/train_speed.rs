//! How long a training step takes: 256 skills with 256 jobs, nine tokens each, on one thread and on two.
//!
//! ```sh
//! cargo run --release --example train_speed
//! ```
//!
//! `WORKINDEX_ENCODER` is a model directory. `benches/peers/training.py` times the same step in torch.

use std::error::Error;
use std::time::Duration;

use workindex::train::{
    AdamW, Contrast, Corpus, Graph, Job, ModelShape, Objective, Sampler, Schedule, Skill, Trainer, TrainingOptions,
};
use workindex::{Checkpoint, Rule};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PAIRS: u32 = 256;
const STEPS: usize = 9;
/// Words of one token each.
const WORDS: [&str; 8] = ["manage", "data", "sales", "team", "water", "steel", "music", "health"];

fn main() -> Result<()> {
    let Some(model) = std::env::var_os("WORKINDEX_ENCODER") else {
        println!("skipped: WORKINDEX_ENCODER names no model directory");
        return Ok(());
    };
    let checkpoint = Checkpoint::open(model.as_ref())?;
    println!("threads  tokens  step s (median, best)  forward  loss  backward  optimiser");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| time_steps(&checkpoint, threads))?;
    }
    Ok(())
}

fn time_steps(checkpoint: &Checkpoint, threads: usize) -> Result<()> {
    let mut trainer = Trainer::new(checkpoint, corpus(), options())?;
    // The first step allocates.
    let tokens = trainer.step()?.tokens;
    let mut times: Vec<[Duration; 4]> = Vec::new();
    for _ in 0..STEPS {
        times.push(trainer.step()?.times);
    }
    let median = |of: &dyn Fn(&[Duration; 4]) -> Duration| {
        let mut all: Vec<f64> = times.iter().map(|times| of(times).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        (all[STEPS / 2], all[0])
    };
    let (step, best) = median(&|times| times.iter().sum());
    let [forward, loss, backward, optimiser] = [0, 1, 2, 3].map(|part| median(&|times| times[part]).0);
    println!(
        "{threads:>7}  {tokens:>6}  {step:>13.2}, {best:>5.2}  {forward:>7.2}  {loss:.2}  {backward:>8.2}  {optimiser:>9.2}"
    );
    Ok(())
}

/// Each skill has a job of its own; no two texts are equal.
fn corpus() -> Corpus {
    let text = |n: u32| (0..7).map(|at| WORDS[((n >> (3 * (at % 3))) ^ at) as usize % 8]).collect::<Vec<_>>().join(" ");
    let mut corpus = Corpus::default();
    for n in 0..PAIRS {
        corpus.skills.push(Skill { label: text(n), jobs: vec![n], ..Skill::default() });
        corpus.jobs.push(Job { label: text(2 * PAIRS - 1 - n), skills: vec![n], ..Job::default() });
    }
    corpus
}

fn options() -> TrainingOptions {
    let n = PAIRS as usize;
    let graphs = vec![Graph::SkillJob];
    TrainingOptions {
        sampler: Sampler { skills: n, partners: n, from_edges: 0.0, from_sentences: 0.0, graphs, ..Sampler::default() },
        objective: Objective { rule: Rule::default(), contrast: Contrast::PAPER },
        terms: TrainingOptions::TERMS.to_vec(),
        schedule: Schedule { peak: 1e-5, warm_up: 0, steps: 100 },
        optimizer: AdamW::default(),
        clip: 1.0,
        shape: ModelShape::default(),
        distillation: 0.0,
        max_tokens: 64,
        memory: 2 << 30,
    }
}

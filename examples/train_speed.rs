//! Seconds of a training step: 256 skills with 256 jobs of nine tokens each, or the batches of a real corpus.
use workindex::train::*;
use workindex::{Checkpoint, Rule};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let model = std::env::var("WORKINDEX_ENCODER")?;
    let checkpoint = Checkpoint::open(model.as_ref())?;
    let words = ["manage", "data", "sales", "team", "water", "steel", "music", "health"];
    let text = |n: usize| (0..7).map(|k| words[(n >> (3 * (k % 3))) % 8 ^ k]).collect::<Vec<_>>().join(" ");
    let mut corpus = Corpus::default();
    for n in 0..256usize {
        corpus.skills.push(Skill { label: text(n), jobs: vec![n as u32], ..Default::default() });
        corpus.jobs.push(Job { label: text(511 - n), skills: vec![n as u32], ..Default::default() });
    }
    let sampler = Sampler {
        skills: 256,
        partners: 256,
        graphs: vec![Graph::SkillJob],
        from_edges: 0.0,
        from_sentences: 0.0,
        ..Default::default()
    };
    let options = TrainingOptions {
        sampler,
        objective: Objective { rule: Rule::default(), contrast: Contrast::PAPER },
        terms: TrainingOptions::TERMS.to_vec(),
        schedule: Schedule { peak: 1e-5, warm_up: 1, steps: 100 },
        optimizer: AdamW::default(),
        clip: 1.0,
        max_tokens: 64,
        memory: 2 << 30,
    };
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let mut trainer = Trainer::new(&checkpoint, corpus.clone(), options.clone())?;
            for _ in 0..5 {
                let r = trainer.step()?;
                println!(
                    "{threads} threads: {} texts {} tokens loss {:.3} norm {:.2} {:?} total {:.2?}",
                    r.texts,
                    r.tokens,
                    r.loss,
                    r.gradient_norm,
                    r.times,
                    r.times.iter().sum::<std::time::Duration>()
                );
            }
            Ok(())
        })?;
    }
    Ok(())
}

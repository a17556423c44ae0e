//! Steps: a batch, its loss, and a move of the parameters against the gradient.

use std::time::{Duration, Instant};

use super::corpus::Corpus;
use super::objective::{Edges, imitate};
use super::optimizer::{Moments, clip};
use super::options::TrainingOptions;
use super::sampler::Graph;
use super::start::{ReplacedFiles, Start, start};
use super::teacher::Teacher;
use super::token_rows::TokenRows;
use super::trainee::Trainee;
use super::transformer::{Gradients, Parameters};
use crate::encoder::Checkpoint;
use crate::error::{Error, Result};

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Its number, from 0.
    pub step: u64,
    /// The weighted loss of all graphs.
    pub loss: f64,
    /// The loss of each graph of the batch, before its weight.
    pub losses: Vec<(Graph, f64)>,
    /// The distance from the base's token rows, before its weight; 0 without distillation.
    pub distance: f64,
    /// The norm of the gradient before it was clipped.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Texts, and tokens of them.
    pub texts: usize,
    /// Tokens, special ones included.
    pub tokens: usize,
    /// How long forward, the objective, backward and the optimiser took.
    pub times: [Duration; 4],
}

/// A model in training. Steps depend on what it began with, on corpus and options, and on nothing else: not on threads, nor on
/// whether the run was interrupted.
pub struct Trainer {
    corpus: Corpus,
    options: TrainingOptions,
    trainee: Trainee,
    teacher: Option<Teacher>,
    files: ReplacedFiles,
    gradients: Gradients,
    moments: Moments,
    step: u64,
}

impl Trainer {
    /// Begins with a checkpoint.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for options out of their range, a shape that the base does not have, or a corpus without skills;
    /// [`Error::Encoder`] for a checkpoint that is not a plain transformer of a family that is trained.
    pub fn new(base: &Checkpoint, corpus: Corpus, options: TrainingOptions) -> Result<Self> {
        options.validate()?;
        if corpus.skills.is_empty() {
            return Err(Error::InvalidOption {
                option: "corpus",
                expected: "at least one skill for training".to_string(),
                got: "none".to_string(),
            });
        }
        let max_tokens = options.max_tokens.min(base.max_positions());
        let Start { parameters, tokenizer, files } = start(base, &options.shape, &corpus, max_tokens)?;
        let teacher = match options.distillation > 0.0 {
            false => None,
            // The linear layer begins with the axes that the teacher's rows are shortened to.
            true => Some(match parameters.dense() {
                None => Teacher::open(base, max_tokens)?,
                Some((dim, axes)) => Teacher::open(base, max_tokens)?.along(axes.to_vec(), dim),
            }),
        };
        let trainee = Trainee::new(parameters, tokenizer, max_tokens, options.memory);
        let (gradients, moments) = (Gradients::new(&trainee.parameters), Moments::new(&trainee.parameters));
        Ok(Self { corpus, options, trainee, teacher, files, gradients, moments, step: 0 })
    }

    /// The options.
    pub fn options(&self) -> &TrainingOptions {
        &self.options
    }

    /// What is learned from.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Steps that were taken.
    pub fn steps_taken(&self) -> u64 {
        self.step
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.trainee.parameters
    }

    /// The files of a model directory that are other than the base's, but for the weights.
    pub(crate) fn files(&self) -> &ReplacedFiles {
        &self.files
    }

    pub(crate) fn state(&self) -> (&Parameters, &Moments, u64) {
        (&self.trainee.parameters, &self.moments, self.step)
    }

    pub(crate) fn restore(&mut self, parameters: Vec<Vec<f32>>, moments: Moments, step: u64) {
        self.trainee.parameters.values = parameters;
        self.moments = moments;
        self.step = step;
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the tokenizer makes tokens that the model has no row for.
    pub fn step(&mut self) -> Result<StepReport> {
        let batch = self.options.sampler.batch(&self.corpus, self.step);
        let tokens = self.trainee.tokenize(&batch.texts)?;
        let mut times = [Duration::ZERO; 4];
        let rows = timed(&mut times[0], || self.trainee.rows(&tokens));
        let mut by_rows = TokenRows::zeros_like(&rows);
        let (mut loss, mut losses, mut distance) = (0.0, Vec::new(), 0.0);
        timed(&mut times[1], || -> Result<()> {
            for graph in &batch.graphs {
                let Some(term) = self.options.terms.iter().find(|term| term.graph == graph.graph) else { continue };
                let edges = Edges {
                    left: &graph.left,
                    right: &graph.right,
                    positives: &graph.positives,
                    temperature: term.temperature,
                    weight: term.weight,
                };
                if term.weight == 0.0 {
                    continue;
                }
                let of_graph = self.options.objective.add(&rows, &edges, &mut by_rows);
                loss += of_graph;
                losses.push((graph.graph, of_graph / f64::from(term.weight).max(1e-30)));
            }
            if let Some(teacher) = &self.teacher {
                let targets = teacher.targets(&batch.texts, &self.trainee.spans(&batch.texts)?)?;
                let weighted = imitate(&rows, &targets, self.options.distillation, &mut by_rows);
                loss += weighted;
                distance = weighted / f64::from(self.options.distillation);
            }
            Ok(())
        })?;
        self.gradients.clear();
        timed(&mut times[2], || self.trainee.add_gradients(&tokens, &by_rows, &mut self.gradients));
        let learning_rate = self.options.schedule.at(self.step);
        let gradient_norm = timed(&mut times[3], || {
            let norm = clip(&mut self.gradients, self.options.clip);
            let parameters = &mut self.trainee.parameters;
            self.options.optimizer.step(parameters, &mut self.gradients, &mut self.moments, learning_rate);
            norm
        });
        let report = StepReport {
            step: self.step,
            loss,
            losses,
            distance,
            gradient_norm,
            learning_rate,
            texts: batch.texts.len(),
            tokens: tokens.count(),
            times,
        };
        self.step += 1;
        Ok(report)
    }
}

fn timed<R>(time: &mut Duration, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let made = work();
    *time += start.elapsed();
    made
}

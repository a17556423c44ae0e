//! A training run in a folder: steps, validation, states to go on from, and at the end the model.

use std::fmt::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::config::TrainingConfig;
use super::corpus::Corpus;
use super::curves;
use super::model_files::{ModelFiles, read_state, write_state};
use super::options::TrainingOptions;
use super::shape::StoredWeights;
use super::sources::{Sources, fingerprint};
use super::trainer::{StepReport, Trainer};
use super::transformer::Parameters;
use crate::encoder::{Checkpoint, Encoder};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Stage};
use crate::ontology::Forms;
use crate::workbench::{Data, Evaluation, Metric, Resampling, Selection, SetName, Split, Summary, System, write_file};

/// Steps between two states.
const STATE_EVERY: u64 = 50;
const STATE: &str = "state.safetensors";
const LOG: &str = "log.json";
const CURVES: &str = "curves.svg";

/// What is owed for what was learned from.
const ATTRIBUTIONS: [(&str, &str); 2] = [
    ("esco", "This service uses the ESCO classification of the European Commission. "),
    (
        "onet",
        "This product includes information from the O*NET Database by the U.S. Department of Labor, Employment and Training \
         Administration (USDOL/ETA), used under the CC BY 4.0 license. ",
    ),
];

/// A value of the model on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Steps that were taken.
    pub step: u64,
    /// How far it is from the base to what was trained.
    pub share: f32,
    /// MAP of each set, in 0…1.
    pub sets: Vec<(SetName, f64)>,
    /// The mean over tasks, by which models are chosen.
    pub value: f64,
}

/// What a run has done so far; kept in its folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Log {
    /// Steps and their losses.
    pub losses: Vec<(u64, f64)>,
    /// Validations, the base's first.
    pub validations: Vec<Validation>,
    /// Seconds of steps.
    pub seconds: f64,
}

/// A run.
pub struct TrainingRun<'a> {
    data: &'a Data,
    base: &'a Checkpoint,
    config: TrainingConfig,
    out: PathBuf,
    sources: Sources,
    trainer: Trainer,
    start: Parameters,
    key: String,
    log: Log,
}

/// How far a run has come.
#[derive(Debug)]
pub enum TrainingEvent<'e> {
    /// It goes on from a state.
    Resumed(u64),
    /// A step was taken.
    Step(&'e StepReport),
    /// The model was judged.
    Validated(&'e Validation),
    /// The value has not risen for long.
    Stopped(u64),
}

impl<'a> TrainingRun<'a> {
    /// A run in a folder, from its last state if it has one.
    ///
    /// # Errors
    /// As [`Trainer::new`]; [`Error::InvalidOption`] for sets that there are none of; [`Error::Input`] for a damaged state.
    pub fn open(
        data: &'a Data,
        base: &'a Checkpoint,
        config: TrainingConfig,
        (corpus, sources): (Corpus, Sources),
        out: impl Into<PathBuf>,
    ) -> Result<Self> {
        config.validation.sets.iter().try_for_each(|set| set.parse::<SetName>().map(|_| ()))?;
        let out = out.into();
        let options = config.options()?;
        let base_id = base.fingerprint(&base.default_settings()).to_string();
        let key = format!("{base_id} {} {}", fingerprint(&corpus), config.to_toml());
        let trainer = Trainer::new(base, corpus, options)?;
        let start = trainer.parameters().clone();
        let mut run = Self { data, base, config, out, sources, trainer, start, key, log: Log::default() };
        run.resume()?;
        Ok(run)
    }

    /// The corpus that is learned from.
    pub fn corpus(&self) -> &Corpus {
        self.trainer.corpus()
    }

    /// What was done so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn resume(&mut self) -> Result<()> {
        let (state, log) = (self.out.join(STATE), self.out.join(LOG));
        if !state.is_file() {
            return Ok(());
        }
        match read_state(&state, &self.key, self.trainer.parameters())? {
            None => Err(Error::InvalidOption {
                option: "out",
                expected: "an empty folder, or one of a run with the same base, data and configuration".to_string(),
                got: format!("the state of another run in {}", self.out.display()),
            }),
            Some((parameters, moments, step)) => {
                self.trainer.restore(parameters, moments, step);
                let text = std::fs::read(&log).map_err(Error::io("read", &log))?;
                self.log = serde_json::from_slice(&text).unwrap_or_default();
                self.log.losses.retain(|(at, _)| *at < step);
                self.log.validations.retain(|validation| validation.step <= step);
                Ok(())
            }
        }
    }

    /// Takes the steps that are left, and writes the model to `model/` in the folder. When cancelled, the state of the last step is kept.
    ///
    /// # Errors
    /// As [`Trainer::step`] and [`Evaluation::run`]; [`Error::Io`]; [`Error::Cancelled`]; [`Error::AlreadyExists`] when there is a model.
    pub fn run(&mut self, monitor: &Monitor, on: &mut dyn FnMut(TrainingEvent<'_>)) -> Result<Validation> {
        std::fs::create_dir_all(&self.out).map_err(Error::io("create the folder", &self.out))?;
        if self.trainer.steps_taken() > 0 {
            on(TrainingEvent::Resumed(self.trainer.steps_taken()));
        }
        let (steps, every) = (self.config.optimizer.steps, self.config.validation.every);
        if self.log.validations.is_empty() {
            self.validate_base(monitor, on)?;
        }
        while self.trainer.steps_taken() < steps {
            if let Err(cancelled) = monitor.check() {
                self.save()?;
                return Err(cancelled);
            }
            let report = self.trainer.step()?;
            self.log.losses.push((report.step, report.loss));
            self.log.seconds += report.times.iter().map(|time| time.as_secs_f64()).sum::<f64>();
            on(TrainingEvent::Step(&report));
            monitor.report(Stage::Training, report.step + 1, Some(steps));
            let taken = self.trainer.steps_taken();
            if every > 0 && taken.is_multiple_of(every) && taken < steps {
                self.save()?;
                self.validate(1.0, monitor, on)?;
                if self.has_stalled() {
                    on(TrainingEvent::Stopped(taken));
                    break;
                }
            }
            if taken.is_multiple_of(STATE_EVERY) {
                self.save()?;
            }
        }
        self.save()?;
        self.finish(monitor, on)
    }

    /// Whether the last validations brought nothing.
    fn has_stalled(&self) -> bool {
        let patience = self.config.validation.patience;
        let values: Vec<f64> = self.log.validations.iter().map(|validation| validation.value).collect();
        let Some(before) = values.len().checked_sub(patience).filter(|_| patience > 0) else { return false };
        let best = values[..before].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        before > 0 && values[before..].iter().all(|value| *value <= best)
    }

    /// Chooses how far to go from the base, and writes the model.
    fn finish(&mut self, monitor: &Monitor, on: &mut dyn FnMut(TrainingEvent<'_>)) -> Result<Validation> {
        let mut best: Option<Validation> = None;
        let mut shares = self.config.validation.interpolation.clone();
        if shares.is_empty() {
            shares.push(1.0);
        }
        for share in shares {
            let validation = self.validate(share, monitor, on)?;
            if best.as_ref().is_none_or(|best| validation.value > best.value) {
                best = Some(validation);
            }
        }
        let best = best.unwrap_or(Validation { step: 0, share: 1.0, sets: Vec::new(), value: 0.0 });
        let parameters = self.start.interpolated(self.trainer.parameters(), best.share);
        self.model_files().write(&self.out.join("model"), &parameters, &self.card(&best))?;
        self.save_log()?;
        Ok(best)
    }

    /// Judges the base as it is, by the rule of the run.
    fn validate_base(&mut self, monitor: &Monitor, on: &mut dyn FnMut(TrainingEvent<'_>)) -> Result<Validation> {
        let encoder = Encoder::from_checkpoint(self.base.clone(), self.base.default_settings())?;
        self.judge(0.0, &encoder, monitor, on)
    }

    /// Judges the mix of what the run began with and what was trained, and notes it.
    fn validate(&mut self, share: f32, monitor: &Monitor, on: &mut dyn FnMut(TrainingEvent<'_>)) -> Result<Validation> {
        let step = self.trainer.steps_taken();
        if let Some(known) = self.log.validations.iter().find(|known| known.step == step && known.share == share) {
            return Ok(known.clone());
        }
        let scratch = self.scratch()?;
        let model = scratch.path().join("model");
        let parameters = self.start.interpolated(self.trainer.parameters(), share);
        self.model_files().write(&model, &parameters, "")?;
        self.judge(share, &Encoder::open(&model)?, monitor, on)
    }

    fn judge(
        &mut self,
        share: f32,
        encoder: &Encoder,
        monitor: &Monitor,
        on: &mut dyn FnMut(TrainingEvent<'_>),
    ) -> Result<Validation> {
        let scratch = self.scratch()?;
        let sets: Vec<SetName> = self.config.validation.sets.iter().map(|set| set.parse()).collect::<Result<_>>()?;
        let rule = self.trainer.options().objective.rule;
        let system = System::LateInteraction { rule: Some(rule), forms: Forms::Preferred };
        let selection = Selection { split: Split::Validation, held_out: self.config.data.held_out };
        let judged = Evaluation::new(self.data, scratch.path().join("results"))
            .encoder(encoder)
            .systems(vec![system])
            .sets(&sets)
            .selection(selection)
            .one_in(self.config.validation.one_in)
            .run(monitor, &mut |_| {})?;
        let summary = Summary::new(&judged.records, &[Metric::Map], Resampling { replicates: 0, seed: 0 });
        let value =
            summary.all.first().and_then(|all| all.estimates.first()).map_or(0.0, |(_, estimate)| estimate.value);
        let of = |set: &crate::workbench::SetSummary| Some((set.set.clone(), set.estimates.first()?.1.value));
        let sets = summary.sets.iter().filter_map(of).collect();
        let validation = Validation { step: self.trainer.steps_taken(), share, sets, value };
        self.log.validations.push(validation.clone());
        self.save_log()?;
        on(TrainingEvent::Validated(&validation));
        Ok(validation)
    }

    /// A folder in the run's that goes when it is let go.
    fn scratch(&self) -> Result<tempfile::TempDir> {
        let scratch = tempfile::Builder::new().prefix("validation-").tempdir_in(&self.out);
        scratch.map_err(Error::io("create a folder in", &self.out))
    }

    fn model_files(&self) -> ModelFiles<'_> {
        let TrainingOptions { shape, objective, .. } = self.trainer.options();
        ModelFiles { base: self.base, replaced: self.trainer.files(), shape, rule: objective.rule }
    }

    fn save(&self) -> Result<()> {
        let (parameters, moments, step) = self.trainer.state();
        self.save_log()?;
        write_state(&self.out.join(STATE), &self.key, parameters, moments, step)
    }

    fn save_log(&self) -> Result<()> {
        let path = self.out.join(LOG);
        let text = serde_json::to_vec(&self.log).map_err(|error| Error::io("write", &path)(error.into()))?;
        write_file(&path, &text)?;
        write_file(&self.out.join(CURVES), curves::render(&self.log).as_bytes())
    }

    /// What the model is beside the base, for its card; nothing where it is as the base.
    fn card_of_shape(&self) -> String {
        let TrainingOptions { shape, distillation, .. } = self.trainer.options();
        let (config, n) = (&self.trainer.parameters().config, self.base.layers());
        let mut said = Vec::new();
        if !shape.layers.is_empty() {
            said.push(format!("began with layers {:?} of the base's {n}", shape.layers));
        }
        if shape.vocabulary > 0 {
            said.push(format!("has {} pieces of its vocabulary", config.vocab_size));
        }
        if shape.dim > 0 {
            said.push(format!("makes rows of {} values", shape.dim));
        }
        if *distillation > 0.0 {
            said.push("learned to make token rows that point where the base's do".to_string());
        }
        if shape.weights == StoredWeights::I8 {
            said.push("has weights of 8 bits".to_string());
        }
        if said.is_empty() { String::new() } else { format!("It {}.\n\n", said.join(", ")) }
    }

    /// The model card.
    fn card(&self, best: &Validation) -> String {
        let corpus = self.trainer.corpus();
        let left_out = corpus.left_out;
        let mut card = format!(
            "# {} trained on {}\n\nA token-level encoder for labour-market text, trained by workindex {} with the objective of \"Unified Work \
             Embeddings\" (arXiv 2511.07969). It is ranked with by {}; it is no mean-pooled sentence encoder.\n\n",
            self.base.name(),
            self.sources.releases.join(", "),
            env!("CARGO_PKG_VERSION"),
            self.trainer.options().objective.rule
        );
        let _ = writeln!(
            card,
            "* data: {}{}: {} skills, {} jobs, {} edges, {} sentences\n* held out ({:?}): {} concepts, {} edges, {} aliases, {} sentences\n\
             * {} steps in {:.0} minutes; {:.0} % of the way from the base, whose fingerprint is {}\n",
            self.sources.releases.join(", "),
            self.sources.sentences.iter().map(|file| format!(", {file}")).collect::<String>(),
            corpus.skills.len(),
            corpus.jobs.len(),
            corpus.n_edges(),
            corpus.sentences.len(),
            self.config.data.held_out,
            left_out.concepts,
            left_out.edges,
            left_out.aliases,
            left_out.sentences,
            self.trainer.steps_taken(),
            self.log.seconds / 60.0,
            100.0 * best.share,
            self.base.fingerprint(&self.base.default_settings())
        );
        card.push_str(&self.card_of_shape());
        card.push_str("| validation MAP, % | base | this |\n|---|---|---|\n");
        let base = self.log.validations.first();
        for (set, value) in &best.sets {
            let before =
                base.and_then(|base| base.sets.iter().find(|(other, _)| other == set)).map_or(0.0, |(_, value)| *value);
            let _ = writeln!(card, "| {set} | {:.2} | {:.2} |", 100.0 * before, 100.0 * value);
        }
        let before = base.map_or(0.0, |base| base.value);
        let _ = writeln!(card, "| mean over tasks | {:.2} | {:.2} |\n", 100.0 * before, 100.0 * best.value);
        for (ontology, attribution) in ATTRIBUTIONS {
            if self.sources.releases.iter().any(|release| release.starts_with(ontology)) {
                card.push_str(attribution);
            }
        }
        card.push_str("The base model's licence applies to the weights.\n\nConfiguration:\n\n```toml\n");
        card.push_str(&self.config.to_toml());
        card.push_str("```\n");
        card
    }
}

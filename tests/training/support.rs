//! Training runs in a folder, from a model of the fixtures.

use std::path::Path;

use workindex::train::{TrainingConfig, TrainingEvent, TrainingRun, Validation, read_corpus};
use workindex::workbench::{Data, DataOptions};
use workindex::{CancelToken, Checkpoint, Monitor};

use crate::common::fixture;

/// Runs until it is done, or until as many steps of this call are taken. Returns the losses of these, too.
pub fn run_until(
    data: &Path,
    model: &str,
    config: &TrainingConfig,
    out: &Path,
    until: u64,
) -> (workindex::Result<Validation>, Vec<f64>) {
    let cancel = CancelToken::new();
    let (stop, mut losses) = (cancel.clone(), Vec::new());
    let mut on = |event: TrainingEvent<'_>| {
        if let TrainingEvent::Step(report) = event {
            losses.push(report.loss);
            if losses.len() as u64 == until {
                stop.cancel();
            }
        }
    };
    let result = open_and_run(data, model, config, out, &Monitor::cancelled_by(cancel), &mut on);
    (result, losses)
}

/// Runs until it is done. Returns the losses.
pub fn run(data: &Path, model: &str, config: &TrainingConfig, out: &Path) -> workindex::Result<Vec<f64>> {
    let (result, losses) = run_until(data, model, config, out, u64::MAX);
    result.map(|_| losses)
}

fn open_and_run(
    data: &Path,
    model: &str,
    config: &TrainingConfig,
    out: &Path,
    monitor: &Monitor,
    on: &mut dyn FnMut(TrainingEvent<'_>),
) -> workindex::Result<Validation> {
    let data = Data::open(data, DataOptions::default())?;
    let corpus = read_corpus(&data, &config.data, &Monitor::silent())?;
    let base = Checkpoint::open(&fixture(model))?;
    TrainingRun::open(&data, &base, config.clone(), corpus, out)?.run(monitor, on)
}

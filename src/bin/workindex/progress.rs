//! Progress bars with rates, on standard error and only on a terminal.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use workindex::{CancelToken, Monitor, Progress, Stage};

/// A monitor that shows a bar for each stage of the work.
pub fn monitor(cancel: CancelToken) -> Monitor {
    let shown: Mutex<Option<Shown>> = Mutex::new(None);
    let callback = move |progress: Progress| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|shown| shown.stage != progress.stage) {
            *shown = Some(Shown::new(progress.stage));
        }
        if let Some(shown) = &*shown {
            shown.update(&progress);
        }
    };
    Monitor::new(callback, cancel)
}

/// The bar of one stage; cleared when it is dropped.
struct Shown {
    stage: Stage,
    bar: ProgressBar,
}

impl Shown {
    fn new(stage: Stage) -> Self {
        let bar = bar(verb(stage), counts_bytes(stage));
        Self { stage, bar }
    }

    fn update(&self, progress: &Progress) {
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        self.bar.set_position(progress.done);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar; its length is set when it is known.
pub fn bar(verb: &str, bytes: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let template = match bytes {
        true => "{msg:>9} [{bar:30}] {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}",
        false => "{msg:>9} [{bar:30}] {human_pos}/{human_len}  {rate}  {eta}",
    };
    // The templates are constants; were one wrong, the default style would be shown.
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, out: &mut dyn Write| _ = write!(out, "{:.0}/s", state.per_sec());
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    bar.set_message(verb.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn verb(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Encoding => "encoding",
        Stage::Writing => "writing",
        Stage::Ranking => "ranking",
        Stage::Verifying => "verifying",
        Stage::Training => "training",
        _ => "working",
    }
}

fn counts_bytes(stage: Stage) -> bool {
    matches!(stage, Stage::Reading | Stage::Verifying)
}

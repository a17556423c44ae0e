//! Progress and cancellation of long work: reading, encoding, ingesting, verifying, batch ranking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// What a long operation is doing at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading source files; counted in bytes.
    Reading,
    /// Encoding texts into token matrices; counted in texts.
    Encoding,
    /// Writing and synchronising segments of the index; counted in segments.
    Writing,
    /// Ranking queries; counted in queries.
    Ranking,
    /// Checking files of the index; counted in bytes.
    Verifying,
    /// Training an encoder; counted in steps.
    Training,
}

/// One progress report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Units done so far in this stage. Does not fall, but for a verification that begins again because a writer moved on.
    pub done: u64,
    /// Units in all, when known.
    pub total: Option<u64>,
}

/// A flag that another thread (a signal handler, a user interface) raises to stop long work.
///
/// Clones share the flag. Work stops at its next check, with [`Error::Cancelled`] and nothing changed.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work that watches this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

type Callback = dyn Fn(Progress) + Send + Sync;

/// What long work reports to, and asks whether to go on. Cheap to clone.
///
/// ```
/// use workindex::{CancelToken, Monitor};
/// let cancel = CancelToken::new();
/// let monitor = Monitor::new(|p| eprintln!("{:?} {} of {:?}", p.stage, p.done, p.total), cancel.clone());
/// # let _ = monitor;
/// ```
#[derive(Clone, Default)]
pub struct Monitor {
    callback: Option<Arc<Callback>>,
    cancel: CancelToken,
}

impl Monitor {
    /// Reports to `callback` (from any thread) and stops when `cancel` is raised.
    pub fn new(callback: impl Fn(Progress) + Send + Sync + 'static, cancel: CancelToken) -> Self {
        Self { callback: Some(Arc::new(callback)), cancel }
    }

    /// Reports nothing and cannot be cancelled.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Reports nothing and stops when `cancel` is raised.
    pub fn cancelled_by(cancel: CancelToken) -> Self {
        Self { callback: None, cancel }
    }

    /// A monitor for a part of the work: its counts are added to `before`, and `total` is that of the whole.
    pub(crate) fn part(&self, before: u64, total: u64) -> Self {
        let whole = self.clone();
        let report = move |p: Progress| whole.report(p.stage, before + p.done, Some(total));
        let callback = self.callback.is_some().then(|| Arc::new(report) as Arc<Callback>);
        Self { callback, cancel: self.cancel.clone() }
    }

    /// Tells the callback where the work is.
    pub(crate) fn report(&self, stage: Stage, done: u64, total: Option<u64>) {
        if let Some(callback) = &self.callback {
            callback(Progress { stage, done, total });
        }
    }

    /// [`Error::Cancelled`] once the token is raised.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

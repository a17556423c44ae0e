//! Which threads a ranking runs on.

use std::sync::Arc;

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// The threads of an index.
#[derive(Debug, Clone, Default)]
pub(super) enum Pool {
    /// The rayon pool that a call comes from; rayon's global one outside any.
    #[default]
    Current,
    /// The calling thread alone.
    Caller,
    /// A pool of the application's, or of the index's own.
    Own(Arc<ThreadPool>),
}

impl Pool {
    pub(super) fn of(pool: Arc<ThreadPool>) -> Self {
        Self::Own(pool)
    }

    /// A pool of `threads` threads, kept as long as the index and its spaces are; for one, the thread that calls.
    pub(super) fn sized(threads: usize) -> Result<Self> {
        let refused = |got: String| Error::InvalidOption {
            option: "threads",
            expected: "a number of threads that the machine can start, at least 1".to_string(),
            got,
        };
        if threads == 0 {
            return Err(refused("0".to_string()));
        }
        if threads == 1 {
            return Ok(Self::Caller);
        }
        let name = |thread| format!("workindex-{thread}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        Ok(Self::of(Arc::new(pool.map_err(|error| refused(format!("{threads} ({error})")))?)))
    }

    /// Whether work stays on the calling thread.
    pub(super) fn is_serial(&self) -> bool {
        matches!(self, Self::Caller)
    }

    /// Runs work that may use several threads; `serial` work stays on the calling thread.
    pub(super) fn run<R: Send>(&self, serial: bool, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Own(pool) if !serial => pool.install(work),
            _ => work(),
        }
    }
}

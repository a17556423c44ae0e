//! Which threads a ranking runs on.

use std::sync::Arc;

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// A pool of an application's own, or the rayon pool that a call comes from (rayon's global one outside any).
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Option<Arc<ThreadPool>>);

impl Pool {
    pub(super) fn of(pool: Arc<ThreadPool>) -> Self {
        Self(Some(pool))
    }

    /// A pool of `threads` threads, kept as long as the index and its spaces are.
    pub(super) fn sized(threads: usize) -> Result<Self> {
        let refused = |got: String| Error::InvalidOption {
            option: "threads",
            expected: "a number of threads that the machine can start, at least 1".to_string(),
            got,
        };
        if threads == 0 {
            return Err(refused("0".to_string()));
        }
        let name = |thread| format!("workindex-{thread}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        Ok(Self::of(Arc::new(pool.map_err(|error| refused(format!("{threads} ({error})")))?)))
    }

    /// Runs work that may use several threads; `serial` work stays on the calling thread.
    pub(super) fn run<R: Send>(&self, serial: bool, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) if !serial => pool.install(work),
            _ => work(),
        }
    }
}

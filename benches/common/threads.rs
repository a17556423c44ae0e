//! Pools of one and of all threads.

/// A pool and how many threads it has.
pub struct Pool {
    pub threads: usize,
    pool: rayon::ThreadPool,
}

impl Pool {
    fn new(threads: usize) -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        Self { threads, pool }
    }

    /// Runs work on the pool.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// `1 thread`, `2 threads`.
    pub fn name(&self) -> String {
        format!("{} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}

/// One thread, and all of the machine's if it has more.
pub fn pools() -> Vec<Pool> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    if all > 1 { vec![Pool::new(1), Pool::new(all)] } else { vec![Pool::new(1)] }
}

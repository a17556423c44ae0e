//! What a query needs, what it took, and the table of both.

use std::time::Duration;

use workindex::TokenMatrix;

use super::common::Pool;

/// What the machine does at best, on some threads.
pub struct Machine {
    /// Reading the hi plane once.
    pub read: Duration,
    /// 8-bit multiply-adds a second, where they could be measured.
    pub peak: Option<f64>,
}

/// What a query needs at least.
pub struct Work {
    /// Bytes of the hi plane.
    pub bytes: usize,
    /// Integer multiply-adds of all dot products, on average over the queries.
    pub multiply_adds: f64,
}

impl Work {
    pub fn of(n_rows: usize, dim: usize, queries: &[TokenMatrix]) -> Self {
        let tokens: usize = queries.iter().map(TokenMatrix::n_tokens).sum();
        let multiply_adds = (n_rows * dim * tokens) as f64 / queries.len() as f64;
        Self { bytes: Self::hi_plane_bytes(n_rows, dim), multiply_adds }
    }

    /// One byte a value, in blocks of 16 rows and groups of 4 dimensions (`index-format.md`).
    pub fn hi_plane_bytes(n_rows: usize, dim: usize) -> usize {
        n_rows.next_multiple_of(16) * dim.next_multiple_of(4)
    }
}

/// One row of the table.
pub struct Line {
    name: String,
    work: Work,
    /// Per query.
    best: Duration,
    median: Duration,
    batch: bool,
}

impl Line {
    /// From the times of single queries, or of batches of `n_queries`.
    pub fn new(
        workload: &str,
        pool: &Pool,
        work: Work,
        mut times: Vec<Duration>,
        n_queries: usize,
        batch: bool,
    ) -> Self {
        times.sort_unstable();
        let (name, queries) = match batch {
            true => (format!("{n_queries} {workload}s"), n_queries as u32),
            false => (workload.to_string(), 1),
        };
        let (best, median) = (times[0] / queries, times[times.len() / 2] / queries);
        Self { name: format!("{name}, {}", pool.name()), work, best, median, batch }
    }

    /// Prints the row; times are per query.
    pub fn print(&self, machine: &Machine) {
        let Self { name, work, best, median, batch } = self;
        let (read, compute) = (machine.read.as_secs_f64(), machine.peak.map(|peak| work.multiply_adds / peak));
        let floor = if *batch { compute } else { Some(compute.unwrap_or(0.0).max(read)) };
        let fraction = floor.map_or("-".to_string(), |floor| format!("{:.0} %", 100.0 * floor / median.as_secs_f64()));
        let compute = compute.map_or("-".to_string(), |compute| format!("{:.3}", compute * 1e3));
        println!(
            "{name:<24} {:>9.3} {:>9.3} {:>9.3} {compute:>9} {fraction:>9} {:>9.1} {:>9.1} {:>9.1}",
            best.as_secs_f64() * 1e3,
            median.as_secs_f64() * 1e3,
            read * 1e3,
            work.bytes as f64 / read / 1e9,
            work.bytes as f64 / median.as_secs_f64() / 1e9,
            work.multiply_adds / median.as_secs_f64() / 1e9,
        );
    }
}

/// Prints the names of the columns. Times are milliseconds per query; GB/s of the machine and of the executor, as if it
/// read the plane once for each query; GMAC/s of the executor.
pub fn head() {
    println!(
        "{:<24} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "best ms", "median ms", "read ms", "MACs ms", "of floor", "read GB/s", "GB/s", "GMAC/s"
    );
}

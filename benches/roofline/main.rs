//! How near the executor is to what this machine can do: reading the hi plane once, and the multiply-adds of a query.
//!
//! For each target space of the scan benches, 1 thread and all: the time to read a buffer of the hi plane's size (best of
//! many), the integer multiply-adds of a query (rows × dim × tokens) and, on a machine with AVX-512 VNNI, the time that
//! they take at the rate of `vpdpbusd` on registers alone. The floor of a query is the longer of the two; of a query of
//! a batch it is the multiply-adds, because a plane that is read once serves many. Data and environment as in the scan bench;
//! all of it is measured in this run.
//!
//! ```sh
//! cargo bench --bench roofline
//! ```

#[path = "../common/mod.rs"]
mod common;
mod floor;
mod peak;
mod report;

use std::time::{Duration, Instant};

use workindex::{Monitor, RankOptions};

use common::{Pool, ScanSetup, TargetSet, is_smoke_test, pools};
use report::{Line, Machine, Work};

fn main() {
    let setup = ScanSetup::prepare();
    let pools = pools();
    for set in &setup.sets {
        let dim = setup.queries.titles[0].dim();
        println!("\n{}: {} targets, {} rows of {dim}", set.name, set.space.len(), set.n_rows);
        report::head();
        for pool in &pools {
            let plane = Work::hi_plane_bytes(set.n_rows, dim);
            let machine = Machine { read: floor::read(plane, pool, effort(50)), peak: peak::int8_rate(pool) };
            for (workload, queries) in [("title", &setup.queries.titles), ("sentence", &setup.queries.sentences)] {
                let work = |queries: &[workindex::TokenMatrix]| Work::of(set.n_rows, dim, queries);
                let times = singles(set, queries, pool);
                Line::new(workload, pool, work(queries), times, queries.len(), false).print(&machine);
                let times = batches(set, queries, pool);
                Line::new(workload, pool, work(queries), times, queries.len(), true).print(&machine);
            }
        }
    }
}

/// How often something is measured.
fn effort(times: usize) -> usize {
    if is_smoke_test() { 1 } else { times }
}

/// The times of the queries one by one, after each was ranked once.
fn singles(set: &TargetSet, queries: &[workindex::TokenMatrix], pool: &Pool) -> Vec<Duration> {
    let options = RankOptions::top(10);
    let rank = |query| pool.run(|| set.space.rank_matrix(query, &options).expect("a ranking"));
    queries.iter().for_each(|query| _ = rank(query));
    let timed = |query| {
        let start = Instant::now();
        std::hint::black_box(rank(query));
        start.elapsed()
    };
    (0..effort(5)).flat_map(|_| queries.iter().map(timed)).collect()
}

/// The times of all queries at once.
fn batches(set: &TargetSet, queries: &[workindex::TokenMatrix], pool: &Pool) -> Vec<Duration> {
    let timed = |_| {
        let start = Instant::now();
        let rank = || set.space.rank_matrices(queries, &RankOptions::top(10), &Monitor::silent());
        std::hint::black_box(pool.run(rank).expect("rankings"));
        start.elapsed()
    };
    (0..effort(5)).map(timed).collect()
}

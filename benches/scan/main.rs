//! Scanning whole target spaces: the executor, with a plain f32 scan and a `gemm`-based one in the same run as baselines.
//!
//! Titles of about 7 token rows and sentences of about 20, one at a time and (titles) 64 different ones in a batch; on one
//! thread and on all; on three sizes of target space:
//!
//! | name | targets with real data |
//! |---|---|
//! | 14k | the skills of ESCO 1.1.1 |
//! | 34k | those and the other labels of ESCO and O*NET |
//! | 300k | those, all alternative labels of several releases, tasks and other lists; with `WORKINDEX_BENCH_LARGE=1` |
//!
//! With `WORKINDEX_DATA` and `WORKINDEX_ENCODER` set, real texts and the pretrained encoder; without them the fixtures,
//! whose figures say nothing about real use. Token matrices and indexes are kept in `target/bench-scan`; encoding the
//! large space takes some ten minutes, once. Every way must find the same targets before anything is measured.
//!
//! ```sh
//! cargo bench --bench scan
//! cargo bench --bench scan --features gemm/x86-v4   # the baseline, and the encoder, with AVX-512
//! ```

mod check;
#[path = "../common/mod.rs"]
mod common;
mod fold;
mod gemm_scan;
mod plain;
mod top;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use workindex::{Monitor, RankOptions, TokenMatrix};

use common::{Pool, ScanSetup, TargetSet, unit_rows};
use gemm_scan::{BLOCK_ROWS, GemmScan, QueryRows};
use plain::PlainScan;

/// Targets asked for.
const K: usize = 10;

/// Queries that are measured alike.
pub struct Workload<'a> {
    name: &'static str,
    queries: &'a [TokenMatrix],
    /// Whether all queries are also ranked at once.
    batch: bool,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (setup, pools) = (ScanSetup::prepare(), common::pools());
    let workloads = [
        Workload { name: "title", queries: &setup.queries.titles, batch: true },
        Workload { name: "sentence", queries: &setup.queries.sentences, batch: false },
    ];
    for set in &setup.sets {
        let rows = set.rows();
        let (plain, gemm) = (PlainScan::new(&rows), GemmScan::new(&rows, BLOCK_ROWS));
        for workload in &workloads {
            check::check(set, &plain, &gemm, workload, &pools);
            singles(&mut criterion, set, &plain, &gemm, workload, &pools);
            if workload.batch {
                batches(&mut criterion, set, &gemm, workload, &pools);
            }
        }
    }
    criterion.final_summary();
}

/// A group whose measurements of some hundred milliseconds and more stay few.
fn group<'c>(criterion: &'c mut Criterion, set: &TargetSet, workload: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("scan {}, {workload}", set.name));
    group.sampling_mode(SamplingMode::Flat).sample_size(if set.space.len() > 100_000 { 10 } else { 20 });
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group
}

/// One query after the other, each another one than the last.
fn singles(
    criterion: &mut Criterion,
    set: &TargetSet,
    plain: &PlainScan,
    gemm: &GemmScan,
    workload: &Workload,
    pools: &[Pool],
) {
    let rows: Vec<Vec<f32>> = workload.queries.iter().map(unit_rows).collect();
    let dim = workload.queries[0].dim();
    let queries: Vec<QueryRows> = rows.iter().map(|rows| QueryRows::new([rows], dim)).collect();
    let mut group = group(criterion, set, workload.name);
    let mut next = rows.iter().cycle();
    group.bench_function("plain f32 scan, 1 thread", |b| b.iter(|| next.next().map(|query| plain.rank(query, K))));
    for pool in pools {
        let mut next = queries.iter().cycle();
        group.bench_function(format!("gemm scan, {}", pool.name()), |b| {
            pool.run(|| b.iter(|| next.next().map(|query| gemm.rank(query, K))))
        });
        let mut next = workload.queries.iter().cycle();
        group.bench_function(format!("executor, {}", pool.name()), |b| {
            pool.run(|| b.iter(|| next.next().map(|query| set.space.rank_matrix(query, &RankOptions::top(K)).unwrap())))
        });
    }
}

/// All queries of a workload at once.
fn batches(criterion: &mut Criterion, set: &TargetSet, gemm: &GemmScan, workload: &Workload, pools: &[Pool]) {
    let rows: Vec<Vec<f32>> = workload.queries.iter().map(unit_rows).collect();
    let queries = QueryRows::new(&rows, workload.queries[0].dim());
    let mut group = group(criterion, set, &format!("batch of {} {}s", rows.len(), workload.name));
    group.sample_size(10).throughput(Throughput::Elements(rows.len() as u64));
    for pool in pools {
        group.bench_function(format!("gemm scan, {}", pool.name()), |b| pool.run(|| b.iter(|| gemm.rank(&queries, K))));
        group.bench_function(format!("executor, {}", pool.name()), |b| {
            let rank = || set.space.rank_matrices(workload.queries, &RankOptions::top(K), &Monitor::silent()).unwrap();
            pool.run(|| b.iter(rank))
        });
    }
}

//! What is measured must be right: all ways give the same best targets, on every workload.

use workindex::{Monitor, RankOptions, Ranking, TokenMatrix};

use super::common::{Pool, TargetSet, unit_rows};
use super::gemm_scan::{GemmScan, QueryRows};
use super::plain::PlainScan;
use super::{K, Workload};

/// Scores closer than this may change places.
const TOLERANCE: f32 = 1e-4;
/// Queries of a workload that the plain scan, which takes long, has its say on.
const PLAIN_QUERIES: usize = 4;

/// Panics unless the executor, the gemm scan (alone and in a batch) and the plain scan agree on every query of a workload, in
/// every pool.
pub fn check(set: &TargetSet, plain: &PlainScan, gemm: &GemmScan, workload: &Workload, pools: &[Pool]) {
    let rows: Vec<Vec<f32>> = workload.queries.iter().map(unit_rows).collect();
    let dim = workload.queries[0].dim();
    let singles: Vec<QueryRows> = rows.iter().map(|rows| QueryRows::new([rows], dim)).collect();
    let scores: Vec<Vec<f32>> = pools[pools.len() - 1].run(|| {
        use rayon::prelude::*;
        singles.par_iter().map(|query| gemm.scores(query)).collect()
    });
    for (at, rows) in rows.iter().enumerate().take(PLAIN_QUERIES) {
        let name = format!("{}, {} {at}, plain", set.name, workload.name);
        agree(&scores[at], &plain.rank(rows, K), &name);
    }
    let batch = QueryRows::new(&rows, dim);
    for pool in pools {
        let name = |way: &str, at: usize| format!("{}, {} {at}, {way}, {}", set.name, workload.name, pool.name());
        let gemm_batch = pool.run(|| gemm.rank(&batch, K));
        let batch =
            pool.run(|| set.space.rank_matrices(workload.queries, &options(), &Monitor::silent())).expect("rankings");
        for (at, query) in workload.queries.iter().enumerate() {
            agree(&scores[at], &pool.run(|| gemm.rank(&singles[at], K))[0], &name("gemm", at));
            agree(&scores[at], &gemm_batch[at], &name("gemm batch", at));
            agree(&scores[at], &top(&batch[at]), &name("executor batch", at));
            agree(&scores[at], &top(&pool.run(|| rank_one(set, query))), &name("executor", at));
        }
    }
}

fn options() -> RankOptions {
    RankOptions::top(K)
}

fn rank_one(set: &TargetSet, query: &TokenMatrix) -> Ranking {
    set.space.rank_matrix(query, &options()).expect("a ranking")
}

fn top(ranking: &Ranking) -> Vec<(f32, usize)> {
    ranking.iter().map(|hit| (hit.score, hit.target)).collect()
}

/// That `got` is the top of `scores`, but for swaps of scores closer than the tolerance: each of its targets once, with
/// its score and with the score that belongs in its place.
fn agree(scores: &[f32], got: &[(f32, usize)], what: &str) {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    assert_eq!(got.len(), K.min(scores.len()), "{what}: hits");
    for (place, (&(score, target), best)) in got.iter().zip(sorted).enumerate() {
        let expected = scores[target];
        assert!((score - expected).abs() <= TOLERANCE, "{what}: target {target} scores {score}, expected {expected}");
        assert!((expected - best).abs() <= TOLERANCE, "{what}: place {place} has {expected}, expected {best}");
        assert!(got[..place].iter().all(|(_, other)| *other != target), "{what}: target {target} twice");
    }
}

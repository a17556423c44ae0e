//! What is asked is answered with the same bits on any number of threads, alone and in batches, by one rule or several; and it
//! runs on the threads it was given: a pool's, no more than it has, or the calling one alone.

mod common;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::ThreadId;

use common::synthetic::{Random, Shape, World, every_rule};
use common::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use workindex::{
    CancelToken, Encoder, Error, Filter, Monitor, RankOptions, RankedTargets, Ranking, Rule, Space, TokenMatrix,
    WorkIndex,
};

/// A space that is large enough for its scan to be shared between threads, even for a few tokens.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let shape = Shape { dim: 48, targets: 3000, topics: 40, spread: 1.5, rows: 8, size: 1.0, hostile: true };
    World::new(11, shape)
});

/// Short queries and long ones.
static QUERIES: LazyLock<Vec<TokenMatrix>> = LazyLock::new(|| {
    let mut random = Random::new(12);
    let lengths = [4, 7, 1, 20, 3, 40, 7, 9, 150, 6, 12, 8];
    lengths.into_iter().map(|tokens| WORLD.query(&mut random, tokens)).collect()
});

/// A ranking of each kind of work that the engine does.
static ASKED: LazyLock<Vec<RankOptions>> = LazyLock::new(|| {
    let some = Filter::ids((0..3000).step_by(3).map(|at| format!("id-{at}")));
    let few = Filter::ids((0..3000).step_by(500).map(|at| format!("id-{at}")));
    vec![
        RankOptions::top(10),
        RankOptions::full(),
        RankOptions::top(5).rule(Rule::max_sim()),
        RankOptions::top(20).rule(Rule::context_match()),
        RankOptions::top(10).rule(Rule::soft(0.001)).filter(some),
        RankOptions::top(3).filter(few),
    ]
});

/// What each query gets on the calling thread alone, for each of [`ASKED`].
static EXPECTED: LazyLock<Vec<Vec<Ranking>>> = LazyLock::new(|| {
    let one_by_one = |options: &RankOptions| {
        let options = options.clone().serial();
        QUERIES.iter().map(|query| WORLD.space.rank_matrix(query, &options).unwrap()).collect()
    };
    ASKED.iter().map(one_by_one).collect()
});

fn pool(threads: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
}

fn open(index: WorkIndex) -> Space {
    index.space("list/skill/en").unwrap()
}

/// The same hits with the same bits, and the same account of how they were found.
#[track_caller]
fn assert_same(got: &Ranking, expected: &Ranking, at: &str) {
    let bits = |ranking: &Ranking| ranking.iter().map(|hit| (hit.target, hit.score.to_bits())).collect::<Vec<_>>();
    assert_eq!(bits(got), bits(expected), "{at}");
    assert_eq!(got, expected, "{at}");
}

/// Asks everything, one by one and in batches.
fn check(space: &Space, at: &str) {
    for (options, expected) in ASKED.iter().zip(EXPECTED.iter()) {
        for (query, expected) in QUERIES.iter().zip(expected) {
            assert_same(&space.rank_matrix(query, options).unwrap(), expected, &format!("{at}, alone, {options:?}"));
        }
        let batch = space.rank_matrices(&QUERIES, options, &Monitor::silent()).unwrap();
        assert_eq!(batch.len(), QUERIES.len());
        for (got, expected) in batch.iter().zip(expected) {
            assert_same(got, expected, &format!("{at}, in a batch, {options:?}"));
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    check(&WORLD.space, "rayon's own threads");
    for threads in [1, 2, 7] {
        check(&open(WORLD.index.clone().with_threads(threads).unwrap()), &format!("{threads} threads"));
    }
    check(&open(WORLD.index.clone().with_pool(pool(3))), "a pool of the application");
}

#[test]
fn calls_from_inside_a_pool_give_the_same_bits() {
    let own = open(WORLD.index.clone().with_threads(2).unwrap());
    for space in [&WORLD.space, &own] {
        pool(4).install(|| check(space, "inside a pool"));
        let options = &ASKED[0];
        let found: Vec<Ranking> =
            pool(3).install(|| QUERIES.par_iter().map(|query| space.rank_matrix(query, options).unwrap()).collect());
        found.iter().zip(&EXPECTED[0]).for_each(|(got, expected)| assert_same(got, expected, "from parallel work"));
    }
}

#[test]
fn many_threads_at_once_get_the_same_bits() {
    let own = open(WORLD.index.clone().with_threads(2).unwrap());
    LazyLock::force(&EXPECTED);
    for space in [&WORLD.space, &own] {
        std::thread::scope(|scope| {
            for thread in 0..16 {
                scope.spawn(move || {
                    for at in (0..QUERIES.len()).map(|at| (at + thread) % QUERIES.len()) {
                        let which = (at + thread) % ASKED.len();
                        let got = space.rank_matrix(&QUERIES[at], &ASKED[which]).unwrap();
                        assert_same(&got, &EXPECTED[which][at], "one of 16 threads");
                    }
                });
            }
        });
    }
}

#[test]
fn a_batch_beyond_a_panel_gives_the_same_bits() {
    let many: Vec<TokenMatrix> = QUERIES.iter().cycle().take(300).cloned().collect();
    let got = WORLD.space.rank_matrices(&many, &ASKED[0], &Monitor::silent()).unwrap();
    assert_eq!(got.len(), 300);
    got.iter().zip(EXPECTED[0].iter().cycle()).for_each(|(got, expected)| assert_same(got, expected, "of 300"));
    let mut streamed = Vec::new();
    let each = |at: usize, ranked: RankedTargets| streamed.push((at, ranked));
    WORLD.space.rank_each_matrix(&many, &ASKED[0], &Monitor::silent(), each).unwrap();
    assert_eq!(streamed.len(), 300);
    for ((at, (place, ranked)), expected) in streamed.iter().enumerate().zip(&got) {
        assert_eq!(*place, at);
        assert_streamed(ranked, expected);
    }
}

/// What was handed over is what a ranking holds.
#[track_caller]
fn assert_streamed(ranked: &RankedTargets, expected: &Ranking) {
    let targets: Vec<u32> = expected.iter().map(|hit| hit.target as u32).collect();
    let bits = |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
    assert_eq!(ranked.targets, targets);
    assert_eq!(bits(&ranked.scores), expected.iter().map(|hit| hit.score.to_bits()).collect::<Vec<_>>());
    assert_eq!((ranked.truncated, ranked.certificate), (expected.truncated, expected.certificate));
}

#[test]
fn rules_asked_together_answer_as_alone() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let rules = every_rule(&mut Random::new(1));
    let filter = Filter::attribute("skillType", "knowledge");
    for options in [RankOptions::top(1), RankOptions::top(7), RankOptions::full(), RankOptions::top(2).filter(filter)] {
        for text in ["Senior data engineer", "chef", "weld pipes and read blueprints"] {
            let together = space.rank_rules(text, &options, &rules).unwrap();
            assert_eq!(together.len(), rules.len());
            for (got, rule) in together.iter().zip(&rules) {
                assert_same(got, &space.rank(text, &options.clone().rule(*rule)).unwrap(), &format!("{text}, {rule}"));
            }
            // In another order, and only some: what a rule gives does not depend on the others.
            let some: Vec<Rule> = rules.iter().rev().step_by(5).copied().collect();
            let of_some = space.rank_rules(text, &options, &some).unwrap();
            for (got, expected) in of_some.iter().zip(together.iter().rev().step_by(5)) {
                assert_same(got, expected, text);
            }
        }
    }
    assert!(space.rank_rules("chef", &RankOptions::full(), &[]).unwrap().is_empty());
    let error = space.rank_rules("chef", &RankOptions::full(), &[Rule::default(), Rule::soft(0.0)]).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
}

#[test]
fn texts_handed_over_are_those_of_the_batch() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let texts: Vec<String> = (0..40).map(|at| format!("engineer {at} of night shifts")).collect();
    let options = RankOptions::top(6);
    let batch = space.rank_batch(&texts, &options, &Monitor::silent()).unwrap();
    let mut places = Vec::new();
    space
        .rank_each(&texts, &options, &Monitor::silent(), |at, ranked| {
            assert_streamed(&ranked, &batch[at]);
            places.push(at);
        })
        .unwrap();
    assert_eq!(places, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_pool_without_threads_is_refused() {
    let error = WORLD.index.clone().with_threads(0).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "threads", .. }), "{error}");
    assert!(error.to_string().contains("at least 1"), "{error}");
}

/// The threads that progress was reported from.
fn reporting_threads(work: impl FnOnce(&Monitor)) -> (BTreeSet<String>, Vec<ThreadId>) {
    let seen: Arc<Mutex<(BTreeSet<String>, Vec<ThreadId>)>> = Arc::default();
    let report = {
        let seen = Arc::clone(&seen);
        move |_| {
            let current = std::thread::current();
            let mut seen = seen.lock().unwrap();
            seen.0.insert(current.name().unwrap_or("unnamed").to_string());
            seen.1.push(current.id());
        }
    };
    work(&Monitor::new(report, CancelToken::new()));
    let seen = seen.lock().unwrap();
    assert!(!seen.1.is_empty());
    seen.clone()
}

#[test]
fn a_ranking_runs_on_the_pool_that_the_index_has() {
    let options = RankOptions::top(3);
    let own = open(WORLD.index.clone().with_threads(2).unwrap());
    let rank = |space: &Space, options: &RankOptions, monitor: &Monitor| {
        space.rank_matrices(&QUERIES, options, monitor).unwrap();
    };
    let (names, _) = reporting_threads(|monitor| rank(&own, &options, monitor));
    assert!(names.iter().all(|name| name.starts_with("workindex-")), "{names:?}");

    let name = |at| format!("application-{at}");
    let threads = Arc::new(ThreadPoolBuilder::new().num_threads(2).thread_name(name).build().unwrap());
    let given = open(WORLD.index.clone().with_pool(Arc::clone(&threads)));
    for elsewhere in [None, Some(pool(2))] {
        let work = |monitor: &Monitor| match &elsewhere {
            None => rank(&given, &options, monitor),
            Some(pool) => pool.install(|| rank(&given, &options, monitor)),
        };
        let (names, _) = reporting_threads(work);
        assert!(names.iter().all(|name| name.starts_with("application-")), "{names:?}");
    }
    let (_, ids) = reporting_threads(|monitor| rank(&given, &options.clone().serial(), monitor));
    assert!(ids.iter().all(|id| *id == std::thread::current().id()));
}

#[test]
fn texts_are_encoded_on_the_pool_that_the_index_has() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let own = index.with_threads(2).unwrap().space("esco/skill/en").unwrap();
    let texts: Vec<String> = (0..30).map(|at| format!("welder {at}")).collect();
    let options = RankOptions::top(3);
    let (names, _) = reporting_threads(|monitor| _ = own.rank_batch(&texts, &options, monitor).unwrap());
    assert!(names.iter().all(|name| name.starts_with("workindex-")), "{names:?}");
    let (_, ids) = reporting_threads(|monitor| _ = own.rank_batch(&texts, &options.serial(), monitor).unwrap());
    assert!(ids.iter().all(|id| *id == std::thread::current().id()), "a serial batch left its thread");
}

/// Names the role of this binary when a test starts it again, to be alone in its process.
const ROLE: &str = "WORKINDEX_TEST_THREADS";

/// Threads of this process.
fn n_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Threads of this process once those that have ended are gone: the system takes a thread off its list a moment after whoever waited for
/// it goes on.
fn settled(expected: usize) -> usize {
    for _ in 0..500 {
        if n_threads() == expected {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    n_threads()
}

/// Runs `work` in a process of its own, in which nothing else makes threads. True in that process.
#[track_caller]
fn alone(test: &str) -> bool {
    if !std::path::Path::new("/proc/self/task").is_dir() {
        eprintln!("skipped: threads are counted on Linux only");
        return false;
    }
    if std::env::var_os(ROLE).is_some_and(|role| role == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output =
        command.args([test, "--exact", "--nocapture", "--test-threads", "1"]).env(ROLE, test).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// A small index of texts, made without any thread that stays.
fn text_index(encoder: &Encoder) -> (tempfile::TempDir, WorkIndex) {
    let before = n_threads();
    let (folder, path) = scratch();
    // Ingesting embeds on the pool that it is called from.
    let one = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one.install(|| {
        let mut writer = WorkIndex::create(&path, encoder).unwrap();
        ingest(&mut writer, &mini_esco("1.1.0"));
    });
    drop(one);
    // Threads of a pool end soon after it.
    for _ in 0..1000 {
        if n_threads() == before {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (folder, WorkIndex::open(&path).unwrap())
}

#[test]
fn serial_work_starts_no_thread() {
    if !alone("serial_work_starts_no_thread") {
        return;
    }
    let before = n_threads();
    for options in ASKED.iter().map(|options| options.clone().serial()) {
        WORLD.space.rank_matrices(&QUERIES, &options, &Monitor::silent()).unwrap();
        WORLD.space.rank_matrix(&QUERIES[0], &options).unwrap();
        WORLD.space.rank_each_matrix(&QUERIES, &options, &Monitor::silent(), |_, _| ()).unwrap();
    }
    assert_eq!(settled(before), before, "ranking token matrices");
    let (_folder, index) = text_index(&tiny_encoder());
    let (space, before) = (index.space("esco/skill/en").unwrap(), n_threads());
    let options = RankOptions::top(3).serial();
    space.rank("Senior data engineer", &options).unwrap();
    space.rank_rules("chef", &options, &[Rule::default(), Rule::max_sim()]).unwrap();
    assert_eq!(settled(before), before, "ranking for a text");
    let texts: Vec<String> = (0..300).map(|at| format!("welder {at}")).collect();
    space.rank_batch(&texts, &options, &Monitor::silent()).unwrap();
    space.rank_each(&texts, &options, &Monitor::silent(), |_, _| ()).unwrap();
    assert_eq!(settled(before), before, "ranking for texts");
}

/// Products of a real encoder's matrices are large enough to be shared between threads.
#[test]
fn a_real_encoder_keeps_to_the_pool_of_the_index() {
    if !alone("a_real_encoder_keeps_to_the_pool_of_the_index") {
        return;
    }
    let Some(encoder) = pretrained() else { return };
    let (_folder, index) = text_index(&encoder);
    let before = n_threads();
    let space = index.with_threads(2).unwrap().space("esco/skill/en").unwrap();
    space.rank("Senior data engineer for the night shift", &RankOptions::top(3)).unwrap();
    space.rank_batch(&["Senior data engineer", "chef"], &RankOptions::top(3), &Monitor::silent()).unwrap();
    assert_eq!(settled(before + 2), before + 2);
}

#[test]
fn serial_batches_of_texts_give_the_same_bits() {
    let (_folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    let texts: Vec<String> = (0..300).map(|at| format!("welder {at} of pipes and blueprints {}", at * at)).collect();
    let rank = |options: &RankOptions| space.rank_batch(&texts, options, &Monitor::silent()).unwrap();
    let (parallel, serial) = (rank(&RankOptions::top(5)), rank(&RankOptions::top(5).serial()));
    parallel.iter().zip(&serial).for_each(|(got, expected)| assert_same(got, expected, "serial"));
}

#[test]
fn many_callers_start_no_more_threads_than_the_pool_has() {
    if !alone("many_callers_start_no_more_threads_than_the_pool_has") {
        return;
    }
    let before = n_threads();
    LazyLock::force(&QUERIES);
    let space = open(WORLD.index.clone().with_threads(2).unwrap());
    let most = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for query in QUERIES.iter() {
                    space.rank_matrix(query, &RankOptions::top(10)).unwrap();
                    let now = n_threads();
                    let mut most = most.lock().unwrap();
                    *most = now.max(*most);
                }
                space.rank_matrices(&QUERIES, &RankOptions::top(10), &Monitor::silent()).unwrap();
            });
        }
    });
    assert!(*most.lock().unwrap() <= before + 16 + 2, "{most:?}, before {before}");
    assert_eq!(settled(before + 2), before + 2);
}

#[test]
fn work_inside_a_pool_stays_in_it() {
    if !alone("work_inside_a_pool_stays_in_it") {
        return;
    }
    LazyLock::force(&QUERIES);
    let (_folder, index) = text_index(&tiny_encoder());
    let (space, application) = (index.space("esco/skill/en").unwrap(), pool(3));
    let before = n_threads();
    let texts: Vec<String> = (0..300).map(|at| format!("welder {at}")).collect();
    application.install(|| {
        WORLD.space.rank_matrices(&QUERIES, &RankOptions::top(10), &Monitor::silent()).unwrap();
        QUERIES.par_iter().for_each(|query| _ = WORLD.space.rank_matrix(query, &RankOptions::top(10)).unwrap());
        space.rank_batch(&texts, &RankOptions::top(10), &Monitor::silent()).unwrap();
        space.rank("chef", &RankOptions::top(10)).unwrap();
    });
    assert_eq!(settled(before), before);
}

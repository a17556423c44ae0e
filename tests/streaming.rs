//! Thousands of rankings are handed over in order, a part at a time: what comes later is not worked on before, work stops when
//! it is cancelled, progress is told, and what is at fault is named.

mod common;

use std::sync::{Arc, Mutex};

use common::synthetic::{Random, Shape, World};
use common::*;
use workindex::{CancelToken, Error, Monitor, Progress, RankOptions, Rule, Space, Stage, TokenMatrix, WorkIndex};

/// Queries that are worked on together, at most.
const PART: usize = 256;

fn space() -> (tempfile::TempDir, WorkIndex, Space) {
    let (folder, _path, index) = mini_index("1.1.0");
    let space = index.space("esco/skill/en").unwrap();
    (folder, index, space)
}

fn texts(n: usize) -> Vec<String> {
    (0..n).map(|at| format!("  engineer {at}")).collect()
}

/// A monitor that keeps what it is told.
fn listening(cancel: &CancelToken) -> (Monitor, Arc<Mutex<Vec<Progress>>>) {
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let keep = Arc::clone(&told);
    (Monitor::new(move |progress| keep.lock().unwrap().push(progress), cancel.clone()), told)
}

fn of_stage(told: &[Progress], stage: Stage) -> Vec<Progress> {
    told.iter().copied().filter(|progress| progress.stage == stage).collect()
}

#[test]
fn rankings_come_in_order_before_later_texts_are_encoded() {
    let (_folder, _index, space) = space();
    let (n, (monitor, told)) = (900, listening(&CancelToken::new()));
    let (mut next, mut furthest) = (0, 0);
    space
        .rank_each(&texts(n), &RankOptions::top(2), &monitor, |at, ranked| {
            assert_eq!((at, ranked.targets.len()), (next, 2));
            next += 1;
            let encoded = of_stage(&told.lock().unwrap(), Stage::Encoding).last().map_or(0, |p| p.done as usize);
            assert!((at + 1..=at + PART).contains(&encoded), "{encoded} texts encoded at ranking {at}");
            furthest = furthest.max(encoded);
        })
        .unwrap();
    assert_eq!((next, furthest), (n, n));
}

#[test]
fn progress_rises_to_the_total() {
    let (_folder, _index, space) = space();
    let matrices = {
        let encoded = tiny_encoder().encode_batch(&texts(600), &Monitor::silent()).unwrap();
        encoded.into_iter().map(|encoded| encoded.matrix).collect::<Vec<TokenMatrix>>()
    };
    let check = |told: &[Progress], stage: Stage| {
        let told = of_stage(told, stage);
        assert!(told.windows(2).all(|pair| pair[0].done <= pair[1].done), "{told:?}");
        assert!(told.len() > 2 && told.iter().all(|progress| progress.total == Some(600)), "{told:?}");
        assert_eq!(told.last().map(|progress| progress.done), Some(600));
    };
    let (monitor, told) = listening(&CancelToken::new());
    space.rank_each(&texts(600), &RankOptions::top(1), &monitor, |_, _| ()).unwrap();
    check(&told.lock().unwrap(), Stage::Ranking);
    check(&told.lock().unwrap(), Stage::Encoding);
    let (monitor, told) = listening(&CancelToken::new());
    space.rank_each_matrix(&matrices, &RankOptions::top(1), &monitor, |_, _| ()).unwrap();
    check(&told.lock().unwrap(), Stage::Ranking);
    let (monitor, told) = listening(&CancelToken::new());
    space.rank_batch(&texts(600), &RankOptions::top(1), &monitor).unwrap();
    check(&told.lock().unwrap(), Stage::Ranking);
}

#[test]
fn a_cancelled_stream_ends_within_a_part() {
    let (_folder, _index, space) = space();
    let matrices: Vec<TokenMatrix> = vec![tiny_encoder().encode("engineer").unwrap().matrix; 1200];
    for stop_at in [0, 255, 256, 300] {
        for of_texts in [true, false] {
            let (cancel, mut handed) = (CancelToken::new(), 0);
            let monitor = Monitor::cancelled_by(cancel.clone());
            let each = |at: usize, _| {
                handed += 1;
                if at == stop_at {
                    cancel.cancel();
                }
            };
            let result = match of_texts {
                true => space.rank_each(&texts(1200), &RankOptions::top(1), &monitor, each),
                false => space.rank_each_matrix(&matrices, &RankOptions::top(1), &monitor, each),
            };
            assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
            assert!(handed > stop_at && handed <= stop_at + PART, "stopped at {stop_at}, {handed} handed over");
        }
    }
    let cancel = CancelToken::new();
    cancel.cancel();
    let monitor = Monitor::cancelled_by(cancel);
    let never = |_, _| panic!("nothing is handed over once cancelled");
    assert!(matches!(space.rank_each(&texts(3), &RankOptions::top(1), &monitor, never), Err(Error::Cancelled)));
}

#[test]
fn whole_rankings_hold_every_target_once() {
    let (_folder, _index, space) = space();
    let (mut n, texts) = (0, texts(300));
    let options = RankOptions::full().rule(Rule::max_sim());
    space
        .rank_each(&texts, &options, &Monitor::silent(), |at, ranked| {
            let mut targets = ranked.targets.clone();
            targets.sort_unstable();
            assert!(targets.into_iter().eq(0..space.len() as u32));
            assert!(ranked.scores.is_sorted_by(|a, b| a >= b) && ranked.scores.len() == space.len());
            assert_eq!((ranked.certificate.targets, ranked.certificate.rescored), (space.len(), space.len()));
            assert!(ranked.certificate.certified && !ranked.truncated && at == n);
            n += 1;
        })
        .unwrap();
    assert_eq!(n, 300);
    space.rank_each::<&str>(&[], &options, &Monitor::silent(), |_, _| panic!("there is no text")).unwrap();
    space.rank_each_matrix(&[], &options, &Monitor::silent(), |_, _| panic!("there is no matrix")).unwrap();
}

#[test]
fn a_text_with_nothing_in_it_is_an_error_that_says_so() {
    let (_folder, _index, space) = space();
    let rank = |texts: &[String]| {
        let mut handed = 0;
        let each = |at, _| {
            assert_eq!(at, handed);
            handed += 1;
        };
        let result = space.rank_each(texts, &RankOptions::top(1), &Monitor::silent(), each);
        (result.unwrap_err(), handed)
    };
    let mut with_blank = texts(600);
    with_blank[599] = " \t ".to_string();
    // Seen before any work is done.
    let (error, handed) = rank(&with_blank);
    assert!(matches!(error, Error::EmptyText { position: Some(599), .. }) && handed == 0, "{error}, {handed}");
    let mut without_token = texts(600);
    without_token[400] = "\u{1}\u{7f}".to_string();
    // Known when it is tokenized: the parts before have been handed over.
    let (error, handed) = rank(&without_token);
    let Error::EmptyText { text, position, .. } = &error else { panic!("{error}") };
    assert_eq!((text.as_str(), *position, handed), ("\u{1}\u{7f}", Some(400), PART));
    assert!(error.to_string().contains("text 401, "), "{error}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = Shape { dim: 8, targets: 20, topics: 2, spread: 1.0, rows: 2, size: 1.0, hostile: false };
    let world = World::new(1, shape);
    let mut random = Random::new(2);
    let mut matrices: Vec<TokenMatrix> = (0..300).map(|_| world.query(&mut random, 2)).collect();
    matrices[280] = TokenMatrix::new(9, vec![1.0; 9]).unwrap();
    let mut handed = 0;
    let rank = |options: &RankOptions, handed: &mut usize| {
        world.space.rank_each_matrix(&matrices, options, &Monitor::silent(), |_, _| *handed += 1).unwrap_err()
    };
    let error = rank(&RankOptions::top(1), &mut handed);
    assert!(matches!(error, Error::Matrix { .. }) && handed == PART, "{error}, {handed}");
    let error = rank(&RankOptions::top(1).rule(Rule::soft(-1.0)), &mut handed);
    assert!(matches!(error, Error::InvalidOption { .. }) && handed == PART, "{error}");
    let error = world.space.rank_each(&["chef"], &RankOptions::top(1), &Monitor::silent(), |_, _| ()).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
}

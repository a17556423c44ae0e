//! An index moves from one encoder to another in one commit: what it answers then is what an index made with the new encoder
//! answers, bit for bit; before, and to readers that stay where they are, nothing has changed.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use workindex::{
    CancelToken, Encoder, Error, Forms, IndexWriter, IngestOptions, Monitor, RankOptions, Ranking, ReindexOptions,
    ReindexReport, Release, Rule, WorkIndex,
};

const QUERIES: [&str; 3] = ["Senior data engineer", "welder", "Koch oder Köchin"];

fn tiny(name: &str) -> Encoder {
    Encoder::open(&fixture("encoder").join(name)).unwrap()
}

/// Two releases in English, one in Dutch.
fn releases() -> [(Release, Forms); 3] {
    [(mini_esco("1.0.0"), Forms::Preferred), (mini_esco("1.1.0"), Forms::All), (mini_esco_dutch(), Forms::Preferred)]
}

const SPACES: [&str; 5] = [
    "esco@1.0.0/skill/en",
    "esco@1.1.0/skill/en",
    "esco@1.1.0/occupation/en",
    "esco@1.1.0/isco-group/en",
    "esco@1.1.0/skill/nl",
];

fn ingest_all(writer: &mut IndexWriter) {
    for (release, forms) in releases() {
        let options = IngestOptions { forms, ..Default::default() };
        writer.ingest(&release, &options, &Monitor::silent()).unwrap();
    }
    writer.commit().unwrap();
}

fn index_with(path: &Path, encoder: &Encoder) -> IndexWriter {
    let mut writer = WorkIndex::create(path, encoder).unwrap();
    ingest_all(&mut writer);
    writer
}

fn reindex(writer: &mut IndexWriter, encoder: &Encoder) -> ReindexReport {
    writer.reindex(encoder, &ReindexOptions::default(), &Monitor::silent()).unwrap()
}

/// Full rankings of texts, by several rules.
fn rankings(index: &WorkIndex, spaces: &[&str]) -> Vec<Ranking> {
    let mut all = Vec::new();
    for space in spaces.iter().map(|name| index.space(name).unwrap()) {
        let rules = [Rule::default(), Rule::max_sim(), space.default_rule().unwrap()];
        for rule in rules {
            let options = RankOptions::full().rule(rule);
            all.extend(space.rank_batch(&QUERIES, &options, &Monitor::silent()).unwrap());
        }
    }
    all
}

/// The names of the folders of model files.
fn models(path: &Path) -> Vec<String> {
    names(&path.join("encoders"))
}

/// What a fresh index with an encoder answers.
fn fresh(encoder: &Encoder, spaces: &[&str]) -> Vec<Ranking> {
    let (_folder, path) = scratch();
    drop(index_with(&path, encoder));
    rankings(&WorkIndex::open(&path).unwrap(), spaces)
}

#[test]
fn a_reindexed_index_answers_as_one_made_with_the_new_encoder() {
    let (_folder, path) = scratch();
    let mut writer = index_with(&path, &tiny("tiny-bert"));
    let index = WorkIndex::open(&path).unwrap();
    let old = rankings(&index, &SPACES);
    // One without sides, then one with a head for each kind, then one with prompts, then PyLate's.
    for name in ["tiny-mpnet", "tiny-asym", "tiny-prompts", "tiny-colbert"] {
        let encoder = tiny(name);
        let report = reindex(&mut writer, &encoder);
        assert!(!report.unchanged && report.embedded > 500, "{report:?}");
        assert_eq!(report.releases, 3);
        assert!(report.surface_forms > report.embedded as u64, "releases share texts: {report:?}");
        assert!(writer.commit().unwrap());
        index.refresh().unwrap();
        let new = rankings(&index, &SPACES);
        assert_ne!(new[0], old[0]);
        assert_eq!(new, fresh(&encoder, &SPACES), "{name}");
        assert_intact(&index);
        let info = index.info().unwrap();
        let current: Vec<_> = info.encoders.iter().filter(|encoder| encoder.current).collect();
        assert_eq!(current.len(), 1);
        assert_eq!((current[0].name.as_str(), &info.releases[2].encoder), (name, &current[0].fingerprint));
        writer.compact(&Monitor::silent()).unwrap();
        index.refresh().unwrap();
        assert_eq!(rankings(&index, &SPACES), new);
        assert_eq!(models(&path), [encoder.fingerprint().to_string()]);
        let info = index.info().unwrap();
        assert_eq!((info.encoders.len(), info.dead_surface_forms), (1, 0));
        assert_intact(&index);
    }
}

#[test]
fn nothing_is_visible_before_the_commit_and_nothing_is_left_of_what_was_given_up() {
    let (_folder, path) = scratch();
    let mut writer = index_with(&path, &tiny("tiny-bert"));
    let index = WorkIndex::open(&path).unwrap();
    let (before, info) = (rankings(&index, &SPACES), index.info().unwrap());
    let files = (segment_names(&path), models(&path));
    reindex(&mut writer, &tiny("tiny-mpnet"));
    assert_ne!(segment_names(&path), files.0, "something is staged");
    assert!(!index.refresh().unwrap());
    assert_eq!(rankings(&index, &SPACES), before);
    writer.abort();
    assert_eq!((segment_names(&path), models(&path)), files);
    assert!(!writer.commit().unwrap());
    assert_eq!(writer.collect().unwrap(), workindex::Reclaimed::default());
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap(), info);
    // New texts are the old encoder's again.
    let report = ingest(&mut writer, &list_release("1", &["weld by hand", "sing"]));
    assert_eq!(report.embedded, 2);
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap().encoders.len(), 1);
    assert_eq!(index.space("list/skill/en").unwrap().rank("sing", &RankOptions::top(1)).unwrap()[0].label, "sing");
    assert_intact(&index);
}

/// Cancels when a given number of progress reports has come.
fn cancelled_after(reports: usize) -> Monitor {
    let (cancel, count) = (CancelToken::new(), std::sync::atomic::AtomicUsize::new(0));
    let raised = cancel.clone();
    let callback = move |_| {
        if count.fetch_add(1, Ordering::Relaxed) + 1 == reports {
            raised.cancel();
        }
    };
    Monitor::new(callback, cancel)
}

#[test]
fn a_cancelled_reindexing_leaves_the_old_state_and_the_writer_goes_on() {
    let (_folder, path) = scratch();
    let mut writer = index_with(&path, &tiny("tiny-bert"));
    let index = WorkIndex::open(&path).unwrap();
    let before = rankings(&index, &SPACES);
    let files = (segment_names(&path), models(&path));
    let raised = CancelToken::new();
    raised.cancel();
    let monitors = [1, 2, 7, 40].map(cancelled_after).into_iter().chain([Monitor::cancelled_by(raised)]);
    for monitor in monitors {
        let error = writer.reindex(&tiny("tiny-mpnet"), &ReindexOptions::default(), &monitor).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
        assert_eq!((segment_names(&path), models(&path)), files);
        assert!(!writer.commit().unwrap());
    }
    assert!(!index.refresh().unwrap());
    assert_eq!(rankings(&index, &SPACES), before);
    reindex(&mut writer, &tiny("tiny-mpnet"));
    writer.commit().unwrap();
    assert_intact(&index);
}

#[test]
fn readers_rank_with_one_encoder_or_the_other_and_a_pinned_space_stays() {
    let (_folder, path) = scratch();
    let (old, new) = (tiny("tiny-bert"), tiny("tiny-mpnet"));
    let mut writer = index_with(&path, &old);
    let index = WorkIndex::open(&path).unwrap();
    let spaces = &SPACES[1..2];
    let expected = [rankings(&index, spaces), fresh(&new, spaces)];
    let pinned = index.space(SPACES[1]).unwrap();
    let before = pinned.rank(QUERIES[0], &RankOptions::full()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let index = WorkIndex::open(&path).unwrap();
                    let mut seen = [0, 0];
                    while !done.load(Ordering::Relaxed) || seen[1] == 0 {
                        index.refresh().unwrap();
                        let answers = rankings(&index, spaces);
                        let which = expected.iter().position(|expected| *expected == answers);
                        seen[which.expect("the answers of one committed state")] += 1;
                    }
                    seen
                })
            })
            .collect();
        reindex(&mut writer, &new);
        writer.commit().unwrap();
        writer.compact(&Monitor::silent()).unwrap();
        done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| assert!(reader.join().unwrap()[1] > 0));
    });
    // Its segments and its encoder's files have been removed; it has both.
    assert_eq!(models(&path), [new.fingerprint().to_string()]);
    assert_eq!(pinned.rank(QUERIES[0], &RankOptions::full()).unwrap(), before);
    index.refresh().unwrap();
    assert_eq!(pinned.rank(QUERIES[0], &RankOptions::full()).unwrap(), before, "also when its index has moved on");
    assert_eq!(rankings(&index, spaces), expected[1]);
}

#[test]
fn a_space_whose_encoder_was_never_loaded_says_what_to_do_and_the_index_moves_on() {
    let (_folder, path) = scratch();
    let (old, new) = (tiny("tiny-bert"), tiny("tiny-mpnet"));
    let mut writer = index_with(&path, &old);
    let (index, late) = (WorkIndex::open(&path).unwrap(), WorkIndex::open(&path).unwrap());
    let pinned = index.space(SPACES[1]).unwrap();
    let untouched = WorkIndex::open(&path).unwrap().space(SPACES[1]).unwrap();
    let matrix = old.encode(QUERIES[0]).unwrap().matrix;
    let before = pinned.rank_matrix(&matrix, &RankOptions::full().rule(Rule::max_sim())).unwrap();
    reindex(&mut writer, &new);
    writer.compact(&Monitor::silent()).unwrap();
    let again = pinned.rank_matrix(&matrix, &RankOptions::full().rule(Rule::max_sim())).unwrap();
    assert_eq!(again, before, "its segments are mapped");
    let rank = |space: &workindex::Space| space.rank(QUERIES[0], &RankOptions::top(1)).map(drop);
    for result in [rank(&pinned), rank(&untouched), untouched.default_rule().map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::EncoderRemoved { name, .. } if name == "tiny-bert"), "{error}");
        assert!(error.to_string().contains("refresh"), "{error}");
    }
    // Both have the old state pinned and find the new one by themselves.
    let fresh = fresh(&new, &SPACES);
    assert_eq!(rankings(&late, &SPACES), fresh);
    assert_eq!(rankings(&index, &SPACES), fresh);
}

#[test]
fn the_way_back_costs_nothing_until_the_old_encoder_is_collected() {
    let (_folder, path) = scratch();
    let (first, second) = (tiny("tiny-bert"), tiny("tiny-mpnet"));
    let mut writer = index_with(&path, &first);
    let index = WorkIndex::open(&path).unwrap();
    let before = rankings(&index, &SPACES);
    let there = reindex(&mut writer, &second);
    writer.commit().unwrap();
    let segments = segment_names(&path);
    let back = reindex(&mut writer, &first);
    writer.commit().unwrap();
    assert_eq!((back.embedded, back.surface_forms), (0, there.surface_forms));
    assert_eq!((back.previous.as_str(), there.previous.as_str()), ("tiny-mpnet", "tiny-bert"));
    assert_eq!(segment_names(&path), segments);
    index.refresh().unwrap();
    assert_eq!(rankings(&index, &SPACES), before);
    assert_intact(&index);
    // What the index has already is not done again, also with another pair of hands.
    let generation = index.info().unwrap().generation;
    let unchanged = reindex(&mut writer, &tiny("tiny-bert"));
    assert!(unchanged.unchanged && !writer.commit().unwrap(), "{unchanged:?}");
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap().generation, generation);
    writer.collect().unwrap();
    assert_eq!(models(&path), [first.fingerprint().to_string()]);
    let again = reindex(&mut writer, &second);
    assert_eq!(again.embedded, there.embedded, "all of it was given back");
    writer.commit().unwrap();
    assert_intact(&index);
}

#[test]
fn texts_that_no_release_has_are_not_embedded() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny("tiny-bert")).unwrap();
    ingest(&mut writer, &list_release("1", &["weld", "solder", "braze"]));
    ingest(&mut writer, &list_release("2", &["weld", "teach"]));
    writer.drop_release("list@1/skill/en").unwrap();
    // Not committed: what the writer has entered so far counts.
    let report = reindex(&mut writer, &tiny("tiny-mpnet"));
    assert_eq!((report.releases, report.surface_forms, report.embedded), (1, 2, 2));
    // And what comes after it, too.
    let report = writer.ingest(&list_release("3", &["teach", "sing"]), &IngestOptions::default(), &Monitor::silent());
    assert_eq!(report.unwrap().embedded, 1);
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.space("list/skill/en").unwrap().rank("sing", &RankOptions::top(1)).unwrap()[0].label, "sing");
    assert_intact(&index);
}

#[test]
fn an_index_of_matrices_made_elsewhere_becomes_one_that_ranks_texts() {
    let (_folder, path) = scratch();
    let release = list_release("1", &["weld", "solder", "teach mathematics", "sing"]);
    let mut writer = list_index(&path);
    ingest_list(&mut writer, &release);
    writer.commit().unwrap();
    let encoder = tiny("tiny-router");
    let report = reindex(&mut writer, &encoder);
    assert_eq!((report.embedded, report.previous.as_str()), (4, "made-by-hand"));
    writer.compact(&Monitor::silent()).unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let (_other, other) = scratch();
    let mut fresh = WorkIndex::create(&other, &encoder).unwrap();
    ingest(&mut fresh, &release);
    let fresh = WorkIndex::open(&other).unwrap();
    assert_eq!(rankings(&index, &["list/skill/en"]), rankings(&fresh, &["list/skill/en"]));
    assert_eq!(index.info().unwrap().encoders.len(), 1);
    let matrices = [matrix_of("weld")];
    let refused = writer.ingest_matrices(&list_release("2", &["weld"]), &matrices, &Monitor::silent()).unwrap_err();
    assert!(matches!(refused, Error::InvalidOption { option: "matrices", .. }), "{refused}");
    assert_intact(&index);
}

#[test]
fn an_empty_index_changes_its_encoder() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny("tiny-bert")).unwrap();
    let report = reindex(&mut writer, &tiny("tiny-mpnet"));
    assert_eq!((report.releases, report.embedded, report.unchanged), (0, 0, false));
    writer.collect().unwrap();
    ingest_all(&mut writer);
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(rankings(&index, &SPACES), fresh(&tiny("tiny-mpnet"), &SPACES));
}

/// Model files that no commit names are not trusted: they may be half of what they should be.
#[test]
fn leftovers_of_an_interrupted_switch_are_replaced() {
    let (_folder, path) = scratch();
    let encoder = tiny("tiny-mpnet");
    drop(index_with(&path, &tiny("tiny-bert")));
    let folder = path.join("encoders").join(encoder.fingerprint().to_string());
    let staged = path.join("encoders/.staged-3");
    for left in [&folder, &staged] {
        std::fs::create_dir(left).unwrap();
        std::fs::write(left.join("config.json"), b"half").unwrap();
    }
    let mut writer = WorkIndex::writer(&path).unwrap();
    assert!(!staged.exists() && folder.exists());
    reindex(&mut writer, &encoder);
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(rankings(&index, &SPACES), fresh(&encoder, &SPACES));
    assert_intact(&index);
}

#[test]
fn a_model_that_has_changed_since_it_was_opened_is_refused() {
    let (folder, path) = scratch();
    let mut writer = index_with(&path, &tiny("tiny-bert"));
    let model = folder.path().join("model");
    copy_folder(&fixture("encoder/tiny-mpnet"), &model);
    let encoder = Encoder::open(&model).unwrap();
    std::fs::write(model.join("tokenizer_config.json"), b"changed").unwrap();
    let error = writer.reindex(&encoder, &ReindexOptions::default(), &Monitor::silent()).unwrap_err();
    assert!(matches!(&error, Error::Encoder { path, .. } if *path == model), "{error}");
    assert!(error.to_string().contains("have changed"), "{error}");
    assert!(!writer.commit().unwrap());
    assert_eq!(models(&path).len(), 1);
}

//! Token matrices made elsewhere go in and are ranked, under a declared encoder; nothing of two origins is ever mixed.

mod common;

use common::*;
use workindex::{DeclaredEncoder, Error, IngestOptions, Monitor, RankOptions, Rule, TokenMatrix, WorkIndex, reference};

#[test]
fn matrices_rank_as_the_reference_does() {
    let (_folder, path) = scratch();
    let labels = ["weld", "teach mathematics", "drive a lorry", "care for patients"];
    let mut writer = list_index(&path);
    let report = ingest_list(&mut writer, &list_release("1", &labels));
    assert_eq!((report.texts, report.embedded, report.truncated), (4, 4, 0));
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    let query = matrix_of("nurse");
    for rule in [Rule::default(), Rule::max_sim(), Rule::context_match(), Rule::mean_pool()] {
        let ranking = space.rank_matrix(&query, &RankOptions::full().rule(rule)).unwrap();
        assert_eq!((ranking.len(), ranking.query.as_deref()), (4, None));
        for hit in &ranking {
            let expected = reference::score(&rule, &query, &matrix_of(labels[hit.target]));
            assert!((f64::from(hit.score) - expected).abs() < 1e-3, "{rule}: {} against {expected}", hit.score);
        }
    }
}

#[test]
fn texts_are_refused_with_what_to_do() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let release = list_release("1", &["weld"]);
    ingest_list(&mut writer, &release);
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    for error in [
        space.rank("welder", &RankOptions::top(1)).unwrap_err(),
        writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("token matrices") && text.contains("made-by-hand"), "{text}");
    }
}

#[test]
fn matrices_that_do_not_fit_are_refused_and_nothing_is_forgotten() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let release = list_release("1", &["weld", "solder"]);
    ingest_list(&mut writer, &list_release("0", &["weld"]));
    let narrow = TokenMatrix::new(DIM - 1, vec![1.0; DIM - 1]).unwrap();
    let fit = matrix_of("weld");
    for matrices in
        [vec![], vec![fit.clone()], vec![fit.clone(); 3], vec![fit.clone(), narrow.clone()], vec![narrow, fit]]
    {
        let error = writer.ingest_matrices(&release, &matrices, &Monitor::silent()).unwrap_err();
        assert!(matches!(error, Error::Matrix { .. }), "{error}");
    }
    assert!(writer.commit().unwrap());
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.info().unwrap().releases.len(), 1);
    let space = index.space("list@0/skill/en").unwrap();
    let wide = TokenMatrix::new(DIM + 1, vec![1.0; DIM + 1]).unwrap();
    let error = space.rank_matrix(&wide, &RankOptions::top(1)).unwrap_err();
    assert!(matches!(error, Error::Matrix { .. }), "{error}");
}

#[test]
fn an_index_that_embeds_texts_takes_no_matrices() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let error =
        writer.ingest_matrices(&list_release("1", &["weld"]), &[matrix_of("weld")], &Monitor::silent()).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    assert!(!writer.commit().unwrap());
}

#[test]
fn equal_labels_share_the_first_matrix() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let release = list_release("1", &["weld", "weld"]);
    let matrices = [matrix_of("first"), matrix_of("second")];
    let report = writer.ingest_matrices(&release, &matrices, &Monitor::silent()).unwrap();
    assert_eq!((report.texts, report.embedded), (1, 1));
    writer.commit().unwrap();
    let space = WorkIndex::open(&path).unwrap().space("list/skill/en").unwrap();
    let ranking = space.rank_matrix(&matrix_of("first"), &RankOptions::full().rule(Rule::max_sim())).unwrap();
    assert!(ranking.iter().all(|hit| (hit.score - 1.0).abs() < 1e-3));
}

#[test]
fn zero_and_extreme_rows_are_stored_and_ranked() {
    let (_folder, path) = scratch();
    let mut writer = list_index(&path);
    let release = list_release("1", &["zero", "huge", "tiny"]);
    let rows = [0.0, 1e18, 1e-30].map(|value| TokenMatrix::new(DIM, vec![value; 2 * DIM]).unwrap());
    writer.ingest_matrices(&release, &rows, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    assert_intact(&index);
    let space = index.space("list/skill/en").unwrap();
    for query in &rows {
        let ranking = space.rank_matrix(query, &RankOptions::full()).unwrap();
        assert!(ranking.iter().all(|hit| hit.score.is_finite() && hit.score.abs() <= 1.001), "{ranking:?}");
    }
}

#[test]
fn a_declared_encoder_is_its_name_and_its_width() {
    let (_folder, path) = scratch();
    drop(list_index(&path));
    let info = WorkIndex::open(&path).unwrap().info().unwrap();
    let [encoder] = info.encoders.as_slice() else { panic!("one encoder expected: {:?}", info.encoders) };
    assert_eq!((encoder.name.as_str(), encoder.dim, encoder.max_tokens), ("made-by-hand", DIM as u32, None));
    let same = DeclaredEncoder::new("made-by-hand", DIM).unwrap();
    assert_eq!(encoder.fingerprint, same.fingerprint().to_string());
    assert_ne!(same.fingerprint(), DeclaredEncoder::new("made-by-hand", DIM + 1).unwrap().fingerprint());
}

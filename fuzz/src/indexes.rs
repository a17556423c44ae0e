//! Sound little indexes, and asking an index everything.

use std::path::{Path, PathBuf};

use workindex::{
    Concept, DeclaredEncoder, Encoder, Error, Filter, IngestOptions, Kind, Monitor, RankOptions, Release,
    ReleaseBuilder, Rule, Space, TokenMatrix, WorkIndex, esco,
};

/// Values a row of the matrices made by [`matrix_of`].
pub const DIM: usize = 8;

/// A path below the project's `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

/// A token matrix of one to four rows that depends on the text alone.
pub fn matrix_of(text: &str) -> TokenMatrix {
    let mut state = text.bytes().fold(1u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as i32
    };
    let n_rows = 1 + next() as usize % 4;
    let values = (0..n_rows * DIM).map(|_| (next() % 200 - 100) as f32 / 16.0).collect();
    TokenMatrix::new(DIM, values).unwrap()
}

/// A release with a hierarchy, alternative labels, descriptions and attributes.
pub fn list_release(version: &str, labels: &[&str]) -> Release {
    let mut builder = ReleaseBuilder::new("list", version, "en").unwrap();
    builder.attribution("made by hand");
    for (row, label) in labels.iter().enumerate() {
        let mut concept = Concept::new(format!("id-{row}"), Kind::SKILL, *label);
        concept.alternative_labels = vec![format!("{label} well")];
        concept.description = Some(format!("How to {label}."));
        concept.attributes.insert("level".to_string(), vec![format!("{}", row % 2)]);
        builder.add(concept, "list", row as u64 + 1);
    }
    for row in 1..labels.len() {
        let (below, above) = (format!("id-{row}"), format!("id-{}", row / 2));
        builder.relate((&Kind::SKILL, &below), workindex::RelationKind::Broader, (&Kind::SKILL, &above), "list", 1);
    }
    builder.finish().0
}

/// An index of token matrices at `path`, of two releases in one segment: the second has no new text.
pub fn list_index(path: &Path) {
    let encoder = DeclaredEncoder::new("made-by-hand", DIM).unwrap();
    let mut writer = WorkIndex::create_declared(path, &encoder).unwrap();
    for (version, labels) in [("1", &["weld", "solder", "teach", "care", "sing"][..]), ("2", &["weld", "sing", "care"])]
    {
        let matrices: Vec<TokenMatrix> = labels.iter().copied().map(matrix_of).collect();
        writer.ingest_matrices(&list_release(version, labels), &matrices, &Monitor::silent()).unwrap();
        writer.commit().unwrap();
    }
}

/// An index at `path` of the mini ontology in two languages, with the tiny random BERT.
pub fn mini_index(path: &Path) {
    let encoder = Encoder::open(&fixture("encoder/tiny-bert")).unwrap();
    let mut writer = WorkIndex::create(path, &encoder).unwrap();
    for folder in ["mini-esco/1.1.0", "mini-esco/1.1.0-nl"] {
        let options = esco::Options { version: Some("1.1.0".to_string()), ..Default::default() };
        let (release, _) = esco::read(&[fixture(folder)], &options, &Monitor::silent()).unwrap();
        writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).unwrap();
        writer.commit().unwrap();
    }
}

/// Asks a space of token matrices everything. Damage that opening did not see may give any answer but a panic.
fn ask_space(space: &Space) -> Result<(), Error> {
    let query = matrix_of("nurse");
    for rule in [Rule::default(), Rule::max_sim(), Rule::context_match(), Rule::mean_pool()] {
        space.rank_matrix(&query, &RankOptions::full().rule(rule))?;
        let filter = Filter::any([Filter::attribute("level", "1"), Filter::below("id-1")]);
        space.rank_matrix(&query, &RankOptions::top(2).rule(rule).filter(filter))?;
        space.explain_matrix(&query, "id-1", &rule)?;
    }
    for target in 0..space.len() + 1 {
        space.concept(target)?;
    }
    Ok(())
}

/// Opens the index and asks for everything in it; whether verification found it sound.
pub fn ask(root: &Path) -> Result<bool, Error> {
    let index = WorkIndex::open(root)?;
    let _ = index.info();
    for name in ["list/skill/en", "list@1/skill/en"] {
        let _ = index.space(name).and_then(|space| ask_space(&space));
        let _ = index.release(name);
    }
    let _ = index.diff("list/skill/en", "1", "2");
    Ok(index.verify(&Monitor::silent())?.is_intact())
}

/// Stores a release that a reader made, and takes it out again, the same.
pub fn round_trip(release: &Release) {
    if release.concepts().len() > 64 {
        return;
    }
    let folder = crate::new_folder();
    let path = folder.path().join("work.index");
    let encoder = DeclaredEncoder::new("made-by-hand", DIM).unwrap();
    let mut writer = WorkIndex::create_declared(&path, &encoder).unwrap();
    let matrices: Vec<TokenMatrix> = release.concepts().iter().map(|concept| matrix_of(&concept.label)).collect();
    if let Err(error) = writer.ingest_matrices(release, &matrices, &Monitor::silent()) {
        // A release without concepts is no release to store.
        assert!(release.concepts().is_empty(), "{error}");
        return;
    }
    writer.commit().unwrap();
    let index = WorkIndex::open(&path).unwrap();
    let report = index.verify(&Monitor::silent()).unwrap();
    assert!(report.is_intact(), "{:?}", report.problems);
    for space in &index.info().unwrap().releases[0].spaces {
        let ranking = index.space(&space.name).unwrap().rank_matrix(&matrix_of("nurse"), &RankOptions::full()).unwrap();
        assert_eq!(ranking.len() as u32, space.concepts);
        let stored = index.release(&space.name).unwrap();
        assert_eq!(stored.concepts().len(), release.concepts().len());
        assert_eq!(stored.relations().len(), release.relations().len());
        for concept in stored.concepts() {
            assert!(release.concepts().contains(concept), "{concept:?} comes back otherwise");
        }
    }
}

//! The encoder that comes with the library: it opens without files and network, travels with an index, and knows its trade.
#![cfg(feature = "built-in")]

mod common;

use common::{ingest, mini_esco};
use workindex::{Checkpoint, Encoder, Precision, RankOptions, WorkIndex};

#[test]
fn it_opens_from_nothing_and_goes_without_a_trace() {
    let encoder = Encoder::built_in().unwrap();
    assert_eq!((encoder.name(), encoder.dim(), encoder.settings().precision), ("uwe-mini-en", 128, Precision::I8));
    let dir = encoder.checkpoint().dir().to_path_buf();
    assert!(dir.is_dir());
    // The files stay as long as anything may read them.
    let checkpoint = encoder.checkpoint().clone();
    let again = Encoder::from_checkpoint(checkpoint, encoder.settings()).unwrap();
    assert_eq!(again.fingerprint(), encoder.fingerprint());
    drop(encoder);
    assert!(dir.is_dir() && again.encode("nurse").is_ok());
    drop(again);
    assert!(!dir.exists() && !dir.parent().unwrap().exists());
}

#[test]
fn every_opening_is_the_same_encoder() {
    let (one, other) = (Encoder::built_in().unwrap(), Encoder::built_in().unwrap());
    assert_eq!(one.fingerprint(), other.fingerprint());
    assert_eq!(one.encode("Senior data engineer").unwrap(), other.encode("Senior data engineer").unwrap());
    assert_ne!(one.checkpoint().dir(), other.checkpoint().dir());
}

#[test]
fn it_is_small() {
    let checkpoint = Checkpoint::built_in().unwrap();
    let size = |file: &std::path::PathBuf| std::fs::metadata(checkpoint.dir().join(file)).unwrap().len();
    let bytes: u64 = checkpoint.files().iter().map(size).sum();
    assert!(bytes <= 10_000_000, "{bytes}");
}

#[test]
fn every_word_in_latin_letters_has_pieces() {
    let encoder = Encoder::built_in().unwrap();
    for text in
        ["zyxwvutsrqponmlkjihgfedcba", "Krankenschwester (m/w/d)", "C++ & C#, €50k–60k", "électricien", "0123456789"]
    {
        let tokens = encoder.tokens(text).unwrap();
        assert!(!tokens.is_empty() && tokens.iter().all(|token| token.text != "[UNK]"), "{text}: {tokens:?}");
    }
}

#[test]
fn an_index_made_with_it_ranks_as_one_would_hope() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("work.index");
    let encoder = Encoder::built_in().unwrap();
    let mut writer = WorkIndex::create(&index, &encoder).unwrap();
    drop(encoder);
    ingest(&mut writer, &mini_esco("1.1.0"));
    drop(writer);
    let index = WorkIndex::open(&index).unwrap();
    for (space, text, expected) in [
        ("esco/skill/en", "Welder TIG/MIG - immediate start!", "MIG welding"),
        ("esco/skill/en", "Electrician solar installations", "install solar panels"),
        ("esco/skill/en", "You will build and maintain ETL pipelines in Python and SQL.", "build data pipelines"),
    ] {
        let ranking = index.space(space).unwrap().rank(text, &RankOptions::top(5)).unwrap();
        assert!(
            ranking.iter().take(2).any(|hit| hit.label == expected),
            "{text}: {:?}",
            ranking.iter().map(|h| &h.label).collect::<Vec<_>>()
        );
    }
}

//! What goes into the catalog comes out: random releases through a database and back.

use std::path::Path;

use proptest::prelude::*;
use redb::ReadableDatabase;

use super::tables::In;
use super::{AliasList, CatalogRead, CatalogWrite, EncoderRecord, FormRef, content_hash};
use crate::ontology::{Concept, Forms, Kind, RelationKind, Release, ReleaseBuilder};
use crate::storage::segment::text_hash;

const KINDS: [Kind; 3] = [Kind::SKILL, Kind::OCCUPATION, Kind::TOOL];

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,3}", "[ -~é漢🦀]{1,40}", Just("http://example.org/same/start/é".to_string())]
}

fn concept() -> impl Strategy<Value = (usize, Concept)> {
    let alternatives = proptest::collection::vec(text(), 0..4);
    let attributes = proptest::collection::btree_map("[a-b]{1,2}", proptest::collection::vec(text(), 1..3), 0..3);
    let parts = (0..KINDS.len(), text(), text(), alternatives, proptest::option::of("[ -~é]{1,60}"), attributes);
    parts.prop_map(|(kind, id, label, alternatives, description, attributes)| {
        let mut concept = Concept::new(id, KINDS[kind].clone(), label);
        concept.alternative_labels = alternatives;
        concept.description = description;
        concept.attributes = attributes;
        (kind, concept)
    })
}

/// A release whose concepts come kind after kind, as the catalog keeps them. More than a block of details in some.
fn release() -> impl Strategy<Value = Release> {
    let concepts = prop_oneof![
        3 => proptest::collection::vec(concept(), 0..12),
        1 => proptest::collection::vec(concept(), 60..200)
    ];
    let relations = proptest::collection::vec((any::<u32>(), 0..RelationKind::ALL.len(), any::<u32>()), 0..30);
    (concepts, relations, proptest::option::of("[a-z ]{1,9}")).prop_map(|(mut concepts, relations, attribution)| {
        concepts.sort_by_key(|(kind, _)| *kind);
        let mut builder = ReleaseBuilder::new("test", "1", "en").unwrap();
        if let Some(text) = &attribution {
            builder.attribution(text);
        }
        let ends: Vec<_> = concepts
            .into_iter()
            .filter_map(|(_, concept)| {
                let end = (concept.kind.clone(), concept.id.trim().to_string());
                builder.add(concept, "test", 0).map(|_| end)
            })
            .collect();
        for (from, kind, to) in relations.into_iter().filter(|_| !ends.is_empty()) {
            let end = |at: u32| &ends[at as usize % ends.len()];
            let (from, to) = (end(from), end(to));
            builder.relate((&from.0, &from.1), RelationKind::ALL[kind], (&to.0, &to.1), "test", 0);
        }
        builder.finish().0
    })
}

fn record() -> EncoderRecord {
    EncoderRecord { fingerprint: [3; 32], name: "test".to_string(), dim: 4, settings: None }
}

/// A place that depends on the text alone.
fn place(_: &Kind, text: &str) -> Option<FormRef> {
    let hash = text_hash(text, &None);
    Some(FormRef { segment: u32::from(hash[0]), form: u32::from(hash[1]) })
}

fn database() -> redb::Database {
    redb::Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn releases_survive_storage(first in release(), second in release(), all in any::<bool>()) {
        let (db, path) = (database(), Path::new("catalog"));
        let forms = if all { Forms::All } else { Forms::Preferred };
        let txn = db.begin_write().unwrap();
        let catalog = CatalogWrite::new(path, &txn);
        catalog.create_tables().unwrap();
        prop_assert_eq!(catalog.put_encoder(&record()).unwrap(), 0);
        prop_assert_eq!(catalog.put_encoder(&record()).unwrap(), 0, "one entry an encoder");
        prop_assert_eq!(catalog.put_release(&first, forms, 0, &place).unwrap(), 0);
        prop_assert_eq!(catalog.put_release(&second, forms, 0, &place).unwrap(), 1);
        txn.commit().unwrap();

        let txn = db.begin_read().unwrap();
        let catalog = In { path, txn: &txn };
        let stored = catalog.releases().unwrap();
        for ((number, record), release) in stored.iter().zip([&first, &second]) {
            prop_assert_eq!(&catalog.release(*number, record).unwrap(), release);
            prop_assert_eq!(record.content, content_hash(release));
            for (kind, n) in &record.kinds {
                let of_kind = || release.concepts().iter().filter(|concept| concept.kind.as_str() == kind);
                prop_assert_eq!(of_kind().count(), *n as usize);
                let targets = catalog.targets(*number, kind).unwrap();
                for (target, concept) in of_kind().enumerate() {
                    prop_assert_eq!(targets.ids.get(target), Some(concept.id.clone()));
                    let places: Vec<_> = forms.of(concept).filter_map(|text| place(&concept.kind, text)).collect();
                    prop_assert_eq!(targets.forms(target), &places[..]);
                }
                prop_assert_eq!(catalog.aliases(*number, kind, targets.len()).unwrap(), AliasList::new(of_kind()));
            }
        }
        prop_assert_eq!(content_hash(&first) == content_hash(&second), first == second);
        drop(txn);

        // Dropping one leaves the other, and nothing of the one.
        let txn = db.begin_write().unwrap();
        let catalog = CatalogWrite::new(path, &txn);
        catalog.remove_release(0).unwrap();
        let left = catalog.releases().unwrap();
        prop_assert_eq!(left.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
        prop_assert_eq!(&catalog.release(1, &left[0].1).unwrap(), &second);
        for kind in &KINDS {
            prop_assert!(catalog.targets(0, kind.as_str()).is_err());
            prop_assert!(catalog.attribute_names(0, kind.as_str()).unwrap().is_empty());
        }
    }
}

#[test]
fn a_catalog_without_its_tables_is_damaged() {
    let (db, path) = (database(), Path::new("catalog"));
    db.begin_write().unwrap().commit().unwrap();
    let txn = db.begin_read().unwrap();
    let error = In { path, txn: &txn }.releases().unwrap_err();
    assert!(matches!(error, crate::Error::Corrupt { .. }), "{error}");
}

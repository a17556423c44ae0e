//! Spaces for the tests of this room, made without a front door.

use std::collections::{BTreeSet, HashMap};

use crate::ontology::{Concept, Forms, Kind, ReleaseBuilder};
use crate::storage::catalog::{CatalogRead, EncoderRecord, FormRef};
use crate::storage::segment::{SegmentBuilder, text_hash};
use crate::storage::{Paths, ReadStore, SpaceData, WriteStore};
use crate::token_matrix::TokenMatrix;

/// A space whose targets have the given forms, by number; each form is in a segment and has a token matrix.
pub(super) fn make(targets: &[Vec<usize>], forms: &[(usize, TokenMatrix)]) -> (tempfile::TempDir, SpaceData) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let (fingerprint, dim) = ([7; 32], forms[0].1.dim() as u32);
    let record = EncoderRecord { fingerprint, name: "by hand".to_string(), dim, settings: None };
    let mut store = WriteStore::create(Paths::new(&path), &record, None).unwrap();
    let (encoder, _) = store.catalog().unwrap().current_encoder().unwrap();
    let text = |form: usize| format!("form {form}");
    let mut places: HashMap<String, FormRef> = HashMap::new();
    let segments: BTreeSet<usize> = forms.iter().map(|(segment, _)| *segment).collect();
    for segment in segments {
        let mut builder = SegmentBuilder::new(fingerprint, dim as usize).unwrap();
        let of_segment = (0..forms.len()).filter(|&form| forms[form].0 == segment);
        for form in of_segment.clone() {
            builder.push(0, text_hash(&text(form), &None), &forms[form].1).unwrap();
        }
        places.extend(of_segment.map(text).zip(store.stage(encoder, builder).unwrap()));
    }
    let mut builder = ReleaseBuilder::new("list", "1", "en").unwrap();
    for (at, of_target) in targets.iter().enumerate() {
        let mut concept = Concept::new(format!("id-{at}"), Kind::SKILL, text(of_target[0]));
        concept.alternative_labels = of_target[1..].iter().map(|&form| text(form)).collect();
        builder.add(concept, "list", at as u64 + 1);
    }
    let (release, place) = (builder.finish().0, |_: &Kind, text: &str| places.get(text).copied());
    store.catalog().unwrap().put_release(&release, Forms::All, encoder, &place).unwrap();
    // Staging has marked the store as changed.
    assert!(store.commit().unwrap());
    drop(store);
    let snapshot = ReadStore::open(Paths::new(&path)).unwrap().snapshot().unwrap();
    (folder, snapshot.space(&"list/skill/en".parse().unwrap()).unwrap())
}

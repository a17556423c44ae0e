//! Releases and languages live side by side in one index: each ranks as it did when it came, the newest is meant by
//! default, and a new release costs only the texts that were never embedded.

mod common;

use std::collections::BTreeSet;

use common::*;
use workindex::{Error, Forms, IndexWriter, IngestOptions, Monitor, RankOptions, Ranking, Release, Space, WorkIndex};

const QUERIES: [&str; 3] = ["Senior data engineer", "registered nurse", "weld pipes and read blueprints"];

fn preferred(release: &Release) -> BTreeSet<&str> {
    release.concepts().iter().map(|concept| concept.label.as_str()).collect()
}

fn all_forms(release: &Release) -> BTreeSet<&str> {
    release.concepts().iter().flat_map(|concept| concept.surface_forms()).collect()
}

fn rankings(space: &Space) -> Vec<Ranking> {
    space.rank_batch(&QUERIES, &RankOptions::full(), &Monitor::silent()).unwrap()
}

fn ingest_all_forms(writer: &mut IndexWriter, release: &Release) -> workindex::IngestReport {
    let report =
        writer.ingest(release, &IngestOptions { forms: Forms::All, ..Default::default() }, &Monitor::silent()).unwrap();
    writer.commit().unwrap();
    report
}

/// The release with one concept relabelled.
fn relabelled(release: &Release, old: &str, new: &str) -> Release {
    let builder = workindex::ReleaseBuilder::new(release.ontology(), release.version(), release.language());
    let mut builder = builder.unwrap();
    for concept in release.concepts() {
        let mut concept = concept.clone();
        if concept.label == old {
            concept.label = new.to_string();
        }
        builder.add(concept, "changed", 0);
    }
    let end = |at: u32| {
        let concept = &release.concepts()[at as usize];
        (&concept.kind, concept.id.as_str())
    };
    for relation in release.relations() {
        assert!(builder.relate(end(relation.from), relation.kind, end(relation.to), "changed", 0));
    }
    builder.finish().0
}

#[test]
fn a_second_release_embeds_only_what_is_new_and_both_rank() {
    let (_folder, path) = scratch();
    let (old, new, dutch) = (mini_esco("1.0.0"), mini_esco("1.1.0"), mini_esco_dutch());
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let report = ingest(&mut writer, &old);
    assert_eq!((report.texts, report.embedded), (preferred(&old).len(), preferred(&old).len()));
    assert_eq!(report.previous, None);
    let report = ingest(&mut writer, &new);
    let unseen = preferred(&new).difference(&preferred(&old)).count();
    assert!(unseen > 0 && unseen < 20, "{unseen}");
    assert_eq!((report.texts, report.embedded), (preferred(&new).len(), unseen));
    assert_eq!(report.previous.as_deref(), Some("1.0.0"));
    let report = ingest(&mut writer, &dutch);
    let seen: BTreeSet<&str> = preferred(&old).union(&preferred(&new)).copied().collect();
    assert_eq!(report.embedded, preferred(&dutch).difference(&seen).count());
    assert_eq!(report.previous, None, "another language is no previous release");

    let index = WorkIndex::open(&path).unwrap();
    assert_intact(&index);
    for (name, release) in [("esco@1.0.0/skill/en", &old), ("esco@1.1.0/skill/en", &new), ("esco/skill/nl", &dutch)] {
        let space = index.space(name).unwrap();
        let skills = release.concepts().iter().filter(|concept| concept.kind.as_str() == "skill");
        assert_eq!(space.len(), skills.clone().count());
        let labels: BTreeSet<&str> = skills.map(|concept| concept.label.as_str()).collect();
        for ranking in &rankings(&space) {
            assert_eq!(ranking.iter().map(|hit| hit.label.as_str()).collect::<BTreeSet<_>>(), labels, "{name}");
        }
    }
    let newest = index.space("esco/skill/en").unwrap();
    assert_eq!(newest.name().version(), Some("1.1.0"));
    // A label that both releases have scores the same in both.
    let (of_old, of_new) = (rankings(&index.space("esco@1.0.0/skill/en").unwrap()), rankings(&newest));
    for (of_old, of_new) in of_old.iter().zip(&of_new) {
        for hit in of_old {
            let twin = of_new.iter().find(|twin| twin.label == hit.label);
            assert!(twin.is_none_or(|twin| twin.score == hit.score), "{}", hit.label);
        }
    }
}

#[test]
fn an_index_gives_back_the_release_that_it_was_given() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let releases = [mini_esco("1.0.0"), mini_esco("1.1.0"), mini_esco_dutch()];
    for release in &releases {
        ingest(&mut writer, release);
    }
    let index = WorkIndex::open(&path).unwrap();
    for release in &releases {
        for kind in release.kinds() {
            assert_eq!(&index.release(&release.space_name(kind).to_string()).unwrap(), release);
        }
    }
}

#[test]
fn counts_and_differences_are_those_of_the_fixture() {
    let text = std::fs::read_to_string(fixture("mini-esco/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    for version in ["1.0.0", "1.1.0"] {
        ingest(&mut writer, &mini_esco(version));
    }
    let index = WorkIndex::open(&path).unwrap();
    for release in index.info().unwrap().releases {
        let expected = &expected["releases"][&release.version];
        let count = |kind: &str| {
            let name = format!("esco@{}/{kind}/en", release.version);
            u64::from(release.spaces.iter().find(|space| space.name == name).unwrap().concepts)
        };
        for (kind, key) in [("skill", "skills"), ("occupation", "occupations"), ("isco-group", "isco_groups")] {
            assert_eq!(count(kind), expected[key].as_u64().unwrap(), "{kind}");
        }
        assert_eq!(count("skill-group"), expected["skill_groups"].as_u64().unwrap());
        assert_eq!(u64::from(release.relations), expected["relations"].as_u64().unwrap());
    }
    for kind in ["skill", "occupation", "isco-group", "skill-group"] {
        let diff = index.diff(&format!("esco/{kind}/en"), "1.0.0", "1.1.0").unwrap();
        let expected = &expected["diff"][kind];
        let ids = |key: &str| -> BTreeSet<String> {
            expected[key].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_string()).collect()
        };
        assert_eq!(diff.added.iter().map(|c| c.id.clone()).collect::<BTreeSet<_>>(), ids("added"));
        assert_eq!(diff.removed.iter().map(|c| c.id.clone()).collect::<BTreeSet<_>>(), ids("removed"));
        assert_eq!(diff.relabelled.iter().map(|c| c.concept.id.clone()).collect::<BTreeSet<_>>(), ids("relabelled"));
        let labels = diff.alternative_labels.iter().map(|c| c.concept.id.clone());
        assert_eq!(labels.collect::<BTreeSet<_>>(), ids("alternative_labels_changed"));
        let descriptions = diff.descriptions.iter().map(|c| c.id.clone());
        assert_eq!(descriptions.collect::<BTreeSet<_>>(), ids("description_changed"));
    }
}

#[test]
fn ingesting_the_same_release_again_changes_nothing() {
    let (_folder, path) = scratch();
    let release = mini_esco("1.0.0");
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    let first = ingest(&mut writer, &release);
    assert!(!first.unchanged);
    let index = WorkIndex::open(&path).unwrap();
    let (info, before) = (index.info().unwrap(), rankings(&index.space("esco/occupation/en").unwrap()));
    let catalog = std::fs::read(path.join("catalog.redb")).unwrap();
    let segments = segment_names(&path);

    let again = writer.ingest(&release, &IngestOptions::default(), &Monitor::silent()).unwrap();
    assert!(again.unchanged);
    assert_eq!((again.texts, again.embedded), (first.texts, 0));
    assert!(again.kinds.iter().all(|kind| (kind.added, kind.removed, kind.relabelled) == (0, 0, 0)));
    assert!(!writer.commit().unwrap(), "there is nothing to commit");
    assert!(!index.refresh().unwrap());
    assert_eq!(index.info().unwrap(), info);
    assert_eq!(std::fs::read(path.join("catalog.redb")).unwrap(), catalog);
    assert_eq!(segment_names(&path), segments);
    assert_eq!(rankings(&index.space("esco/occupation/en").unwrap()), before);
}

#[test]
fn a_changed_release_of_the_same_version_replaces_the_other() {
    let (_folder, path) = scratch();
    let release = mini_esco("1.0.0");
    let old_label = release.concepts()[0].label.clone();
    let changed = relabelled(&release, &old_label, "operate the new machine");
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &release);
    let report = ingest(&mut writer, &changed);
    assert!(!report.unchanged);
    assert_eq!((report.embedded, report.previous.as_deref()), (1, Some("1.0.0")));
    assert_eq!(report.kinds.iter().map(|kind| kind.relabelled).sum::<usize>(), 1);
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.info().unwrap().releases.len(), 1);
    let kind = release.concepts()[0].kind.clone();
    let name = release.space_name(&kind).to_string();
    assert_eq!(index.release(&name).unwrap(), changed);
    assert_eq!(index.space(&name).unwrap().concept(0).unwrap().unwrap().label, "operate the new machine");
    assert_intact(&index);
    // Back to the first: its texts are all known still.
    assert_eq!(ingest(&mut writer, &release).embedded, 0);
}

#[test]
fn surface_forms_can_be_widened_and_narrowed() {
    let (_folder, path) = scratch();
    let release = mini_esco_dutch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &release);
    let index = WorkIndex::open(&path).unwrap();
    let narrow = rankings(&index.space("esco/skill/nl").unwrap());
    let report = ingest_all_forms(&mut writer, &release);
    assert!(!report.unchanged);
    assert_eq!(report.texts, all_forms(&release).len());
    assert_eq!(report.embedded, all_forms(&release).len() - preferred(&release).len());
    assert!(index.refresh().unwrap());
    assert_eq!(index.info().unwrap().releases[0].forms, "all");
    assert_ne!(rankings(&index.space("esco/skill/nl").unwrap()), narrow);
    assert_intact(&index);
    assert_eq!(ingest(&mut writer, &release).embedded, 0);
    index.refresh().unwrap();
    assert_eq!(index.info().unwrap().releases[0].forms, "preferred");
    assert_eq!(rankings(&index.space("esco/skill/nl").unwrap()), narrow);
}

#[test]
fn dropping_one_release_leaves_the_other_as_it_was() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    for version in ["1.0.0", "1.1.0"] {
        ingest(&mut writer, &mini_esco(version));
    }
    let index = WorkIndex::open(&path).unwrap();
    let before = rankings(&index.space("esco@1.0.0/skill/en").unwrap());
    // A release is dropped whole, by the pinned name of any of its spaces, and never by an unpinned one.
    assert!(matches!(writer.drop_release("esco/skill/en"), Err(Error::InvalidName { .. })));
    assert!(matches!(writer.drop_release("esco@1.1.0/skill/nl"), Err(Error::UnknownSpace { .. })));
    assert!(matches!(writer.drop_release("esco@1.1.0/tool/en"), Err(Error::UnknownSpace { .. })));
    writer.drop_release("esco@1.1.0/occupation/en").unwrap();
    assert!(matches!(writer.drop_release("esco@1.1.0/skill/en"), Err(Error::UnknownSpace { .. })));
    writer.commit().unwrap();
    writer.compact(&Monitor::silent()).unwrap();
    index.refresh().unwrap();
    assert!(matches!(index.space("esco@1.1.0/skill/en"), Err(Error::UnknownSpace { .. })));
    let space = index.space("esco/skill/en").unwrap();
    assert_eq!(space.name().version(), Some("1.0.0"));
    assert_eq!(rankings(&space), before);
    assert_intact(&index);
}

//! Datasets are WorkRB's, from small data; held-out selections are what they say.

use std::collections::BTreeSet;

use serde::Deserialize;
use workindex::workbench::held_out::Holdout;
use workindex::workbench::{Loaded, Selection, SetName, Split, Task, held_out};
use workindex::{Kind, Monitor};

use crate::common::mini_esco;
use crate::support::{data_folder, golden, judgements, load, open, set_name, whole};

#[derive(Deserialize)]
struct Golden {
    sets: Vec<GoldenSet>,
}

#[derive(Deserialize)]
struct GoldenSet {
    name: String,
    split: String,
    esco: Option<String>,
    annotated_in: Option<String>,
    queries: Vec<String>,
    positives: Vec<Vec<usize>>,
    targets: Vec<String>,
}

impl GoldenSet {
    fn set(&self) -> &'static str {
        set_name(&self.name).unwrap()
    }

    /// Those with positives: WorkRB keeps the others, and its metrics skip them.
    fn judgements(&self) -> BTreeSet<(String, BTreeSet<String>)> {
        let labels = |positives: &Vec<usize>| positives.iter().map(|at| self.targets[*at].clone()).collect();
        let all = self.queries.iter().cloned().zip(self.positives.iter().map(labels));
        all.filter(|(_, labels): &(String, BTreeSet<String>)| !labels.is_empty()).collect()
    }
}

#[test]
fn datasets_are_workrb_s() {
    let golden: Golden = golden("tasks.json");
    let folder = data_folder();
    let mut compared = BTreeSet::new();
    for expected in &golden.sets {
        // Annotations are of 1.1.0; of titles the URIs count, whatever the release that their labels are of.
        let title = expected.name == "job_norm";
        if expected.annotated_in.as_ref().is_some_and(|release| release != "1.1.0" && !title) {
            continue;
        }
        if title && expected.annotated_in != expected.esco {
            continue;
        }
        let split = if expected.split == "val" { Split::Validation } else { Split::Test };
        let data = open(folder.path(), expected.esco.as_deref());
        let dataset = load(&data, expected.set(), whole(split));
        let what = format!("{} {} {:?}", expected.name, expected.split, expected.esco);
        assert_eq!(judgements(&dataset), expected.judgements(), "{what}");
        let targets: Vec<&str> = dataset.targets().iter().map(|target| target.label.as_str()).collect();
        assert_eq!(targets, expected.targets, "{what}");
        if let Some(release) = &expected.esco {
            assert_eq!(dataset.origin().release, Some(format!("esco {release} en")), "{what}");
        }
        compared.insert(expected.name.clone());
    }
    assert_eq!(compared.len(), 10, "{compared:?}");
}

#[test]
fn labels_of_another_release_are_mapped_through_uris_and_said() {
    let folder = data_folder();
    let extraction = |esco| load(&open(folder.path(), esco), "skill-extraction/house", whole(Split::Validation));
    assert_eq!(extraction(None).origin().mapping, None);
    assert_eq!(extraction(Some("1.0.0")).origin().mapping.as_deref(), Some("labels of ESCO 1.1.0 mapped through URIs"));
    std::fs::remove_dir_all(folder.path().join("esco/1.1.0")).unwrap();
    let mapping = extraction(None).origin().mapping.clone().unwrap();
    assert!(mapping.contains("1.1.0, which is not there"), "{mapping}");
}

#[test]
fn everything_that_was_left_out_is_counted() {
    let folder = data_folder();
    let data = open(folder.path(), None);
    let left_out = |set, split| load(&data, set, whole(split)).origin().left_out.clone();
    let house = left_out("skill-extraction/house", Split::Validation);
    assert!(house["annotations without a label"] > 0 && house["queries without a positive"] > 0, "{house:?}");
    assert_eq!(left_out("job-normalisation", Split::Validation)["titles of an occupation that the release lacks"], 3);
    assert!(left_out("melo/usa_en", Split::Test)["targets of the same text, merged"] > 0);
}

#[test]
fn occupations_can_be_held_out_by_their_isco_group() {
    let folder = data_folder();
    let data = open(folder.path(), Some("1.1.0"));
    let release = mini_esco("1.1.0");
    let is_held = |label: &str| {
        let of_label = release.concepts().iter().filter(|c| c.kind == Kind::OCCUPATION && c.label == label);
        of_label.map(|c| held_out::is_held_out(&c.attributes["iscoGroup"][0])).reduce(|a, b| a && b).unwrap()
    };
    let by = |set, held_out, split| judgements(&load(&data, set, Selection { split, held_out }));
    for split in [Split::Test, Split::Validation] {
        let expected: BTreeSet<_> =
            by("job2skill", Holdout::None, Split::Test).into_iter().filter(|(query, _)| is_held(query)).collect();
        let got: BTreeSet<_> = by("job2skill", Holdout::IscoGroup, split).into_iter().collect();
        assert!(!expected.is_empty() && expected == got, "{split:?}: {got:?}");
        // Skills have no group.
        assert_eq!(by("skill2job", Holdout::IscoGroup, split), by("skill2job", Holdout::Hash, split));
    }
    assert_ne!(by("job2skill", Holdout::IscoGroup, Split::Test), by("job2skill", Holdout::Hash, Split::Test));
    let origin = load(&data, "job2skill", Selection { split: Split::Test, held_out: Holdout::IscoGroup });
    assert!(origin.origin().selection.as_deref().unwrap().contains("ISCO group's code"));
}

#[test]
fn held_out_queries_are_of_held_out_concepts_alone() {
    let folder = data_folder();
    let data = open(folder.path(), Some("1.1.0"));
    let release = mini_esco("1.1.0");
    let of_training: BTreeSet<&str> = release
        .concepts()
        .iter()
        .filter(|concept| !held_out::is_held_out(&concept.id))
        .map(|concept| concept.label.as_str())
        .collect();
    for set in ["job2skill", "skill2job", "skill-normalisation"] {
        let all = load(&data, set, whole(Split::Test));
        let some = load(&data, set, Selection { split: Split::Test, held_out: Holdout::Hash });
        assert_eq!(some.targets(), all.targets());
        assert!(some.queries().len() * 2 < all.queries().len() && !some.queries().is_empty(), "{set}");
        assert!(judgements(&some).is_subset(&judgements(&all)), "{set}");
        assert!(some.origin().selection.as_deref().unwrap().contains("held out"));
        for (query, positives) in judgements(&some) {
            let labels = if set == "skill-normalisation" { positives } else { [query].into() };
            assert!(labels.iter().all(|label| !of_training.contains(label.as_str())), "{set}: {labels:?}");
        }
        // Where WorkBench has no validation part, it is what is held out.
        let validation = load(&data, set, whole(Split::Validation));
        assert_eq!(judgements(&validation) == judgements(&some), set != "skill-normalisation", "{set}");
    }
}

#[test]
fn onet_is_judged_in_both_directions() {
    let folder = data_folder();
    let data = open(folder.path(), None);
    for task in ["onet-technology", "onet-task", "onet-title"] {
        let forth = load(&data, &format!("{task}/from-occupation"), whole(Split::Test));
        let back = load(&data, &format!("{task}/to-occupation"), whole(Split::Test));
        assert_eq!(forth.n_positives(), back.n_positives(), "{task}");
        assert_eq!(forth.targets().len(), back.queries().len(), "{task}");
        let turned: BTreeSet<(String, String)> = judgements(&back)
            .into_iter()
            .flat_map(|(query, p)| p.into_iter().map(move |p| (p, query.clone())))
            .collect();
        let straight: BTreeSet<(String, String)> = judgements(&forth)
            .into_iter()
            .flat_map(|(query, p)| p.into_iter().map(move |p| (query.clone(), p)))
            .collect();
        assert_eq!(turned, straight, "{task}");
        assert_eq!(forth.labels_are_queries(), task == "onet-title");
        assert_eq!(forth.origin().release.as_deref(), Some("onet 29.0 en"));
        let held =
            load(&data, &format!("{task}/to-occupation"), Selection { split: Split::Test, held_out: Holdout::Hash });
        assert!(judgements(&held).is_subset(&judgements(&back)));
    }
}

#[test]
fn what_is_not_there_is_missing_and_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("workbench")).unwrap();
    let data = open(folder.path(), None);
    let mut missing = 0;
    for set in Task::ALL.into_iter().flat_map(|task| data.sets(task)) {
        match data.load(&set, Selection::default(), &Monitor::silent()).unwrap() {
            Loaded::Missing(looked_for) => {
                assert!(
                    ["workbench/", "esco/", "onet/"].iter().any(|part| looked_for.starts_with(part)),
                    "{looked_for}"
                );
                missing += 1;
            }
            Loaded::Ready(_) => panic!("{set}"),
        }
    }
    assert_eq!(missing, 17);
    let unknown = SetName::part(Task::SkillExtraction, "attic");
    assert!(matches!(data.load(&unknown, Selection::default(), &Monitor::silent()).unwrap(), Loaded::Missing(_)));
}

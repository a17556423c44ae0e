//! Files that are not what their name says: typed errors with a place, and never a panic.

use std::path::Path;

use workindex::workbench::{Data, DataOptions, Dataset, Loaded, Run, SetName, Split, Task};
use workindex::{Error, Monitor};

use crate::support::{data_folder, open, whole};

fn write(folder: &Path, name: &str, content: &[u8]) {
    std::fs::write(folder.join("workbench").join(name), content).unwrap();
}

fn load(data: &Data, set: &str) -> workindex::Result<Option<Dataset>> {
    let set: SetName = set.parse().unwrap();
    Ok(match data.load(&set, whole(Split::Validation), &Monitor::silent())? {
        Loaded::Ready(dataset) => Some(*dataset),
        Loaded::Missing(_) => None,
    })
}

/// The row and the words of an input error.
fn refused(folder: &Path, set: &str) -> (Option<u64>, String) {
    match load(&open(folder, None), set).unwrap_err() {
        error @ Error::Input { row, .. } => (row, error.to_string()),
        other => panic!("{set}: {other}"),
    }
}

/// A file, the set that it is of, what it holds, and the row and words of the error.
type Damaged<'a> = (&'a str, &'a str, &'a [u8], Option<u64>, &'a str);

#[test]
fn damaged_annotations_are_refused_with_their_place() {
    let folder = data_folder();
    let folder = folder.path();
    let cases: [Damaged<'_>; 11] = [
        (
            "skill_extraction/house_validation_annotations.csv",
            "skill-extraction/house",
            b"sentence,span\na,b\n",
            Some(1),
            "label",
        ),
        ("skill_extraction/house_validation_annotations.csv", "skill-extraction/house", b"", None, "empty"),
        (
            "skill_extraction/tech_validation_annotations.csv",
            "skill-extraction/tech",
            b"sentence,label\n\"a,b\n",
            Some(2),
            "not closed",
        ),
        (
            "skill_extraction/tech_validation_annotations.csv",
            "skill-extraction/tech",
            b"sentence,label\na,\xff\n",
            Some(2),
            "UTF-8",
        ),
        (
            "skill_extraction/skillskape_dev.csv",
            "skill-extraction/skillskape",
            b",sentence,skills\n0,a,['x'\n",
            Some(2),
            "a list such as",
        ),
        (
            "skill_similarity/skillmatch.csv",
            "skill-similarity",
            b"skill_a,skill_b,related\na,b,maybe\n",
            Some(2),
            "0 or 1",
        ),
        ("job_normalization/titles_validation.csv", "job-normalisation", b"title\nx\n", Some(1), "vacancyTitle"),
        ("title_similarity/qrels.tsv", "title-similarity", b"1\t0\t99999\t1\n", Some(1), "99999"),
        ("title_similarity/qrels.tsv", "title-similarity", b"1\t0\n", Some(1), "relevance"),
        ("melo_usa_en/corpus_elements.tsv", "melo/usa_en", b"C1 no tab\n", Some(1), "tab"),
        ("melo_usa_en/annotations.tsv", "melo/usa_en", b"Q1\t0\tC1\tmuch\n", Some(1), "number"),
    ];
    for (file, set, content, row, words) in cases {
        let whole = std::fs::read(folder.join("workbench").join(file)).unwrap();
        write(folder, file, content);
        let (found, error) = refused(folder, set);
        assert_eq!(found, row, "{file}: {error}");
        assert!(
            error.contains(words) && error.contains(Path::new(file).file_name().unwrap().to_str().unwrap()),
            "{error}"
        );
        write(folder, file, &whole);
        assert!(load(&open(folder, None), set).unwrap().is_some());
    }
}

#[test]
fn judgements_may_stand_between_spaces() {
    let folder = data_folder();
    let expected = load(&open(folder.path(), None), "title-similarity").unwrap();
    let path = folder.path().join("workbench/title_similarity/qrels.tsv");
    let spaced = std::fs::read_to_string(&path).unwrap().replace('\t', " ");
    std::fs::write(&path, spaced).unwrap();
    assert_eq!(load(&open(folder.path(), None), "title-similarity").unwrap(), expected);
}

#[test]
fn a_folder_of_results_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Run::read(folder.path()), Err(Error::Io { .. })));
    for content in ["", "{}", "[1]", r#"{"workindex": 3}"#] {
        std::fs::write(folder.path().join("run.json"), content).unwrap();
        let error = Run::read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("run.json"), "{error}");
    }
    assert!("job2skill/x/y".parse::<SetName>().is_ok_and(|set| set.task() == Task::Job2Skill));
}

#[test]
fn sets_with_nothing_to_judge_are_missing_and_ids_stand_for_one_text() {
    let folder = data_folder();
    write(folder.path(), "skill_extraction/house_validation_annotations.csv", b"sentence,label\na,LABEL NOT PRESENT\n");
    assert!(load(&open(folder.path(), None), "skill-extraction/house").unwrap().is_none());
    // Without relations there is nothing to ask for; without occupations nothing to rank.
    let esco = folder.path().join("esco/1.1.0");
    std::fs::remove_file(esco.join("occupationSkillRelations.csv")).unwrap();
    assert!(load(&open(folder.path(), Some("1.1.0")), "job2skill").unwrap().is_none());
    std::fs::remove_file(esco.join("occupations_en.csv")).unwrap();
    assert!(load(&open(folder.path(), Some("1.1.0")), "skill2job").unwrap().is_none());
    let path = folder.path().join("workbench/title_similarity/corpus_elements");
    let twice = std::fs::read_to_string(&path).unwrap();
    let second = twice.lines().nth(1).unwrap();
    std::fs::write(&path, format!("{twice}{second}\n")).unwrap();
    let (row, error) = refused(folder.path(), "title-similarity");
    assert!(row.is_some() && error.contains("has the id"), "{error}");
}

/// Annotations are in English, whatever language targets are in.
#[test]
fn labels_are_mapped_to_other_languages() {
    let folder = data_folder();
    for name in ["skills_nl.csv", "occupations_nl.csv"] {
        let from = crate::common::fixture("mini-esco/1.1.0-nl").join(name);
        std::fs::copy(from, folder.path().join("esco/1.1.0").join(name)).unwrap();
    }
    let options = DataOptions { esco: Some("1.1.0".into()), language: "nl".into(), ..DataOptions::default() };
    let data = Data::open(folder.path(), options).unwrap();
    let english = load(&open(folder.path(), Some("1.1.0")), "skill-extraction/tech").unwrap().unwrap();
    match load(&data, "skill-extraction/tech").unwrap() {
        Some(dutch) => {
            assert!(dutch.targets().len() < english.targets().len());
            assert_eq!(dutch.origin().mapping.as_deref(), Some("labels of ESCO 1.1.0 mapped through URIs"));
            assert!(dutch.queries().iter().all(|query| english.queries().iter().any(|other| other.text == query.text)));
        }
        // The Dutch part is small: none of the annotated skills may be in it.
        None => {
            let dutch = crate::common::mini_esco_dutch();
            let ids: Vec<&str> = dutch.concepts().iter().map(|concept| concept.id.as_str()).collect();
            let release = crate::common::mini_esco("1.1.0");
            let annotated = crate::support::judgements(&english);
            let labels: Vec<&String> = annotated.iter().flat_map(|(_, labels)| labels).collect();
            let there =
                release.concepts().iter().filter(|c| labels.contains(&&c.label)).any(|c| ids.contains(&c.id.as_str()));
            assert!(!there);
        }
    }
}

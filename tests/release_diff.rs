//! The differences between the official releases are those that were measured on their raw files.

mod data;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use workindex::{Kind, Monitor, RelationKind, Release, ReleaseDiff, esco, onet};

fn esco(version: &str) -> Option<Release> {
    let folder = data::path(&format!("esco/{version}"))?;
    Some(esco::read(&[folder], &esco::Options::default(), &Monitor::silent()).unwrap().0)
}

/// A column of the raw skills file, by URI.
fn raw_skills(version: &str, column: &str) -> BTreeMap<String, String> {
    let folder = data::path(&format!("esco/{version}")).unwrap();
    let path = folder.join(format!("ESCO dataset - v{version} - classification - en - csv.zip"));
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    zip.by_name("skills_en.csv").unwrap().read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|other| other == name).unwrap();
    let (id, column) = (at("conceptUri"), at(column));
    reader.records().map(Result::unwrap).map(|row| (row[id].to_string(), row[column].to_string())).collect()
}

#[test]
fn esco_skills_from_1_1_0_to_1_1_1() {
    let (Some(old), Some(new)) = (esco("1.1.0"), esco("1.1.1")) else { return };
    let diff = ReleaseDiff::between_kind(&old, &new, &Kind::SKILL);
    assert_eq!((diff.added.len(), diff.removed.len(), diff.relabelled.len()), (5, 0, 2));
    assert_eq!(diff.descriptions.len(), 86);

    // 867 altLabels fields differ by a byte. In 93 of them only the preferred label, or a label that stands twice, moved
    // or went: those are not alternative labels. Of the other 774, 770 list the same labels in another order.
    let (before, after) = (raw_skills("1.1.0", "altLabels"), raw_skills("1.1.1", "altLabels"));
    assert_eq!(before.iter().filter(|(id, labels)| after[*id] != **labels).count(), 867);
    assert_eq!((diff.alternative_labels.len(), diff.reordered.len()), (4, 770));

    let needs: Vec<_> = diff.relations.iter().filter(|change| change.from == Kind::OCCUPATION).collect();
    let sum =
        |count: fn(&workindex::RelationsChanged) -> usize| needs.iter().map(|change| count(change)).sum::<usize>();
    // In the raw files 123,550 are in common; 67 of them hang on the occupation that 1.1.1 dropped.
    assert_eq!(sum(|change| change.in_common), 123_550 - 67);
    assert_eq!(sum(|change| change.in_common + change.removed.len()), 123_852);
    assert_eq!(sum(|change| change.in_common + change.added.len()), 123_855 - 67);
    assert!(needs.iter().all(|change| change.to == Kind::SKILL));
}

#[test]
fn esco_occupations_from_1_1_0_to_1_1_1() {
    let (Some(old), Some(new)) = (esco("1.1.0"), esco("1.1.1")) else { return };
    let diff = ReleaseDiff::between_kind(&old, &new, &Kind::OCCUPATION);
    assert_eq!((diff.added.len(), diff.removed.len()), (0, 1));
    assert!(ReleaseDiff::between(&new, &new).is_empty());
}

#[test]
fn onet_from_27_to_29() {
    let read = |version: &str| {
        let folder = data::path(&format!("onet/{version}"))?;
        Some(onet::read(&[folder], &onet::Options::default(), &Monitor::silent()).unwrap().0)
    };
    let (Some(old), Some(new)) = (read("27.0"), read("29.0")) else { return };
    let diff = ReleaseDiff::between(&old, &new);
    let of_kind = |kind: &Kind| {
        let added = diff.added.iter().filter(|concept| concept.kind == *kind).count();
        let removed = diff.removed.iter().filter(|concept| concept.kind == *kind).count();
        let relabelled = diff.relabelled.iter().filter(|change| change.concept.kind == *kind).count();
        (added, removed, relabelled)
    };
    assert_eq!(of_kind(&Kind::OCCUPATION), (0, 0, 0));
    assert_eq!(of_kind(&Kind::TASK), (45, 514, 53));
    assert_eq!(of_kind(&Kind::TECHNOLOGY), (189, 72, 0));
    assert_eq!(of_kind(&Kind::TOOL), (3, 0, 0));
    assert!(diff.descriptions.is_empty());
    let uses = |to: &Kind| {
        let change =
            diff.relations.iter().find(|change| change.relation == RelationKind::Uses && change.to == *to).unwrap();
        (change.added.len(), change.removed.len())
    };
    assert_eq!(uses(&Kind::TECHNOLOGY), (3_947, 2_303));
    assert_eq!(uses(&Kind::TOOL), (6, 0));
}

/// Alternate titles alone: the table that the measured figures are about, without the short titles in its third column.
#[test]
fn onet_alternate_titles_from_27_to_29() {
    let read = |version: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(
            data::path(&format!("onet/{version}/Occupation Data.txt"))?,
            folder.path().join("Occupation Data.txt"),
        )
        .unwrap();
        let titles = fs::read_to_string(data::path(&format!("onet/{version}/Alternate Titles.txt"))?).unwrap();
        let two_columns = titles.lines().map(|line| line.splitn(3, '\t').take(2).collect::<Vec<_>>().join("\t") + "\n");
        fs::write(folder.path().join("Alternate Titles.txt"), two_columns.collect::<String>()).unwrap();
        let options = onet::Options { version: Some(version.to_string()) };
        Some(onet::read(&[folder.path()], &options, &Monitor::silent()).unwrap().0)
    };
    let (Some(old), Some(new)) = (read("27.0"), read("29.0")) else { return };
    let diff = ReleaseDiff::between(&old, &new);
    let added: usize = diff.alternative_labels.iter().map(|change| change.added.len()).sum();
    let removed: usize = diff.alternative_labels.iter().map(|change| change.removed.len()).sum();
    // One of the 3,811 new titles is the occupation's own title, which is its preferred label.
    assert_eq!((added, removed), (3_811 - 1, 1_445));
}

//! O*NET's text tables give every occupation, title, task, technology and tool they hold, tied to its occupation.

mod data;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use workindex::onet::{self, Options};
use workindex::{DefectKind, Error, Kind, Monitor, ReadReport, RelationKind, Release};

const OCCUPATIONS: &str =
    "O*NET-SOC Code\tTitle\tDescription\n11-1011.00\tChief Executives\tLead.\n51-4121.00\tWelders\tJoin \"metal\".\n";

fn tables() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Occupation Data.txt", OCCUPATIONS),
        (
            "Alternate Titles.txt",
            "O*NET-SOC Code\tAlternate Title\tShort Title\tSource(s)\n11-1011.00\tChief Executive Officer\tCEO\t08\n\
             11-1011.00\tBoss \"Big\" One\tn/a\t08\n11-1011.00\tChief Executive Officer\tn/a\t09\n99-9999.00\tNobody\tn/a\t1\n",
        ),
        ("Sample of Reported Titles.txt", "O*NET-SOC Code\tReported Job Title\tShown\n51-4121.00\tWelder\tY\n"),
        ("Job Zones.txt", "O*NET-SOC Code\tJob Zone\tDate\tDomain Source\n11-1011.00\t5\t1\tx\n"),
        ("DWA Reference.txt", "Element ID\tIWA ID\tDWA ID\tDWA Title\n4.A\t4.A.I01\t4.A.I01.D01\tWeld parts.\n"),
        ("IWA Reference.txt", "Element ID\tIWA ID\tIWA Title\n4.A\t4.A.I01\tJoin parts.\n"),
        (
            "Task Statements.txt",
            "O*NET-SOC Code\tTask ID\tTask\tTask Type\n51-4121.00\t7\tWeld seams.\tCore\n11-1011.00\t7\tWeld seams.\tCore\n\
             11-1011.00\t8\tDecide.\tn/a\n11-1011.00\t8\tDecide well.\tCore\n",
        ),
        (
            "Tasks to DWAs.txt",
            "O*NET-SOC Code\tTask ID\tDWA ID\n51-4121.00\t7\t4.A.I01.D01\n51-4121.00\t9\t4.A.I01.D01\n",
        ),
        (
            "Technology Skills.txt",
            "O*NET-SOC Code\tExample\tCommodity Code\tCommodity Title\tHot Technology\tIn Demand\n\
             11-1011.00\tExcel\t1\tSpreadsheet software\tY\tN\n51-4121.00\tExcel\t2\tOffice software\tY\tN\n",
        ),
        ("Tools Used.txt", "O*NET-SOC Code\tExample\tCommodity Code\tCommodity Title\n51-4121.00\tExcel\t3\tTorches\n"),
        ("Related Occupations.txt", "O*NET-SOC Code\tRelated O*NET-SOC Code\tTier\n11-1011.00\t51-4121.00\tx\n"),
        ("Emerging Tasks.txt", "O*NET-SOC Code\tTask\n11-1011.00\tTweet.\n"),
        ("Read Me.txt", "O*NET 29.0 Database\nAugust 2024 Release\n"),
    ]
}

fn write(folder: &Path, tables: &[(&str, &str)]) {
    tables.iter().for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
}

fn by_kind<'a>(release: &'a Release, kind: &Kind) -> Vec<&'a workindex::Concept> {
    release.concepts().iter().filter(|concept| concept.kind == *kind).collect()
}

/// (first id, second id) of all relations of a kind, to concepts of a kind.
fn pairs<'a>(release: &'a Release, kind: RelationKind, to: &Kind) -> BTreeSet<(&'a str, &'a str)> {
    let concept = |at: u32| &release.concepts()[at as usize];
    let of_kind = release.relations().iter().filter(|r| r.kind == kind && concept(r.to).kind == *to);
    of_kind.map(|r| (concept(r.from).id.as_str(), concept(r.to).id.as_str())).collect()
}

#[test]
fn a_folder_and_its_zip_give_the_same_release() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &tables());
    let zip_path =
        folder.path().parent().unwrap().join(format!("{}.zip", folder.path().file_name().unwrap().display()));
    let mut zip = zip::ZipWriter::new(fs::File::create(&zip_path).unwrap());
    for (name, content) in tables() {
        zip.start_file(format!("db_29_0_text/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.replace('\n', "\r\n").as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let from_folder = onet::read(&[folder.path()], &Options::default(), &Monitor::silent()).unwrap();
    let from_zip = onet::read(&[&zip_path], &Options::default(), &Monitor::silent()).unwrap();
    fs::remove_file(&zip_path).unwrap();
    assert_eq!(from_folder.0, from_zip.0);
    let sorted = |report: &ReadReport| report.files.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&from_folder.1), sorted(&from_zip.1));
}

#[test]
fn a_concept_keeps_what_its_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &tables());
    let (release, report) = onet::read(&[folder.path()], &Options::default(), &Monitor::silent()).unwrap();
    assert_eq!((release.ontology(), release.version(), release.language()), ("onet", "29.0", "en"));
    assert!(release.attribution().unwrap().contains("O*NET Database"));
    let [chief, welder] = by_kind(&release, &Kind::OCCUPATION)[..] else { panic!() };
    assert_eq!(chief.alternative_labels, ["Chief Executive Officer", "CEO", "Boss \"Big\" One"]);
    assert_eq!((&chief.attributes["code"][0], &chief.attributes["jobZone"][0]), (&"11-1011.00".into(), &"5".into()));
    assert_eq!(
        (welder.description.as_deref(), &welder.alternative_labels[0]),
        (Some("Join \"metal\"."), &"Welder".into())
    );
    let activity = by_kind(&release, &Kind::ACTIVITY)[0];
    assert_eq!(
        (&activity.attributes["iwaId"][0], &activity.attributes["iwaTitle"][0]),
        (&"4.A.I01".into(), &"Join parts.".into())
    );
    let [weld, decide] = by_kind(&release, &Kind::TASK)[..] else { panic!() };
    assert_eq!((weld.label.as_str(), &weld.attributes["taskType"][0]), ("Weld seams.", &"Core".into()));
    assert_eq!((decide.label.as_str(), &decide.alternative_labels[0]), ("Decide.", &"Decide well.".into()));
    let excel = by_kind(&release, &Kind::TECHNOLOGY)[0];
    assert_eq!(excel.attributes["commodityTitle"], ["Spreadsheet software", "Office software"]);
    assert_eq!(excel.attributes["hotTechnology"], ["Y"]);
    let performs = BTreeSet::from([("11-1011.00", "7"), ("11-1011.00", "8"), ("51-4121.00", "7")]);
    assert_eq!(pairs(&release, RelationKind::Performs, &Kind::TASK), performs);
    assert_eq!(pairs(&release, RelationKind::Uses, &Kind::TOOL), BTreeSet::from([("51-4121.00", "Excel")]));
    assert_eq!(pairs(&release, RelationKind::PartOf, &Kind::ACTIVITY), BTreeSet::from([("7", "4.A.I01.D01")]));
    assert_eq!(pairs(&release, RelationKind::Related, &Kind::OCCUPATION).len(), 1);
    assert_eq!(report.unused_files, ["Emerging Tasks.txt"]);
    let counts = [
        DefectKind::UnknownConcept,
        DefectKind::RepeatedRow,
        DefectKind::DuplicateConcept,
        DefectKind::DuplicateRelation,
        DefectKind::DanglingRelation,
    ]
    .map(|kind| report.count(kind));
    assert_eq!(counts, [1; 5]);
}

#[test]
fn the_release_is_found_or_asked_for() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("db_28_3_text");
    fs::create_dir(&inner).unwrap();
    write(&inner, &tables()[..1]);
    let read = |path: &Path, options: &Options| onet::read(&[path], options, &Monitor::silent());
    assert_eq!(read(&inner, &Options::default()).unwrap().0.version(), "28.3");
    let given = Options { version: Some("28.3-own".to_string()) };
    assert_eq!(read(&inner, &given).unwrap().0.version(), "28.3-own");
    let unnamed = tempfile::tempdir().unwrap();
    write(unnamed.path(), &tables()[..1]);
    let error = read(unnamed.path(), &Options::default()).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "release", .. }), "{error}");
    write(unnamed.path(), &[("Occupation Data.txt", "Code\tTitle\n1\tx\n")]);
    let error = read(unnamed.path(), &given).unwrap_err().to_string();
    assert!(error.contains("column `O*NET-SOC Code`") && error.contains("Code, Title"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("x.txt"), "x").unwrap();
    assert!(read(empty.path(), &given).unwrap_err().to_string().contains("Occupation Data.txt"));
}

/// The (first column, given column) pairs of an official table, read on their own.
fn raw_pairs(version: &str, table: &str, column: &str) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(data::path(&format!("onet/{version}/{table}.txt")).unwrap()).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = header.iter().position(|name| *name == column).unwrap();
    lines.map(|row| (row[0].to_string(), row[at].to_string())).filter(|(_, value)| value != "n/a").collect()
}

fn official(version: &str) -> Option<(Release, ReadReport)> {
    let folder = data::path(&format!("onet/{version}"))?;
    Some(onet::read(&[folder], &Options::default(), &Monitor::silent()).unwrap())
}

#[test]
fn onet_29_is_whole() {
    let Some((release, report)) = official("29.0") else { return };
    assert_eq!(release.version(), "29.0");
    let kinds = [Kind::OCCUPATION, Kind::TASK, Kind::TECHNOLOGY, Kind::TOOL, Kind::ACTIVITY];
    assert_eq!(kinds.map(|kind| by_kind(&release, &kind).len()), [1_016, 18_796, 8_749, 18_093, 2_087]);
    let relations = |kind, to| pairs(&release, kind, &to).len();
    assert_eq!(relations(RelationKind::Performs, Kind::TASK), 18_796);
    assert_eq!(relations(RelationKind::PartOf, Kind::ACTIVITY), 23_233);
    assert_eq!(relations(RelationKind::Uses, Kind::TECHNOLOGY), 32_470);
    assert_eq!(relations(RelationKind::Uses, Kind::TOOL), 41_650);
    assert_eq!(relations(RelationKind::Related, Kind::OCCUPATION), 18_460);
    assert_eq!(report.unused_files, ["Content Model Reference.txt", "Emerging Tasks.txt"]);
    let defects: BTreeMap<_, _> = report.defects.iter().map(|d| ((d.file.as_str(), d.kind), d.count)).collect();
    assert_eq!(defects, BTreeMap::from([(("Alternate Titles.txt", DefectKind::RepeatedRow), 2)]));
}

#[test]
fn the_titles_of_an_occupation_are_those_of_three_columns() {
    for version in ["27.0", "29.0"] {
        let Some((release, _)) = official(version) else { return };
        let mut expected = raw_pairs(version, "Alternate Titles", "Alternate Title");
        expected.extend(raw_pairs(version, "Alternate Titles", "Short Title"));
        expected.extend(raw_pairs(version, "Sample of Reported Titles", "Reported Job Title"));
        expected.extend(raw_pairs(version, "Occupation Data", "Title"));
        let occupations = by_kind(&release, &Kind::OCCUPATION);
        let read = occupations.iter().flat_map(|c| c.surface_forms().map(|form| (c.id.clone(), form.to_string())));
        assert_eq!(read.collect::<BTreeSet<_>>(), expected, "{version}");
    }
}

//! ESCO's own files give every concept and relation they hold, and every defect is counted, for each release and language.

mod data;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use workindex::esco::{self, Options};
use workindex::{DefectKind, Error, Kind, Monitor, ReadReport, RelationKind, Release};

const SKILLS: &str = "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,description\r\n\
K,u:s1,skill/competence,transversal,weld,\"welding\nto weld\nweld\",fuse,released,2020,Join metal.\r\n\
K,u:s2,knowledge,sector-specific,metallurgy,,,released,2020,\r\n\
K,u:s2,knowledge,sector-specific,metallurgy,science of metal,,released,2021,\r\n\
K,u:s3,,,brazing,,,proposed,2020,\r\n";
const OCCUPATIONS: &str = "conceptUri,iscoGroup,preferredLabel,altLabels,definition,code\n\
u:o1,7212,welder,,Who welds.,7212.3\nu:o2,7212,brazier,,,\nu:o3,9999,nobody,,,\n";
const ISCO: &str = "conceptUri,code,preferredLabel\nu:i7212,7212,Welders and flame cutters\nu:i7,7,Craft workers\n";
const GROUPS: &str = "conceptUri,code,preferredLabel\nu:g1,S8,working with machinery\nu:g0,S,skills\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn classification() -> Vec<(&'static str, &'static str)> {
    vec![
        ("skills_en.csv", SKILLS),
        ("occupations_en.csv", OCCUPATIONS),
        ("ISCOGroups_en.csv", ISCO),
        ("skillGroups_en.csv", GROUPS),
    ]
}

fn given(version: &str) -> Options {
    Options { version: Some(version.to_string()), language: None }
}

fn read(path: &Path) -> (Release, ReadReport) {
    esco::read(&[path], &given("1.9"), &Monitor::silent()).unwrap()
}

/// "from kind to" of all relations, by id.
fn relations(release: &Release) -> Vec<String> {
    let id = |at: u32| &release.concepts()[at as usize].id;
    release.relations().iter().map(|r| format!("{} {} {}", id(r.from), r.kind, id(r.to))).collect()
}

#[test]
fn a_concept_keeps_what_its_row_says() {
    let folder = folder(&classification());
    let (release, report) = read(folder.path());
    assert_eq!((release.ontology(), release.version(), release.language()), ("esco", "1.9", "en"));
    assert!(release.attribution().unwrap().contains("European Commission"));
    let weld = &release.concepts()[0];
    assert_eq!(weld.surface_forms().collect::<Vec<_>>(), ["weld", "welding", "to weld"]);
    assert_eq!(weld.description.as_deref(), Some("Join metal."));
    assert_eq!(weld.attributes["hiddenLabels"], ["fuse"]);
    assert_eq!(weld.attributes["reuseLevel"], ["transversal"]);
    assert!(!weld.attributes.contains_key("modifiedDate"));
    assert_eq!(release.concepts()[1].alternative_labels, ["science of metal"]);
    let welder = release.concepts().iter().find(|c| c.id == "u:o1").unwrap();
    assert_eq!(welder.description.as_deref(), Some("Who welds."));
    assert_eq!((&welder.kind, welder.attributes["code"][0].as_str()), (&Kind::OCCUPATION, "7212.3"));
    assert_eq!(report.count(DefectKind::DuplicateConcept), 1);
    assert_eq!(report.count(DefectKind::UnknownValue), 2, "brazing has neither skillType nor reuseLevel");
    assert_eq!(report.count(DefectKind::NotReleased), 1);
    assert!(report.files.contains(&("skills_en.csv".to_string(), 4)));
}

#[test]
fn occupations_stand_under_their_isco_group_only_where_nothing_else_is_said() {
    let alone = folder(&classification());
    assert_eq!(relations(&read(alone.path()).0), ["u:o1 broader u:i7212", "u:o2 broader u:i7212"]);

    let mut files = classification();
    files.push((
        "broaderRelationsOccPillar.csv",
        "conceptType,conceptUri,broaderType,broaderUri\nO,u:o1,O,u:o2\nO,u:o2,I,u:i7212\nI,u:i7212,I,u:i7\nO,u:gone,I,u:i7\n",
    ));
    let whole = folder(&files);
    let (release, report) = read(whole.path());
    assert_eq!(relations(&release), ["u:o1 broader u:o2", "u:o2 broader u:i7212", "u:i7212 broader u:i7"]);
    assert_eq!(report.count(DefectKind::DanglingRelation), 1);
}

#[test]
fn the_hierarchy_fills_in_for_missing_relations_and_may_be_ragged() {
    let hierarchy = "Level 0 URI,Level 0 preferred term,Level 1 URI,Level 1 preferred term,Level 2 URI,Description\n\
                     u:g0,skills\nu:g0,skills,u:g1,working,,\n";
    let mut files = classification();
    files.push(("skillsHierarchy_en.csv", hierarchy));
    let (release, report) = read(folder(&files).path());
    assert!(relations(&release).contains(&"u:g1 broader u:g0".to_string()));
    assert_eq!(report.count(DefectKind::RaggedRow), 1);
}

#[test]
fn needs_are_read_in_both_spellings_and_doubtful_ones_counted() {
    for name in ["occupationSkillRelations.csv", "occupationSkillRelations_en.csv"] {
        let mut files = classification();
        files.push((
            name,
            "occupationUri,relationType,skillType,skillUri\nu:o1,essential,knowledge,u:s2\nu:o1,optional,,u:s1\n\
             u:o1,essential,knowledge,u:s2\nu:o1,needed,knowledge,u:s3\nu:o7,optional,knowledge,u:s2\n",
        ));
        files.push(("greenSkillsCollection_en.csv", "conceptUri,altLabels\nu:s1,a | b\nu:s9,\n"));
        let (release, report) = read(folder(&files).path());
        let needs: Vec<_> = relations(&release).into_iter().filter(|r| !r.contains("broader")).collect();
        assert_eq!(needs, ["u:o1 optional u:s1", "u:o1 essential u:s2"]);
        let counts = [
            DefectKind::DuplicateRelation,
            DefectKind::UnknownRelation,
            DefectKind::DanglingRelation,
            DefectKind::UnknownConcept,
        ]
        .map(|kind| report.count(kind));
        assert_eq!(counts, [1; 4]);
        assert_eq!(release.concepts()[0].attributes["collection"], ["green"]);
    }
}

#[test]
fn a_release_must_be_told_apart_from_others() {
    let mixed = folder(&[("skills_en.csv", SKILLS), ("skills_de.csv", SKILLS)]);
    let error = esco::read(&[mixed.path()], &given("1.1"), &Monitor::silent()).unwrap_err();
    assert!(error.to_string().contains("de, en"), "{error}");
    let german = Options { language: Some("de".to_string()), ..given("1.1") };
    let (release, report) = esco::read(&[mixed.path()], &german, &Monitor::silent()).unwrap();
    assert_eq!(release.language(), "de");
    assert_eq!(report.unused_files, ["skills_en.csv"]);

    let one = folder(&[("skills_en.csv", SKILLS)]);
    let two = folder(&[("skills_en.csv", SKILLS)]);
    let error = esco::read(&[one.path(), two.path()], &given("1.1"), &Monitor::silent()).unwrap_err();
    for folder in [&one, &two] {
        assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    }
    let error = esco::read(&[one.path()], &Options::default(), &Monitor::silent()).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "release", .. }), "{error}");
    let error =
        esco::read(&[folder(&[("ISCOGroups_en.csv", ISCO)]).path()], &given("1"), &Monitor::silent()).unwrap_err();
    assert!(error.to_string().contains("skills_en.csv"), "{error}");
    assert!(esco::read::<PathBuf>(&[], &given("1"), &Monitor::silent()).is_err());
}

#[test]
fn the_release_is_read_from_the_folder() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("ESCO dataset - v1.2.0 - classification - en - csv");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("skills_en.csv"), SKILLS).unwrap();
    let version =
        |path: &Path| esco::read(&[path], &Options::default(), &Monitor::silent()).unwrap().0.version().to_string();
    assert_eq!(version(&inner), "1.2.0");
    assert_eq!(version(&inner.join("skills_en.csv")), "1.2.0");
    assert_eq!(version(outer.path()), "1.2.0");

    let other = outer.path().join("v1.1");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("occupations_en.csv"), OCCUPATIONS).unwrap();
    let error = esco::read(&[outer.path()], &Options::default(), &Monitor::silent()).unwrap_err();
    assert!(error.to_string().contains("1.1, 1.2.0"), "{error}");
}

fn official(version: &str) -> Option<(Release, ReadReport)> {
    let folder = data::path(&format!("esco/{version}"))?;
    let zip = |part: &str| folder.join(format!("ESCO dataset - v{version} - {part}csv.zip"));
    let paths = [zip("classification - en - "), zip("relations - ")];
    Some(esco::read(&paths, &Options::default(), &Monitor::silent()).unwrap())
}

fn count(release: &Release, kind: &Kind) -> usize {
    release.concepts().iter().filter(|c| c.kind == *kind).count()
}

/// Number of relations by kinds of their ends.
fn edges(release: &Release) -> BTreeMap<(&str, RelationKind, &str), usize> {
    let mut edges = BTreeMap::new();
    let kind = |at: u32| release.concepts()[at as usize].kind.as_str();
    for relation in release.relations() {
        *edges.entry((kind(relation.from), relation.kind, kind(relation.to))).or_default() += 1;
    }
    edges
}

fn defects(report: &ReadReport, kind: DefectKind) -> BTreeMap<&str, u64> {
    report.defects.iter().filter(|d| d.kind == kind).map(|d| (d.file.as_str(), d.count)).collect()
}

#[test]
fn esco_1_1_1_is_whole() {
    let Some((release, report)) = official("1.1.1") else { return };
    assert_eq!((release.version(), release.language()), ("1.1.1", "en"));
    let kinds = [Kind::SKILL, Kind::OCCUPATION, Kind::ISCO_GROUP, Kind::SKILL_GROUP];
    assert_eq!(kinds.map(|kind| count(&release, &kind)), [13_896, 3_007, 619, 640]);
    let edges = edges(&release);
    let expected = BTreeMap::from([
        (("isco-group", RelationKind::Broader, "isco-group"), 609),
        (("occupation", RelationKind::Broader, "isco-group"), 1_760),
        (("occupation", RelationKind::Broader, "occupation"), 1_247),
        (("skill", RelationKind::Broader, "skill"), 6_565),
        (("skill", RelationKind::Broader, "skill-group"), 13_448),
        (("skill-group", RelationKind::Broader, "skill-group"), 636),
        (("occupation", RelationKind::Essential, "skill"), edges[&("occupation", RelationKind::Essential, "skill")]),
        (("occupation", RelationKind::Optional, "skill"), edges[&("occupation", RelationKind::Optional, "skill")]),
        (("skill", RelationKind::Essential, "skill"), 191),
        (("skill", RelationKind::Optional, "skill"), 5_707),
    ]);
    assert_eq!(edges, expected);
    let needs = [RelationKind::Essential, RelationKind::Optional].map(|kind| edges[&("occupation", kind, "skill")]);
    assert_eq!(needs.iter().sum::<usize>(), 123_855 - 67);
    let dangling = defects(&report, DefectKind::DanglingRelation);
    assert_eq!(dangling["occupationSkillRelations.csv"], 67);
    assert_eq!(dangling["broaderRelationsOccPillar.csv"], 1);
    assert_eq!(dangling["broaderRelationsSkillPillar.csv"], 7);
    assert_eq!(defects(&report, DefectKind::UnknownValue)["occupationSkillRelations.csv"], 5);
    assert_eq!(defects(&report, DefectKind::RaggedRow)["skillsHierarchy_en.csv"], 189);
    assert_eq!(defects(&report, DefectKind::SelfRelation)["skillSkillRelations.csv"], 1);
    assert_eq!(report.count(DefectKind::DuplicateConcept) + report.count(DefectKind::UnknownConcept), 0);
    assert_eq!(report.unused_files, ["conceptSchemes_en.csv"]);
    let digital = release
        .concepts()
        .iter()
        .filter(|c| c.attributes.get("collection").is_some_and(|v| v.contains(&"digital".into())));
    assert_eq!(digital.count(), 1_201);
    let bare =
        release.concepts().iter().filter(|c| c.kind == Kind::SKILL && !c.attributes.contains_key("skillType")).count();
    assert_eq!(bare, 6);
}

#[test]
fn esco_1_1_0_is_whole() {
    let Some((release, report)) = official("1.1.0") else { return };
    let kinds = [Kind::SKILL, Kind::OCCUPATION, Kind::ISCO_GROUP, Kind::SKILL_GROUP];
    assert_eq!(kinds.map(|kind| count(&release, &kind)), [13_891, 3_008, 619, 643]);
    let edges = edges(&release);
    let needs = [RelationKind::Essential, RelationKind::Optional].map(|kind| edges[&("occupation", kind, "skill")]);
    assert_eq!(needs, [65_096, 58_756]);
    assert_eq!(report.count(DefectKind::DanglingRelation), 0);
    assert_eq!(edges[&("skill-group", RelationKind::Broader, "skill-group")], 639);
}

#[test]
fn skills_alone_are_a_release_when_its_version_is_given() {
    let Some(path) = data::path("esco/1.0-partial/skills_es.csv") else { return };
    let error = esco::read(&[&path], &Options::default(), &Monitor::silent()).unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "release", .. }), "{error}");
    let (release, report) = esco::read(&[&path], &given("1.0.3"), &Monitor::silent()).unwrap();
    assert_eq!((release.concepts().len(), release.language(), release.relations().len()), (13_485, "es", 0));
    assert_eq!(release.concepts()[0].label, "gestionar tareas en relación con los músicos");
    assert_eq!(report.files, [("skills_es.csv".to_string(), 13_485)]);
}

//! A user's own list reads the same in every format, and what does not fit is named by row and column.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use workindex::table::{self, Format, Options};
use workindex::{CancelToken, Concept, DefectKind, Error, Kind, Monitor, ReadReport, Release, SpaceName};

fn space() -> SpaceName {
    "our-list/skill/en".parse().unwrap()
}

fn read(name: &str, text: &str) -> workindex::Result<(Release, ReadReport)> {
    table::read_from(text.as_bytes(), name, &space(), &Options::default(), &Monitor::silent())
}

fn labels(release: &Release) -> Vec<&str> {
    release.concepts().iter().map(|concept| concept.label.as_str()).collect()
}

/// Where an error is: row, column, and its message.
fn place(result: workindex::Result<(Release, ReadReport)>) -> (Option<u64>, Option<String>, String) {
    match result.unwrap_err() {
        Error::Input { row, column, problem, .. } => (row, column, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn the_formats_agree() {
    let csv = "ID,Preferred Label,altLabels,description,team\r\n1,weld,\"welding|fuse\",\"Join, hot\",A\r\n\r\n2,solder,,,\r\n";
    let tsv =
        "id\tlabel\talternative_labels\tdescription\tteam\n1\tweld\t\"welding\nfuse\"\tJoin, hot\tA\n2\tsolder\t\t\t\n";
    let json = "{\"id\":1,\"label\":\"weld\",\"aliases\":[\"welding\",\"fuse\"],\"description\":\"Join, hot\",\"team\":\"A\"}\n\n\
                {\"id\":\"2\",\"name\":\"solder\",\"team\":null}";
    let (release, report) = read("list.csv", csv).unwrap();
    assert_eq!(read("list.tsv", tsv).unwrap().0, release);
    assert_eq!(read("list.jsonl", json).unwrap().0, release);
    let weld = &release.concepts()[0];
    assert_eq!(weld.surface_forms().collect::<Vec<_>>(), ["weld", "welding", "fuse"]);
    assert_eq!((weld.description.as_deref(), &weld.attributes["team"][0]), (Some("Join, hot"), &"A".into()));
    assert_eq!(release.space_name(&Kind::SKILL).to_string(), "our-list@1/skill/en");
    assert_eq!(report.files, [("list.csv".to_string(), 2)]);
}

#[test]
fn a_plain_list_is_its_own_ids() {
    let (release, report) = read("list.txt", "\u{feff}weld\r\n\r\n  solder, soft \nweld").unwrap();
    assert_eq!(labels(&release), ["weld", "solder, soft"]);
    assert_eq!(release.concepts()[1].id, "solder, soft");
    assert_eq!(report.count(DefectKind::DuplicateConcept), 1);
    assert_eq!(report.defects[0].examples, ["row 4: weld"]);
}

#[test]
fn kinds_may_differ_from_the_space() {
    let (release, _) = read("list.csv", "label,kind\nweld,\ntorch,tool\n").unwrap();
    assert_eq!(release.concepts().iter().map(|c| c.kind.as_str()).collect::<Vec<_>>(), ["skill", "tool"]);
    let (row, column, _) = place(read("list.csv", "label,kind\n\n\"we\nld\",\ntorch,A Tool\n"));
    assert_eq!((row, column.as_deref()), (Some(5), Some("kind")));
}

#[test]
fn the_format_and_the_release_can_be_given() {
    let read = |name: &str, space: &str, options: &Options| {
        table::read_from(&b"label\nweld\n"[..], name, &space.parse().unwrap(), options, &Monitor::silent())
    };
    let csv = Options { format: Some(Format::Csv), version: None };
    assert_eq!(read("-", "l/skill/en", &csv).unwrap().0.concepts().len(), 1);
    assert!(matches!(read("-", "l/skill/en", &Options::default()), Err(Error::InvalidOption { option: "format", .. })));
    assert_eq!(read("a.csv", "l@7/skill/en", &csv).unwrap().0.version(), "7");
    let eight = Options { version: Some("8".into()), ..csv.clone() };
    assert_eq!(read("a.csv", "l/skill/en", &eight).unwrap().0.version(), "8");
    assert!(matches!(read("a.csv", "l@7/skill/en", &eight), Err(Error::InvalidOption { option: "release", .. })));
    let bad = Options { version: Some("a/b".into()), ..csv };
    assert!(matches!(read("a.csv", "l/skill/en", &bad), Err(Error::InvalidName { .. })));
}

#[test]
fn what_does_not_fit_is_named() {
    assert!(place(read("a.csv", "id,text\n1,x\n")).2.contains("id, text"));
    assert!(place(read("a.csv", "")).2.contains("empty"));
    assert!(place(read("a.csv", "label\n")).2.contains("no row with a label"));
    assert!(place(read("a.txt", "\n \n")).2.contains("no row with a label"));
    assert_eq!(place(read("a.csv", "label,x,label\nweld,,\n")).0, Some(1));
    assert_eq!(place(read("a.jsonl", "{\"label\":\"a\"}\n\n{\"label\":\n")).0, Some(3));
    assert_eq!(place(read("a.jsonl", "{\"label\":\"a\"}\n{\"label\":\"b\",\"x\":{}}\n")).1.as_deref(), Some("x"));
    let deep = format!("{{\"label\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(place(read("a.jsonl", &deep)).0, Some(1));
    let (_, report) = read("a.csv", "id,label\n1,weld,extra\n2\n,solder\n").unwrap();
    assert_eq!((report.count(DefectKind::RaggedRow), report.count(DefectKind::IncompleteRow)), (2, 2));
}

#[test]
fn a_folder_or_nothing_is_not_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: PathBuf| table::read(path, &space(), &Options::default(), &Monitor::silent());
    assert!(place(read(folder.path().to_path_buf())).2.contains("folder"));
    assert!(matches!(read(folder.path().join("none.csv")), Err(Error::Io { .. })));
}

#[test]
fn a_hundred_thousand_rows_report_progress_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    let mut file = fs::File::create(&path).unwrap();
    let rows: String =
        (0..100_000).map(|row| format!("{row},label number {row},other {row}|third {row}\r\n")).collect();
    write!(file, "id,label,altLabels\r\n{rows}").unwrap();
    let size = fs::metadata(&path).unwrap().len();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let monitor = Monitor::new(
        {
            let seen = Arc::clone(&seen);
            move |p| seen.lock().unwrap().push(p)
        },
        CancelToken::new(),
    );
    let (release, _) = table::read(&path, &space(), &Options::default(), &monitor).unwrap();
    assert_eq!(release.concepts().len(), 100_000);
    assert_eq!(release.concepts()[99_999].alternative_labels, ["other 99999", "third 99999"]);
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 50 && seen.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert!(seen.iter().all(|progress| progress.total == Some(size)));
    assert_eq!(seen.last().unwrap().done, size);

    let cancel = CancelToken::new();
    let raise = cancel.clone();
    let monitor = Monitor::new(
        move |p| {
            if p.done > 0 {
                raise.cancel()
            }
        },
        cancel,
    );
    assert!(matches!(table::read(&path, &space(), &Options::default(), &monitor), Err(Error::Cancelled)));
}

/// A label as it is after reading: something that is not white space, and nothing that separates labels.
fn label() -> impl Strategy<Value = String> {
    "[^\\p{C}|\\p{Z}][^\\p{C}|]{0,20}".prop_map(|label| label.trim().to_string())
}

fn concepts() -> impl Strategy<Value = Vec<Concept>> {
    let one = (label(), prop::collection::vec(label(), 0..4), prop::option::of("[^\\x00\\r]{1,30}"), label());
    prop::collection::vec(one, 1..20).prop_map(|rows| {
        let concept =
            |(at, (label, alternative, description, code)): (usize, (String, Vec<String>, Option<String>, String))| {
                let mut concept = Concept::new(format!("id {at}"), Kind::SKILL, label);
                let mut seen = vec![concept.label.clone()];
                for other in alternative {
                    if !seen.contains(&other) {
                        seen.push(other.clone());
                        concept.alternative_labels.push(other);
                    }
                }
                concept.description = description.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
                concept.attributes.insert("code".to_string(), vec![code]);
                concept
            };
        rows.into_iter().enumerate().map(concept).collect()
    })
}

fn write_table(concepts: &[Concept], delimiter: u8, terminator: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
    writer.write_record(["code", "id", "label", "alternative_labels", "description"]).unwrap();
    for concept in concepts {
        let alternative = concept.alternative_labels.join("\n");
        let description = concept.description.clone().unwrap_or_default();
        writer
            .write_record([&concept.attributes["code"][0], &concept.id, &concept.label, &alternative, &description])
            .unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_reads_back(concepts in concepts(), tabs: bool, crlf: bool) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let bytes = write_table(&concepts, if tabs { b'\t' } else { b',' }, terminator);
        let name = if tabs { "list.tsv" } else { "list.csv" };
        let (release, report) = table::read_from(&bytes[..], name, &space(), &Options::default(), &Monitor::silent()).unwrap();
        prop_assert_eq!(release.concepts(), &concepts[..]);
        prop_assert_eq!(report.defects, []);
    }

    #[test]
    fn any_bytes_end_in_a_release_or_a_typed_error(bytes in prop::collection::vec(any::<u8>(), 0..300), header: bool) {
        let bytes = if header { [b"label,id\n", &bytes[..]].concat() } else { bytes };
        for format in [Format::Csv, Format::Tsv, Format::JsonLines, Format::Plain] {
            let options = Options { format: Some(format), version: None };
            let result = table::read_from(&bytes[..], "x", &space(), &options, &Monitor::silent());
            prop_assert!(matches!(result, Ok(_) | Err(Error::Input { .. })), "{:?}", result);
        }
    }
}

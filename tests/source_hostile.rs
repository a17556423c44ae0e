//! Hostile or broken input ends in a typed error that names file, row and column, in bounded memory, with nothing
//! written anywhere.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use workindex::{Error, Monitor, SpaceName, esco, onet, table};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const SKILLS: &str = "conceptUri,preferredLabel\nu:1,weld\n";

fn esco_options() -> esco::Options {
    esco::Options { version: Some("1.1".into()), language: None }
}

/// The error of reading one file of ESCO: its path, row, column and message.
fn refused(path: &Path) -> (PathBuf, Option<u64>, Option<String>, String) {
    match esco::read(&[path], &esco_options(), &Monitor::silent()).unwrap_err() {
        Error::Input { path, row, column, problem } => (path, row, column, problem),
        other => panic!("{other}"),
    }
}

fn refused_text(text: &[u8]) -> (Option<u64>, Option<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("skills_en.csv");
    fs::write(&path, text).unwrap();
    let (found, row, column, problem) = refused(&path);
    assert_eq!(found, path);
    (row, column, problem)
}

fn table_error(reader: impl Read, name: &str) -> (Option<u64>, Option<String>, String) {
    let space: SpaceName = "x/skill/en".parse().unwrap();
    match table::read_from(reader, name, &space, &table::Options::default(), &Monitor::silent()).unwrap_err() {
        Error::Input { row, column, problem, .. } => (row, column, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn wrong_encodings_are_named_by_row_and_column() {
    let (row, column, problem) =
        refused_text(b"conceptUri,preferredLabel\r\nu:1,\"two\r\nlines\"\r\n\r\nu:2,caf\xe9\r\n");
    assert_eq!((row, column.as_deref()), (Some(5), Some("preferredLabel")));
    assert!(problem.contains("UTF-8 from byte 4"), "{problem}");
    let utf16: Vec<u8> = "\u{feff}conceptUri,preferredLabel\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (row, _, problem) = refused_text(&utf16);
    assert_eq!(row, Some(1));
    assert!(problem.contains("UTF-8") || problem.contains("NUL"), "{problem}");
    let (row, column, problem) = refused_text(b"conceptUri,preferredLabel\nu:1,we\0ld\n");
    assert_eq!((row, column.as_deref()), (Some(2), Some("preferredLabel")));
    assert!(problem.contains("NUL"), "{problem}");
}

#[test]
fn a_nul_never_ends_a_file_early() {
    for text in [
        &b"conceptUri,preferredLabel\n\0\nu:1,weld\n"[..],
        b"conceptUri,preferredLabel\nu:1,weld\n\0\n",
        b"conceptUri,preferredLabel\n\0",
    ] {
        assert!(refused_text(text).2.contains("NUL"));
    }
    assert!(table_error(&b"weld\n\0\nsolder\n"[..], "x.txt").2.contains("NUL"));
    assert!(table_error(&b"weld\n\0"[..], "x.txt").2.contains("NUL"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_header() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("skills_en.csv"), format!("\u{feff}{SKILLS}")).unwrap();
    let (release, report) = esco::read(&[folder.path()], &esco_options(), &Monitor::silent()).unwrap();
    assert_eq!((release.concepts()[0].id.as_str(), report.defects.len()), ("u:1", 0));
}

#[test]
fn missing_columns_are_named_with_those_that_are_there() {
    let (row, column, problem) = refused_text(b"uri,preferredLabel\nu:1,weld\n");
    assert_eq!((row, column.as_deref()), (Some(1), Some("conceptUri")));
    assert!(problem.contains("uri, preferredLabel"), "{problem}");
    assert!(refused_text(b"").2.contains("empty"));
    assert!(refused_text(b"\n\n").2.contains("empty"));
    assert!(refused_text(b"conceptUri,preferredLabel,conceptUri\n").2.contains("columns 1 and 3"));
}

#[test]
fn an_open_quote_is_an_error_where_it_opens() {
    let (row, column, problem) = refused_text(b"conceptUri,preferredLabel\nu:1,weld\nu:2,\"solder\nu:3,braze\n");
    assert_eq!((row, column.as_deref()), (Some(3), Some("preferredLabel")));
    assert!(problem.contains("not closed"), "{problem}");
    let (row, _, problem) = table_error(&b"label\nweld\n\"\n"[..], "x.csv");
    assert_eq!(row, Some(3));
    assert!(problem.contains("not closed"), "{problem}");
    // A quoted field that ends with a line end, closed by the last byte of the file, is fine.
    let space: SpaceName = "x/skill/en".parse().unwrap();
    let closed = table::read_from(&b"label\n\"weld\n\""[..], "x.csv", &space, &Default::default(), &Monitor::silent());
    assert_eq!(closed.unwrap().0.concepts()[0].label, "weld");
}

#[test]
fn a_gigantic_field_is_cut_off_before_it_fills_memory() {
    // A terabyte, if it were read.
    for (start, row) in [(&b"label\nweld\n\""[..], Some(3)), (b"label\nweld\n", Some(3)), (b"", Some(1))] {
        let endless = Cursor::new(start.to_vec()).chain(std::io::repeat(b'x').take(1 << 40));
        let (found, _, problem) = table_error(endless, "x.csv");
        assert_eq!(found, row);
        assert!(problem.contains("longer than"), "{problem}");
    }
    for name in ["x.txt", "x.jsonl", "x.tsv"] {
        let (row, _, problem) = table_error(std::io::repeat(b'{').take(1 << 40), name);
        assert_eq!(row, Some(1));
        assert!(problem.contains("longer than"), "{problem}");
    }
}

#[test]
fn too_many_columns_are_refused() {
    let wide = format!("label{}\n", ",x".repeat(100_000));
    assert!(table_error(wide.as_bytes(), "x.csv").2.contains("100001 columns"));
    let (row, _, problem) = table_error(format!("label\na\n{}\n", ",".repeat(100_000)).as_bytes(), "x.csv");
    assert_eq!(row, Some(3));
    assert!(problem.contains("columns"), "{problem}");
}

#[test]
fn formulas_control_and_right_to_left_characters_are_kept_as_text() {
    let labels = ["=cmd|' /C calc'!A0", "\u{202e}dlew", "a\u{7}b", "@SUM(1)"];
    let text = labels.join("\n");
    let space: SpaceName = "x/skill/en".parse().unwrap();
    let (release, _) =
        table::read_from(text.as_bytes(), "x.txt", &space, &Default::default(), &Monitor::silent()).unwrap();
    assert_eq!(release.concepts().iter().map(|c| c.label.as_str()).collect::<Vec<_>>(), labels);
}

#[test]
fn cycles_self_parents_and_deep_chains_are_only_edges() {
    let folder = tempfile::tempdir().unwrap();
    let skills: String = (0..100_000).map(|at| format!("u:{at},skill {at}\n")).collect();
    let chain: String = (1..100_000).map(|at| format!("u:{at},u:{}\n", at - 1)).collect();
    fs::write(folder.path().join("skills_en.csv"), format!("conceptUri,preferredLabel\n{skills}")).unwrap();
    fs::write(
        folder.path().join("broaderRelationsSkillPillar_en.csv"),
        format!("conceptUri,broaderUri\n{chain}u:0,u:99999\nu:5,u:5\n"),
    )
    .unwrap();
    let (release, report) = esco::read(&[folder.path()], &esco_options(), &Monitor::silent()).unwrap();
    assert_eq!(release.relations().len(), 100_000);
    assert_eq!(report.count(workindex::DefectKind::SelfRelation), 1);
}

/// An archive of the given entries, deflated.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The error of reading an archive, which must leave nothing beside it: the path relative to the archive, and message.
fn refused_zip(bytes: &[u8]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("in.zip");
    fs::write(&path, bytes).unwrap();
    let (found, _, _, problem) = refused(&path);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    (found.strip_prefix(&inner).unwrap().to_string_lossy().into_owned(), problem)
}

#[test]
fn an_intact_archive_is_read_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ESCO v1.1.zip");
    let entries = [("a/skills_en.csv", SKILLS.as_bytes()), ("__MACOSX/a/._skills_en.csv", b"x"), ("a/.DS_Store", b"x")];
    fs::write(&path, zip(&entries)).unwrap();
    let (release, report) = esco::read(&[&path], &esco::Options::default(), &Monitor::silent()).unwrap();
    assert_eq!((release.concepts().len(), report.unused_files.len()), (1, 0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../skills_en.csv",
        "a/../../skills_en.csv",
        "/etc/skills_en.csv",
        "C:/skills_en.csv",
        "..\\skills_en.csv",
        "\\\\host\\x.csv",
        "a\\b.csv",
    ] {
        let (path, problem) = refused_zip(&zip(&[("skills_en.csv", SKILLS.as_bytes()), (name, SKILLS.as_bytes())]));
        assert!(path.starts_with("in.zip/"), "{path}");
        assert!(problem.contains("refused archive entry"), "{name}: {problem}");
    }
}

#[test]
fn links_encryption_and_double_names_are_refused() {
    let mut links = ZipWriter::new(Cursor::new(Vec::new()));
    links.add_symlink("skills_en.csv", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    assert!(refused_zip(&links.finish().unwrap().into_inner()).1.contains("symbolic link"));

    let mut encrypted = zip(&[("skills_en.csv", SKILLS.as_bytes())]);
    let at = central_headers(&encrypted)[0];
    encrypted[at + 8] |= 1;
    assert!(refused_zip(&encrypted).1.contains("encrypted"));

    // The writer refuses equal names, so one is renamed afterwards, in both places where it stands.
    let mut double = zip(&[("skills_en.csv", SKILLS.as_bytes()), ("skills_eX.csv", b"x")]);
    for at in (0..double.len() - 13).filter(|&at| double[at..].starts_with(b"skills_eX.csv")).collect::<Vec<_>>() {
        double[at + 8] = b'n';
    }
    assert!(refused_zip(&double).1.contains("same name"));
    let (_, problem) =
        refused_zip(&zip(&[("a/skills_en.csv", SKILLS.as_bytes()), ("b/SKILLS_en.csv", SKILLS.as_bytes())]));
    assert!(problem.contains("b/SKILLS_en.csv"), "{problem}");
}

/// Where the central headers of an archive begin.
fn central_headers(zip: &[u8]) -> Vec<usize> {
    (0..zip.len() - 4).filter(|&at| zip[at..].starts_with(b"PK\x01\x02")).collect()
}

fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn bombs_and_lying_sizes_are_stopped_while_unpacking() {
    let bomb = zip(&[("skills_en.csv", &[SKILLS.as_bytes(), &b"u:1,weld\n".repeat(2 << 20)].concat())]);
    assert!(bomb.len() < 1 << 20);
    let (path, problem) = refused_zip(&bomb);
    assert_eq!(path, "in.zip/skills_en.csv");
    assert!(problem.contains("times its compressed size"), "{problem}");

    let long = [SKILLS, &"u:2,solder\n".repeat(1000)].concat();
    let mut lying = zip(&[("skills_en.csv", long.as_bytes())]);
    let at = central_headers(&lying)[0];
    set_u32(&mut lying, at + 24, 40);
    let (path, problem) = refused_zip(&lying);
    assert_eq!(path, "in.zip/skills_en.csv");
    assert!(problem.contains("40 bytes") || problem.contains("cannot be read"), "{problem}");
}

#[test]
fn overlapping_entries_are_refused() {
    let mut overlapping = zip(&[("skills_en.csv", SKILLS.as_bytes()), ("skills_eX.csv", SKILLS.as_bytes())]);
    let headers = central_headers(&overlapping);
    set_u32(&mut overlapping, headers[1] + 42, 0);
    let problem = refused_zip(&overlapping).1;
    assert!(problem.contains("overlap") || problem.contains("cannot be read as a zip"), "{problem}");
}

#[test]
fn archives_with_too_many_entries_are_refused() {
    let many = |count: usize| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        (0..count).for_each(|at| zip.start_file(format!("{at}"), stored).unwrap());
        zip.finish().unwrap().into_inner()
    };
    assert!(refused_zip(&many(10_001)).1.contains("10001 entries"));
    assert!(refused_zip(&many(200_000)).1.contains("directory takes more than"));
}

#[test]
fn broken_archives_are_named() {
    let whole = zip(&[("skills_en.csv", [SKILLS, &"u:2,solder\n".repeat(10_000)].concat().as_bytes())]);
    assert!(refused_zip(b"not a zip at all").1.contains("zip archive"));
    assert!(refused_zip(b"").1.contains("zip archive"));
    for length in [10, whole.len() / 2, whole.len() - 10] {
        assert!(refused_zip(&whole[..length]).1.contains("zip archive"), "{length}");
    }
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0x55;
    let (path, problem) = refused_zip(&flipped);
    assert!(path.starts_with("in.zip"), "{path}: {problem}");
}

#[test]
fn every_single_damaged_byte_is_an_error_or_harmless() {
    let whole = zip(&[("a/skills_en.csv", SKILLS.as_bytes()), ("occupations_en.csv", SKILLS.as_bytes())]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.zip");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(&path, damaged).unwrap();
        match esco::read(&[&path], &esco_options(), &Monitor::silent()) {
            Ok((release, _)) => assert!(release.concepts().iter().all(|concept| concept.label == "weld"), "byte {at}"),
            Err(Error::Input { .. } | Error::InvalidOption { .. }) => {}
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.zip");
    assert!(matches!(esco::read(&[&missing], &esco_options(), &Monitor::silent()), Err(Error::Io { .. })));
    assert!(matches!(
        onet::read(&[folder.path()], &Default::default(), &Monitor::silent()),
        Err(Error::InvalidOption { .. })
    ));
    #[cfg(unix)]
    {
        let error = esco::read(&["/dev/zero"], &esco_options(), &Monitor::silent()).unwrap_err();
        assert!(error.to_string().contains("regular file"), "{error}");
    }
}

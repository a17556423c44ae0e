//! Zip archives that lie: about names, numbers, sizes, places.

use std::io::{Cursor, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use workindex::{Error, Monitor, ReadReport, Release, esco};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const SKILLS: &[u8] = b"conceptUri,preferredLabel\nu:1,weld\n";

fn archive(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive(entries, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
}

fn deflated(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive(entries, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
}

/// Reads an archive, which must leave nothing behind, and soon.
fn read(bytes: &[u8]) -> Result<(Release, ReadReport), Error> {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("in.zip");
    std::fs::write(&path, bytes).unwrap();
    let start = Instant::now();
    let options = esco::Options { version: Some("1.1".into()), language: None };
    let read = esco::read(&[&path], &options, &Monitor::silent());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!((count(folder.path()), count(&inner)), (1, 1), "something was unpacked");
    read
}

/// What is said about an archive that is refused.
#[track_caller]
fn refused(bytes: &[u8]) -> String {
    match read(bytes) {
        Err(Error::Input { path, problem, .. }) if path.to_string_lossy().contains("in.zip") => problem,
        other => panic!("an error about the archive expected: {other:?}"),
    }
}

fn places(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    (0..bytes.len() - mark.len()).filter(|&at| bytes[at..].starts_with(mark)).collect()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn names_that_some_system_reserves_are_names_like_others_because_nothing_is_unpacked() {
    for name in [
        "CON",
        "aux.csv",
        "NUL.txt",
        "com1",
        "a./skills_en.csv.",
        "skills_en.csv:stream",
        " ",
        "a\n.csv",
        "\u{202e}vsc.x",
    ] {
        let (release, report) = read(&stored(&[("skills_en.csv", SKILLS), (name, b"x")])).unwrap();
        assert_eq!((release.concepts().len(), report.unused_files.len()), (1, 1), "{name:?}");
    }
    // What only differs in case is the same file to many systems, and two of it are one too many.
    assert!(refused(&stored(&[("skills_en.csv", SKILLS), ("Skills_EN.csv", SKILLS)])).contains("given"));
}

#[test]
fn names_that_are_no_text_or_of_any_length_do_no_harm() {
    let long = format!("{}/skills_en.csv", "a".repeat(60_000));
    assert_eq!(read(&stored(&[(&long, SKILLS)])).unwrap().0.concepts().len(), 1);
    let deep = format!("{}skills_en.csv", "a/".repeat(30_000));
    assert_eq!(read(&stored(&[(&deep, SKILLS)])).unwrap().0.concepts().len(), 1);
    let mut garbled = stored(&[("skills_en.csv", SKILLS), ("other_en.csv", b"x")]);
    for at in places(&garbled, b"other_en.csv") {
        put(&mut garbled, at, b"\xff\xfe\x80");
    }
    assert_eq!(read(&garbled).unwrap().0.concepts().len(), 1);
}

#[test]
fn archives_in_archives_are_not_opened() {
    let bomb = deflated(&[("skills_en.csv", &vec![b'x'; 8 << 20])]);
    let nested = (0..20).fold(bomb, |inner, _| stored(&[("inner.zip", &inner)]));
    let (release, report) = read(&stored(&[("skills_en.csv", SKILLS), ("inner.zip", &nested)])).unwrap();
    assert_eq!((release.concepts().len(), report.unused_files), (1, vec!["inner.zip".to_string()]));
}

#[test]
fn a_bomb_that_lies_about_its_compressed_size_is_stopped_all_the_same() {
    let row = [&b"u:1,weld"[..], &[b' '; 1000], b"\n"].concat();
    let content = [&b"conceptUri,preferredLabel\n"[..], &row.repeat((64 << 20) / row.len())].concat();
    let mut bomb = deflated(&[("skills_en.csv", &content)]);
    assert!(bomb.len() < 1 << 18);
    let (local, central) = (places(&bomb, LOCAL)[0], *places(&bomb, CENTRAL).last().unwrap());
    for size in [u32::MAX - 1, 1 << 30] {
        put(&mut bomb, local + 18, &size.to_le_bytes());
        put(&mut bomb, central + 20, &size.to_le_bytes());
        let problem = refused(&bomb);
        assert!(["compressed size", "overlap", "zip archive"].iter().any(|why| problem.contains(why)), "{problem}");
    }
}

#[test]
fn sizes_that_are_too_small_or_too_large_are_noticed() {
    let content = [SKILLS, &b"u:2,solder\n".repeat(1000)].concat();
    let sound = stored(&[("skills_en.csv", &content), ("other_en.csv", b"x")]);
    assert_eq!(read(&sound).unwrap().0.concepts().len(), 2);
    let central = places(&sound, CENTRAL)[0];
    for (field, value) in [(20, 0u32), (20, 40), (20, 1 << 20), (24, 0), (24, 40)] {
        let mut lying = sound.clone();
        put(&mut lying, central + field, &value.to_le_bytes());
        let problem = refused(&lying);
        assert!(!problem.is_empty(), "{field} {value}");
    }
}

#[test]
fn large_archives_extended_fields_are_read_and_their_lies_found() {
    let large = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let sound = archive(&[("skills_en.csv", SKILLS)], large);
    assert_eq!(read(&sound).unwrap().0.concepts().len(), 1);
    // A directory that is said to be in the 64-bit record, which says anything.
    let end = places(&sound, END)[0];
    let (size, start) = (
        u32::from_le_bytes(sound[end + 12..end + 16].try_into().unwrap()),
        u32::from_le_bytes(sound[end + 16..end + 20].try_into().unwrap()),
    );
    let with_record = |entries: u64, size: u64, start: u64, locator: u64| {
        let mut bytes = sound[..end].to_vec();
        let record_at = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44u64.to_le_bytes());
        bytes.extend([45, 0, 45, 0]);
        bytes.extend([0; 8]);
        [entries, entries, size, start].iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend(b"PK\x06\x07");
        bytes.extend([0; 4]);
        bytes.extend((record_at.wrapping_add(locator)).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(END);
        bytes.extend([0; 4]);
        bytes.extend([0xff; 12]);
        bytes.extend([0; 2]);
        bytes
    };
    let (size, start) = (u64::from(size), u64::from(start));
    assert_eq!(read(&with_record(1, size, start, 0)).unwrap().0.concepts().len(), 1);
    for entries in [2, 1 << 16, 1_000_000, 1 << 40, u64::MAX] {
        refused(&with_record(entries, size, start, 0));
    }
    for (size, start, locator) in
        [(u64::MAX, start, 0), (size, u64::MAX, 0), (size, 1 << 40, 0), (size, start, u64::MAX), (size, start, 1 << 50)]
    {
        let read = read(&with_record(1, size, start, locator));
        assert!(matches!(read, Ok(_) | Err(Error::Input { .. } | Error::InvalidOption { .. })), "{read:?}");
    }
}

/// The directory of a million entries, all of which are the same one.
#[test]
fn a_million_entries_are_refused_unread() {
    let sound = stored(&[("skills_en.csv", SKILLS)]);
    let (central, end) = (places(&sound, CENTRAL)[0], places(&sound, END)[0]);
    let mut bytes = sound[..central].to_vec();
    bytes.extend(sound[central..end].repeat(1_000_000));
    let size = (bytes.len() - central) as u32;
    let mut tail = sound[end..].to_vec();
    put(&mut tail, 8, &[0xff; 4]);
    put(&mut tail, 12, &size.to_le_bytes());
    bytes.extend(tail);
    let problem = refused(&bytes);
    assert!(
        problem.contains("entries") || problem.contains("directory") || problem.contains("zip archive"),
        "{problem}"
    );
}

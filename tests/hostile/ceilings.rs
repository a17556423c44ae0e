//! The program under limits of the system: memory, stack, descriptors, a folder for temporary files that is not there.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{copy_folder, fixture, mini_index, scratch};

/// Address space that the program gets, in KiB: libraries, threads and allocator take a third of it.
const MEMORY: usize = 600 << 10;

/// Runs the program in a shell that has set limits.
fn limited(limits: &str, arguments: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_workindex"))
        .args(arguments)
        // Each of glibc's arenas reserves address space that is never used.
        .envs([("MALLOC_ARENA_MAX", "2"), ("RAYON_NUM_THREADS", "2")])
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program is refused, by itself and not by the system.
#[track_caller]
fn refused(limits: &str, arguments: &[&str], mentions: &[&str]) {
    let output = limited(limits, arguments);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    mentions.iter().for_each(|mention| assert!(said.contains(mention), "`{mention}` not in: {said}"));
}

#[track_caller]
fn done(limits: &str, arguments: &[&str]) -> Output {
    let output = limited(limits, arguments);
    assert_eq!(output.status.code(), Some(0), "{limits} {arguments:?}: {}", text(&output));
    output
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file that begins like this and goes on for eight gigabytes that take no room on the disk.
fn endless(folder: &Path, name: &str, start: &str) -> PathBuf {
    let path = folder.join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(start.as_bytes()).unwrap();
    file.set_len(8 << 30).unwrap();
    path
}

/// A zip of one entry that unpacks to a field of a gigabyte.
fn bomb(folder: &Path) -> PathBuf {
    let path = folder.join("bomb.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("skills_en.csv", options.compression_level(Some(1))).unwrap();
    zip.write_all(b"conceptUri,preferredLabel\nu:1,\"").unwrap();
    let megabyte = vec![b'x'; 1 << 20];
    (0..1024).for_each(|_| zip.write_all(&megabyte).unwrap());
    zip.finish().unwrap();
    path
}

#[test]
fn files_larger_than_memory_are_refused_within_it() {
    let (folder, index, _) = mini_index("1.1.0");
    let memory = format!("ulimit -v {MEMORY}");
    let table = |path: &Path| {
        refused(&memory, &["ingest", "table", shown(&index), shown(path), "--space", "x/skill/en"], &["longer than"]);
    };
    table(&endless(folder.path(), "x.csv", "label\nweld\n\""));
    table(&endless(folder.path(), "x.tsv", "label\nweld\nsol"));
    table(&endless(folder.path(), "x.jsonl", "{\"label\":\"weld\"}\n{"));
    table(&endless(folder.path(), "x.txt", "weld\n"));
    let esco = |path: &Path, mentions: &[&str]| {
        refused(&memory, &["ingest", "esco", shown(&index), shown(path), "--release", "1.2"], mentions);
    };
    esco(&endless(folder.path(), "skills_en.csv", "conceptUri,preferredLabel\nu:1,\"weld"), &["longer than", "2"]);
    esco(&endless(folder.path(), "in.zip", "PK\x03\x04"), &["zip archive"]);
    esco(&bomb(folder.path()), &["bomb.zip/skills_en.csv", "longer than"]);
    // Within the same limit, what is sound is done.
    done(&memory, &["ingest", "esco", shown(&index), shown(&fixture("mini-esco/1.0.0")), "--release", "1.0.0"]);
    done(&memory, &["rank", shown(&index), "esco@1.0.0/skill/en", "welder"]);
    done(&memory, &["verify", shown(&index)]);
}

#[test]
fn queries_of_any_length_fit_into_memory() {
    let (folder, index, _) = mini_index("1.1.0");
    let file = endless(folder.path(), "queries.txt", "welder\n");
    refused(
        &format!("ulimit -v {MEMORY}"),
        &["rank", shown(&index), "esco/skill/en", "--file", shown(&file)],
        &["line 2: longer than a megabyte"],
    );
}

/// Refused by their length, or because the system does not map so much.
#[test]
fn models_larger_than_memory_are_refused_within_it() {
    let (folder, path) = scratch();
    let model = folder.path().join("model");
    copy_folder(&fixture("encoder/tiny-bert"), &model);
    for name in ["tokenizer.json", "config.json", "modules.json"] {
        let sound = std::fs::read(model.join(name)).unwrap();
        endless(&model, name, "{");
        refused(&format!("ulimit -v {MEMORY}"), &["init", shown(&path), "--encoder", shown(&model)], &[name]);
        std::fs::write(model.join(name), sound).unwrap();
    }
    assert!(!path.exists());
}

#[test]
fn a_small_stack_and_few_descriptors_are_enough() {
    let (folder, index, _) = mini_index("1.1.0");
    let limits = "ulimit -s 256 && ulimit -n 32";
    let other = folder.path().join("other.index");
    done(limits, &["init", shown(&other), "--encoder", shown(&fixture("encoder/tiny-bert"))]);
    for index in [&index, &other] {
        let (old, dutch) = (fixture("mini-esco/1.0.0"), fixture("mini-esco/1.1.0-nl"));
        done(limits, &["ingest", "esco", shown(index), shown(&old), "--release", "1.0.0"]);
        done(limits, &["ingest", "esco", shown(index), shown(&dutch), "--release", "1.1.0"]);
    }
    let reads: [&[&str]; 4] = [
        &["rank", shown(&index), "esco@1.1.0/skill/en", "welder", "nurse"],
        &["info", shown(&index)],
        &["verify", shown(&index)],
        &["diff", shown(&index), "esco/skill/en", "1.0.0", "1.1.0"],
    ];
    reads.iter().for_each(|arguments| drop(done(limits, arguments)));
    done(limits, &["drop", shown(&index), "esco@1.0.0/skill/en"]);
    done(limits, &["compact", shown(&index)]);
    done(limits, &["verify", shown(&index)]);
}

#[test]
fn without_enough_descriptors_the_error_says_so_and_the_index_is_as_it_was() {
    let (_folder, index, _) = mini_index("1.1.0");
    let release = fixture("mini-esco/1.0.0");
    let arguments = ["ingest", "esco", shown(&index), shown(&release), "--release", "1.0.0"];
    let mut failed = 0;
    for descriptors in 3..12 {
        let output = limited(&format!("ulimit -n {descriptors}"), &arguments);
        if output.status.success() {
            break;
        }
        failed += 1;
        // Below this the program cannot even be loaded.
        if output.status.code() == Some(1) {
            assert!(text(&output).contains("Too many open files"), "{descriptors}: {}", text(&output));
        }
        done("true", &["verify", shown(&index)]);
    }
    assert!(failed > 0);
}

#[test]
fn no_folder_for_temporary_files_is_needed() {
    let (_folder, index, _) = mini_index("1.1.0");
    let nowhere = "export TMPDIR=/nonexistent/folder";
    let old = fixture("mini-esco/1.0.0");
    done(nowhere, &["ingest", "esco", shown(&index), shown(&old), "--release", "1.0.0"]);
    done(nowhere, &["rank", shown(&index), "esco/skill/en", "welder"]);
    done(nowhere, &["drop", shown(&index), "esco@1.0.0/skill/en"]);
    done(nowhere, &["compact", shown(&index)]);
    done(nowhere, &["verify", shown(&index)]);
}

//! A ceiling of memory is kept, changes no answer, and is refused when it cannot be kept.

mod common;
#[path = "data/mod.rs"]
mod data;

use common::*;
use workindex::{Error, Forms, IngestOptions, Monitor, RankOptions, ReindexOptions, WorkIndex};

/// What the refusal of a ceiling says is needed, in bytes.
fn least(error: &Error) -> u64 {
    let Error::InvalidOption { option: "memory", expected, .. } = error else { panic!("{error}") };
    let megabytes: u64 = expected.split(' ').find_map(|word| word.parse().ok()).unwrap();
    megabytes * 1_000_000
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_ceiling_changes_nothing_and_one_too_low_is_refused_before_any_work() {
    let release = mini_esco("1.1.0");
    let answers = |memory: Option<u64>| {
        let (_folder, path) = scratch();
        let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
        let options = IngestOptions { forms: Forms::All, memory };
        let report = writer.ingest(&release, &options, &Monitor::silent())?;
        writer.commit().unwrap();
        let index = WorkIndex::open(&path).unwrap();
        assert_intact(&index);
        let space = index.space("esco/skill/en").unwrap();
        let ranking = space.rank("Senior data engineer", &RankOptions::full()).unwrap();
        Ok::<_, Error>((report.embedded, report.truncated, ranking))
    };
    let refused = answers(Some(1)).unwrap_err();
    // Other tests of this process come and go, and what they leave in memory counts.
    let low = answers(Some(least(&refused) + 100_000_000)).unwrap();
    assert_eq!(low, answers(None).unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn a_refused_ceiling_leaves_the_writer_as_it_was() {
    let (_folder, path) = scratch();
    let mut writer = WorkIndex::create(&path, &tiny_encoder()).unwrap();
    ingest(&mut writer, &list_release("1", &["weld", "sing"]));
    let (forms, memory) = (Forms::Preferred, Some(10_000_000));
    let error = writer.ingest(&mini_esco("1.1.0"), &IngestOptions { forms, memory }, &Monitor::silent()).unwrap_err();
    assert!(least(&error) > 10_000_000);
    let encoder = workindex::Encoder::open(&fixture("encoder/tiny-mpnet")).unwrap();
    let error = writer.reindex(&encoder, &ReindexOptions { memory }, &Monitor::silent()).unwrap_err();
    assert!(least(&error) > 10_000_000);
    assert!(!writer.commit().unwrap());
    // Where nothing is embedded nothing is needed.
    let release = list_release("2", &["sing", "weld"]);
    let report = writer.ingest(&release, &IngestOptions { forms, memory }, &Monitor::silent()).unwrap();
    assert_eq!(report.embedded, 0);
    assert!(writer.commit().unwrap());
    assert_intact(&WorkIndex::open(&path).unwrap());
}

/// ESCO with the pretrained encoder in a child process that the kernel refuses more memory than this: of its own (RLIMIT_DATA),
/// and all that it had resident, mapped files included, is compared afterwards.
#[cfg(target_os = "linux")]
#[test]
fn esco_is_ingested_in_512_megabytes() {
    const CEILING: u64 = 512_000_000;
    let (Some(esco), Some(encoder)) = (data::path("esco/1.1.1"), std::env::var_os("WORKINDEX_ENCODER")) else {
        eprintln!("skipped: needs ESCO and a pretrained encoder (WORKINDEX_ENCODER)");
        return;
    };
    let (folder, path) = scratch();
    let program = env!("CARGO_BIN_EXE_workindex");
    let init = std::process::Command::new(program).args(["init"]).arg(&path).arg("--encoder").arg(encoder).status();
    assert!(init.unwrap().success());
    let files = |part: &str| {
        let entries = std::fs::read_dir(&esco).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains(part)).collect::<Vec<_>>()
    };
    let zips = [files("classification"), files("relations")].concat();
    // The shell sets the limit, becomes the program, and its parent reads what `wait4` says of the child.
    let limited = format!("ulimit -d {} && exec \"$@\"", CEILING / 1024);
    let status = folder.path().join("status");
    let script = r#"sh -c "$0" sh "$@" & child=$!
        while kill -0 $child 2>/dev/null; do grep VmHWM /proc/$child/status >> "$STATUS" 2>/dev/null; sleep 0.1; done
        wait $child"#;
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(script).arg(limited).arg(program).args(["--quiet", "ingest", "esco"]).arg(&path).args(&zips);
    command.args(["--release", "1.1.1", "--language", "en", "--memory", "512MB", "--json"]).env("STATUS", &status);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = std::fs::read_to_string(&status).unwrap();
    let kilobytes = said.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let peak = kilobytes.max().unwrap() * 1024;
    eprintln!("at most {} MB resident", peak / 1_000_000);
    assert!(peak > 100_000_000 && peak <= CEILING, "{peak} bytes were resident");
    let index = WorkIndex::open(&path).unwrap();
    assert_eq!(index.space("esco/skill/en").unwrap().len(), 13_896);
    assert_eq!(index.info().unwrap().dead_surface_forms, 0);
}

//! Failures: the exit status, where it went wrong, and what to do about it.

use crate::support::{Fresh, fails, fixture, ok, program, shared, stderr, tiny};

#[test]
fn what_is_not_understood_has_status_2() {
    let index = shared();
    let rank = |args: &[&'static str]| fails(2, &[&["rank", index, "esco/skill/en"], args].concat());
    assert!(rank(&["x", "--temperature", "0"]).contains("at least 0.0001"));
    assert!(rank(&["x", "--temperature=-1"]).contains("temperature"));
    assert!(rank(&["x", "--top", "0"]).contains("from 1 on"));
    assert!(rank(&["x", "--where", "nonsense"]).contains("KEY=VALUE"));
    assert!(rank(&["x", "--rule", "best"]).contains("maxsim"));
    assert!(rank(&["x", "--file", "f"]).contains("cannot be used with"));
    assert!(rank(&[]).contains("--matrices"));
    assert!(fails(2, &["rank", index, "esco/skill", "x"]).contains("ONTOLOGY/KIND/LANGUAGE"));
    fails(2, &["frobnicate"]);
    fails(2, &["init", "/nowhere/i", "--declare", "name"]);
    fails(2, &["encoder", "fetch", "../elsewhere"]);
}

#[test]
fn help_and_version_are_no_failures() {
    assert!(ok(&["--version"]).starts_with("workindex "));
    for verb in [
        "quickstart",
        "init",
        "ingest",
        "reindex",
        "rank",
        "explain",
        "info",
        "diff",
        "verify",
        "drop",
        "compact",
        "backup",
        "upgrade",
        "encoder",
    ] {
        assert!(ok(&["--help"]).contains(verb), "{verb}");
        assert!(ok(&[verb, "--help"]).contains("Usage: workindex"), "{verb}");
    }
}

#[test]
fn errors_name_the_path_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let missing = path("missing.index");
    for args in [vec!["info", &missing], vec!["rank", &missing, "esco/skill/en", "x"], vec!["compact", &missing]] {
        let error = fails(1, &args);
        assert!(
            error.starts_with("error: ") && error.contains(&missing) && error.contains("workindex init"),
            "{error}"
        );
    }
    let error = fails(1, &["init", shared(), "--encoder", &tiny()]);
    assert!(error.contains("already exists") && error.contains("hint: "), "{error}");
    let error = fails(1, &["init", &path("i"), "--encoder", folder.path().to_str().unwrap()]);
    assert!(error.contains("config.json") && error.contains("workindex encoder fetch"), "{error}");
    let error = fails(1, &["rank", shared(), "esco/skill/en", "--file", &path("titles.txt")]);
    assert!(error.contains("titles.txt") && error.contains("No such file"), "{error}");
    let error = fails(1, &["rank", shared(), "esco/skill/nl", "x"]);
    assert!(error.contains("no space `esco/skill/nl`") && error.contains("esco@1.1.0/skill/en"), "{error}");
    let error = fails(1, &["rank", shared(), "esco/skill/en", ""]);
    assert!(error.contains("nothing to embed"), "{error}");

    std::fs::write(path("latin.txt"), b"welder\ncaf\xe9\n").unwrap();
    let error = fails(1, &["rank", shared(), "esco/skill/en", "--file", &path("latin.txt")]);
    assert!(error.contains("latin.txt, line 2") && error.contains("iconv"), "{error}");
}

#[test]
fn a_failed_ingest_leaves_the_index_as_it_was() {
    let index = Fresh::new();
    let table = fixture("tables/skills.csv");
    ok(&["ingest", "table", index.path(), &table, "--space", "ours/skill/en"]);
    let before = ok(&["info", index.path(), "--json"]);
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.csv").display().to_string();
    std::fs::write(&broken, "id,label\n1,\"never closed\n2,x\n").unwrap();
    let error = fails(1, &["ingest", "table", index.path(), &broken, "--space", "ours/skill/en"]);
    assert!(error.contains("broken.csv, row 2"), "{error}");
    let error = fails(1, &["ingest", "esco", index.path(), folder.path().to_str().unwrap()]);
    assert!(error.contains("error: "), "{error}");
    assert_eq!(ok(&["info", index.path(), "--json"]), before);
}

#[test]
fn a_second_writer_is_told_at_once_and_readers_are_not_disturbed() {
    let index = Fresh::new();
    let table = fixture("tables/skills.csv");
    ok(&["ingest", "table", index.path(), &table, "--space", "ours/skill/en"]);
    let writer = workindex::WorkIndex::writer(index.path()).unwrap();
    for args in [
        vec!["ingest", "table", index.path(), &table, "--space", "theirs/skill/en"],
        vec!["drop", index.path(), "ours@1/skill/en"],
        vec!["compact", index.path()],
    ] {
        let error = fails(1, &args);
        assert!(error.contains(index.path()) && error.contains("one writer at a time"), "{error}");
    }
    ok(&["rank", index.path(), "ours/skill/en", "welder"]);
    drop(writer);
    ok(&["compact", index.path()]);
}

#[test]
fn output_to_a_full_disk_is_a_failure() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full here");
        return;
    };
    let program = program();
    let mut command = std::process::Command::new(program.get_program());
    let output = command.args(["info", shared()]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
}

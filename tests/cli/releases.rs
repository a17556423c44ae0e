//! What is done with releases and whole indexes: info, diff, verify, drop, compact, backup, upgrade.

use crate::support::{Fresh, fails, fixture, json, ok, run, stdout};

fn two_releases() -> Fresh {
    let index = Fresh::new();
    for release in ["1.0.0", "1.1.0"] {
        ok(&["ingest", "esco", index.path(), &fixture(&format!("mini-esco/{release}"))]);
    }
    index
}

#[test]
fn info_lists_spaces_encoders_and_sizes() {
    let empty = Fresh::new();
    assert!(ok(&["info", empty.path()]).contains("none yet"));
    let index = two_releases();
    let text = ok(&["info", index.path()]);
    for part in ["esco@1.0.0/skill/en", "esco@1.1.0/occupation/en", "tiny-bert: 32 values per token", "2 segments"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let info = json(&["info", index.path(), "--json"]);
    assert_eq!(info["releases"][1]["spaces"][0]["name"], "esco@1.1.0/skill/en");
    assert_eq!(info["releases"][1]["spaces"][0]["concepts"], 278);
}

#[test]
fn diff_lists_what_changed() {
    let index = two_releases();
    let diff = json(&["diff", index.path(), "esco/skill/en", "1.0.0", "1.1.0", "--json"]);
    let expected = std::fs::read_to_string(fixture("mini-esco/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(diff["relabelled"].as_array().unwrap().len(), 3, "{expected}");
    assert_eq!(diff["added"].as_array().unwrap().len() - diff["removed"].as_array().unwrap().len(), 278 - 274);
    let text = ok(&["diff", index.path(), "esco/skill/en", "1.0.0", "1.1.0", "--list", "1"]);
    assert!(text.contains("relabelled: 3") && text.contains("… and 2 more") && text.contains(" → "), "{text}");
    assert!(text.contains("added: 6") && text.contains("removed: 2"), "{text}");
    let same = ok(&["diff", index.path(), "esco/isco-group/en", "1.0.0", "1.1.0"]);
    assert!(same.contains("171 concepts"), "{same}");
    let unknown = fails(1, &["diff", index.path(), "esco/skill/en", "1.0.0", "9.9"]);
    assert!(unknown.contains("esco@9.9/skill/en") && unknown.contains("esco@1.1.0/skill/en"), "{unknown}");
    fails(2, &["diff", index.path(), "esco@1.0.0/skill/en", "1.0.0", "1.1.0"]);
}

#[test]
fn a_dropped_release_is_gone_and_its_space_comes_back() {
    let index = two_releases();
    fails(2, &["drop", index.path(), "esco/skill/en"]);
    let dropped = ok(&["drop", index.path(), "esco@1.1.0/skill/en"]);
    assert!(dropped.contains("esco@1.1.0/isco-group/en"), "{dropped}");
    assert!(fails(1, &["drop", index.path(), "esco@1.1.0/skill/en"]).contains("no space `esco@1.1.0/skill/en`"));
    let ranked = json(&["rank", index.path(), "esco/skill/en", "welder", "--format", "json"]);
    assert_eq!(ranked[0]["space"], "esco@1.0.0/skill/en", "the newest that is left");
    let before = json(&["info", index.path(), "--json"]);
    assert!(before["dead_surface_forms"].as_u64().unwrap() > 0);
    assert!(ok(&["compact", index.path()]).contains("given back"));
    let after = json(&["info", index.path(), "--json"]);
    assert_eq!(after["dead_surface_forms"], 0);
    assert!(after["surface_forms"].as_u64() < before["surface_forms"].as_u64());
    let ranked = json(&["rank", index.path(), "esco/skill/en", "welder", "--format", "json"]);
    assert_eq!(ranked[0]["hits"].as_array().unwrap().len(), 10);
    assert!(ok(&["verify", index.path()]).contains("is intact"));
}

#[test]
fn verify_finds_a_changed_byte() {
    let index = two_releases();
    assert_eq!(json(&["verify", index.path(), "--json"])["intact"], true);
    let segments = std::path::Path::new(index.path()).join("segments");
    let segment = std::fs::read_dir(&segments).unwrap().next().unwrap().unwrap().path();
    let mut permissions = std::fs::metadata(&segment).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(&segment, permissions).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let output = run(&["verify", index.path()]);
    assert_eq!(output.status.code(), Some(1));
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(stdout(&output).contains("is damaged: 1 problem") && stdout(&output).contains(name), "{}", stdout(&output));
    let output = run(&["verify", index.path(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["intact"], report["problems"].as_array().unwrap().len()), (&false.into(), 1));
}

#[test]
fn a_backup_is_an_index_and_says_what_is_in_it() {
    let index = two_releases();
    let copy = format!("{}.copy", index.path());
    let said = ok(&["backup", index.path(), &copy]);
    assert!(said.contains("verified") && said.contains("2 releases") && said.contains("2 segments"), "{said}");
    assert!(ok(&["verify", &copy]).contains("intact"));
    let rank = |path: &str| json(&["rank", path, "esco/skill/en", "welder", "--format", "json"]);
    assert_eq!(rank(&copy), rank(index.path()));
    assert!(fails(1, &["backup", index.path(), &copy]).contains("already exists"));
    let report = json(&["backup", index.path(), &format!("{copy}2"), "--json"]);
    assert_eq!((report["releases"].as_u64(), report["segments"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn an_index_of_today_needs_no_upgrade() {
    let index = Fresh::new();
    assert!(ok(&["upgrade", index.path()]).contains("already"));
    let report = json(&["upgrade", index.path(), "--json"]);
    assert_eq!(report["from"], report["to"]);
    assert!(fails(1, &["upgrade", "/nowhere/i"]).contains("workindex init"));
}

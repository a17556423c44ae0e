//! `workindex reindex`, and ceilings of memory.

use crate::support::{Fresh, fails, fixture, json, ok};

fn with_a_release() -> Fresh {
    let index = Fresh::new();
    ok(&["ingest", "esco", index.path(), &fixture("mini-esco/1.1.0")]);
    index
}

#[test]
fn an_index_is_reindexed_and_says_so() {
    let index = with_a_release();
    let model = fixture("encoder/tiny-mpnet");
    let before = json(&["info", index.path(), "--json"]);
    let report = json(&["reindex", index.path(), "--encoder", &model, "--json"]);
    assert_eq!((&report["unchanged"], &report["previous"]), (&false.into(), &"tiny-bert".into()));
    assert_eq!((&report["encoder"], &report["releases"]), (&"tiny-mpnet".into(), &1.into()));
    assert_eq!(report["embedded"], before["surface_forms"]);
    let info = json(&["info", index.path(), "--json"]);
    let current = info["encoders"].as_array().unwrap().iter().find(|encoder| encoder["current"] == true).unwrap();
    assert_eq!(current["fingerprint"], report["fingerprint"]);
    assert_eq!(info["releases"][0]["encoder"], report["fingerprint"]);
    let bytes = info["reclaimable_bytes"].as_u64().unwrap();
    assert!(bytes > before["reclaimable_bytes"].as_u64().unwrap());
    assert!(ok(&["info", index.path()]).contains("`workindex compact` would give"));
    ok(&["compact", index.path()]);
    let after = json(&["info", index.path(), "--json"]);
    assert_eq!(after["encoders"].as_array().unwrap().len(), 1);
    assert!(after["reclaimable_bytes"].as_u64().unwrap() < bytes / 4);
    assert!(ok(&["reindex", index.path(), "--encoder", &model]).contains("unchanged"));
    let text = ok(&["reindex", index.path(), "--encoder", &model, "--precision", "bf16"]);
    assert!(text.contains("from tiny-mpnet to tiny-mpnet: 1 release") && text.contains("texts/s"), "{text}");
    assert!(ok(&["verify", index.path()]).contains("is intact"));
}

#[test]
fn what_cannot_be_reindexed_says_why() {
    let index = with_a_release();
    let model = fixture("encoder/tiny-mpnet");
    fails(2, &["reindex", index.path(), "--encoder", &model, "--memory", "much"]);
    assert!(fails(1, &["reindex", index.path(), "--encoder", &fixture("mini-esco")]).contains("not a model directory"));
    fails(1, &["reindex", &fixture("mini-esco"), "--encoder", &model]);
    if cfg!(target_os = "linux") {
        let refused = fails(1, &["reindex", index.path(), "--encoder", &model, "--memory", "1MB"]);
        assert!(refused.contains("memory: expected at least") && refused.contains("found 1 MB"), "{refused}");
        let empty = Fresh::new();
        let release = fixture("mini-esco/1.1.0");
        let refused = fails(1, &["ingest", "esco", empty.path(), &release, "--memory", "20MB"]);
        assert!(refused.contains("memory: expected at least"), "{refused}");
        ok(&["ingest", "esco", empty.path(), &release, "--memory", "1GiB"]);
    }
    assert_eq!(json(&["info", index.path(), "--json"])["encoders"][0]["name"], "tiny-bert");
}

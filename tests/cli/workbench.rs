//! `workindex eval`, `compare` and `score`.

use serde_json::Value;

use crate::data_folder::data_folder;
use crate::support::{fails, ok, run, stderr, tiny};

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[test]
fn an_encoder_is_judged_and_compared() {
    let (data, results) = (data_folder(), tempfile::tempdir().unwrap());
    let data = data.path().display().to_string();
    let (one, other) = (path(&results, "one"), path(&results, "other"));
    let eval = |out: &str, more: &[&str]| {
        let mut args = vec!["eval", "--data", &data, "--out", out, "--split", "validation", "--replicates", "50"];
        args.extend(more);
        run(&args)
    };
    let output = eval(&one, &["--encoder", &tiny(), "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    for words in
        ["job2skill", "skill-extraction/house", "onet-title/to-occupation", "macro, 6 of 6", "RP@10", "queries/s"]
    {
        assert!(table.contains(words), "{words} in\n{table}");
    }
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("skill-extraction/techwolf: missing: no workbench/skill_extraction/techwolf"), "{notes}");
    let report = std::fs::read_to_string(results.path().join("one/report.md")).unwrap();
    assert!(report.contains("## Missing") && report.contains("encoder tiny-bert"), "{report}");
    let json: Value = serde_json::from_slice(&std::fs::read(results.path().join("one/results.json")).unwrap()).unwrap();
    assert_eq!(json["runs"][0]["asked"]["split"], "validation");
    assert!(std::fs::read_to_string(results.path().join("one/plot.svg")).unwrap().starts_with("<svg"));
    // Again: nothing is judged twice, and the answer is the same.
    let again = eval(&one, &["--encoder", &tiny()]);
    assert!(
        stderr(&again).contains("job2skill: judged before") && !stderr(&again).contains("done in"),
        "{}",
        stderr(&again)
    );
    assert_eq!(String::from_utf8(again.stdout).unwrap(), table);
    let output = eval(&other, &["--baseline", "bm25,tfidf-char", "--task", "job2skill,skill-extraction"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let compared =
        ok(&["compare", &one, &format!("lexical={other}"), "--out", &path(&results, "both"), "--metric", "rp@7"]);
    for words in ["RP@7, %", "one: default", "lexical: tfidf-char", "–"] {
        assert!(compared.contains(words), "{words} in\n{compared}");
    }
    let report = std::fs::read_to_string(results.path().join("both/report.md")).unwrap();
    assert!(report.contains("More than `one: default`"), "{report}");
}

#[test]
fn what_cannot_be_judged_says_why() {
    let (data, results) = (data_folder(), tempfile::tempdir().unwrap());
    let data = data.path().display().to_string();
    let out = path(&results, "out");
    let eval = |status, more: &[&str]| {
        let mut args = vec!["eval", "--data", &data, "--out", &out];
        args.extend(more);
        fails(status, &args)
    };
    assert!(eval(2, &[]).contains("--encoder"));
    assert!(eval(2, &["--rule", "soft", "--baseline", "bm25"]).contains("--encoder"));
    assert!(eval(2, &["--baseline", "bm99"]).contains("tfidf-char"));
    assert!(eval(2, &["--baseline", "bm25", "--task", "jobs"]).contains("job2skill"));
    assert!(eval(2, &["--baseline", "bm25", "--metric", "rp@0"]).contains("rp@K"));
    assert!(eval(2, &["--encoder", &tiny(), "--temperature", "0"]).contains("temperature"));
    assert!(eval(2, &["--encoder", &tiny(), "--threads", "0"]).contains("--threads"));
    assert!(eval(1, &["--baseline", "bm25", "--esco", "9.9.9"]).contains("1.0.0, 1.1.0"));
    assert!(eval(1, &["--baseline", "bm25", "--task", "skill-extraction", "--language", "nl"]).contains("nl"));
    let empty = path(&results, "empty");
    assert!(
        fails(1, &["eval", "--data", &empty, "--baseline", "bm25", "--out", &out]).contains("esco/, onet/, workbench/")
    );
    std::fs::create_dir_all(results.path().join("empty/workbench")).unwrap();
    let nothing = fails(1, &["eval", "--data", &empty, "--baseline", "bm25", "--out", &out]);
    assert!(nothing.contains("none of the sets") && nothing.contains("missing"), "{nothing}");
    assert!(fails(1, &["compare", &empty]).contains("run.json"));
    assert!(fails(1, &["compare", "a/x", "b/x"]).contains("run.json"));
}

/// The numbers of a NumPy file of float32, row by row.
fn read_npy(bytes: &[u8]) -> (String, Vec<f32>) {
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..10 + length].to_vec()).unwrap();
    let values = bytes[10 + length..].as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (header, values)
}

#[test]
fn all_pairs_are_scored_as_rankings_score_them() {
    let folder = tempfile::tempdir().unwrap();
    let (queries, targets, out) = (path(&folder, "q.txt"), path(&folder, "t.jsonl"), path(&folder, "scores.npy"));
    std::fs::write(&queries, "data engineer\r\n\nwelder\n").unwrap();
    std::fs::write(&targets, "\"arc welding\"\n\"SQL\\nand ETL\"\n\" arc welding \"\n\"\"\n").unwrap();
    let base = ["--encoder", &tiny(), "--queries", &queries, "--targets", &targets, "--out", &out];
    let score = |more: &[&str]| {
        ok(&[&["score"], &base[..], more].concat());
        read_npy(&std::fs::read(&out).unwrap())
    };
    let (header, scores) = score(&["--query-kind", "occupation", "--target-kind", "skill"]);
    assert!(header.contains("'descr': '<f4'") && header.contains("(3, 4)"), "{header}");
    assert_eq!(scores.len(), 12);
    assert!(scores[4..8].iter().all(|score| *score == -1.0));
    assert!([3, 7, 11].iter().all(|at| scores[*at] == -1.0));
    for row in [0, 8] {
        assert_eq!(scores[row].to_bits(), scores[row + 2].to_bits());
        assert!(scores[row].abs() <= 1.0 && scores[row] != scores[row + 1]);
    }
    // The same as in a ranking of an index.
    let index = path(&folder, "work.index");
    let list = path(&folder, "list.csv");
    std::fs::write(&list, "label\narc welding\n\"SQL\nand ETL\"\n").unwrap();
    ok(&["init", &index, "--encoder", &tiny()]);
    ok(&["ingest", "table", &index, &list, "--space", "l/skill/en"]);
    let ranking = ok(&["rank", &index, "l/skill/en", "welder", "--format", "csv"]);
    let first = ranking.lines().find(|line| line.contains(",arc welding,")).unwrap();
    let score_of: f32 = first.split(',').nth(2).unwrap().parse().unwrap();
    assert_eq!(score_of.to_bits(), scores[8].to_bits());
    let (_, by_mean) = score(&["--rule", "mean", "--threads", "1"]);
    assert_ne!(by_mean[0], scores[0]);
    // Nothing but what was asked for is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
}

#[test]
fn texts_that_cannot_be_scored_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad, out) = (path(&folder, "q.txt"), path(&folder, "t.jsonl"), path(&folder, "scores.npy"));
    std::fs::write(&good, "data engineer\n").unwrap();
    let score =
        |status| fails(status, &["score", "--encoder", &tiny(), "--queries", &good, "--targets", &bad, "--out", &out]);
    std::fs::write(&bad, "\"a\"\nb\n").unwrap();
    assert!(score(1).contains("t.jsonl, line 2: a JSON string is expected"));
    std::fs::write(&bad, "\"a\"\n\"\\ud800\"\n").unwrap();
    assert!(score(1).contains("line 2"));
    std::fs::write(&bad, b"\"a\"\n\"\xff\"\n").unwrap();
    assert!(score(1).contains("line 2: not UTF-8"));
    std::fs::remove_file(&bad).unwrap();
    assert!(score(1).contains("cannot read"));
    assert!(!std::path::Path::new(&out).exists());
}

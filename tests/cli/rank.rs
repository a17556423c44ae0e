//! Ranking: the four formats, texts from everywhere, conditions, rules.

use serde_json::Value;

use crate::support::{fails, fixture, json, ok, program, run, shared, stderr, stdout};

const SKILLS: &str = "esco/skill/en";

fn rank<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["rank", shared(), SKILLS], args].concat()
}

fn labels(args: &[&str]) -> Vec<String> {
    let line: Value = serde_json::from_str(&ok(&[&rank(args)[..], &["--format", "jsonl"]].concat())).unwrap();
    line["hits"].as_array().unwrap().iter().map(|hit| hit["label"].as_str().unwrap().to_string()).collect()
}

#[test]
fn jsonl_has_exactly_the_promised_shape() {
    let printed = ok(&rank(&["weld metal", "Say \"cheese\"", "--top", "2", "--format", "jsonl"]));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2);
    // Of a text that is a label; keys in this order.
    let first: Value = serde_json::from_str(lines[0]).unwrap();
    let hit = &first["hits"][0];
    let expected = format!(
        "{{\"query\":\"weld metal\",\"hits\":[{{\"rank\":1,\"score\":{},\"id\":{},\"label\":\"weld metal\",\"exact\":\"preferred\"}},",
        hit["score"], hit["id"]
    );
    assert!(lines[0].starts_with(&expected), "{}\n{expected}", lines[0]);
    // Without an exact hit there is no such key.
    let second: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(second["query"], "Say \"cheese\"");
    let keys: Vec<&String> = second["hits"][1].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert_eq!(second["hits"][1]["rank"], 2);
    assert_eq!(second.as_object().unwrap().len(), 2);
}

#[test]
fn csv_and_json_say_the_same_as_jsonl() {
    let args = ["a, \"quoted\" text", "weld metal", "--top", "3", "--format"];
    let jsonl = ok(&rank(&[&args[..], &["jsonl"]].concat()));
    let lines: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let array = json(&rank(&[&args[..], &["json"]].concat()));
    assert_eq!(array.as_array().unwrap().len(), 2);
    assert_eq!(array[0]["hits"], lines[0]["hits"]);
    assert_eq!(array[1]["space"], "esco@1.1.0/skill/en");

    let printed = ok(&rank(&[&args[..], &["csv"]].concat()));
    let mut reader = csv::Reader::from_reader(printed.as_bytes());
    assert_eq!(reader.headers().unwrap(), ["query", "rank", "score", "id", "label", "exact"].as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for (row, at) in rows.iter().zip(0..) {
        let (line, hit) = (&lines[at / 3], &lines[at / 3]["hits"][at % 3]);
        assert_eq!(row[0], *line["query"].as_str().unwrap());
        assert_eq!((row[1].to_string(), row[2].to_string()), (hit["rank"].to_string(), hit["score"].to_string()));
        assert_eq!((&row[3], &row[4]), (hit["id"].as_str().unwrap(), hit["label"].as_str().unwrap()));
        assert_eq!(&row[5], hit["exact"].as_str().unwrap_or_default());
    }
}

#[test]
fn a_table_is_for_people() {
    let output = run(&rank(&["weld metal", "baker", "--top", "3"]));
    let table = stdout(&output);
    assert!(table.starts_with("weld metal\n rank"), "{table}");
    let line: Value = serde_json::from_str(&ok(&rank(&["weld metal", "--top", "1", "--format", "jsonl"]))).unwrap();
    let score = line["hits"][0]["score"].as_f64().unwrap();
    assert!(table.contains(&format!("    1  {score:.4}  weld metal ")) && table.contains("  preferred\n"), "{table}");
    assert!(table.contains("\n\nbaker\n") && !table.contains('\x1b'), "{table}");
    assert_eq!(stderr(&output).matches("This service uses the ESCO classification").count(), 1);
    assert!(stderr(&run(&rank(&["baker", "--quiet"]))).is_empty());
}

#[test]
fn lines_come_from_standard_input_and_from_files() {
    let text = "\u{feff}weld metal\r\n\r\nbaker\n\u{7}\u{1}\n";
    let args = rank(&["--file", "-", "--top", "1", "--format", "jsonl"]);
    let output = program().args(&args).write_stdin(text).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert!(
        printed.starts_with("{\"query\":\"weld metal\",") && printed.contains("{\"query\":\"baker\","),
        "{printed}"
    );
    let notes = stderr(&output);
    assert!(notes.contains("standard input, line 2 skipped") && notes.contains("line 4 skipped"), "{notes}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    assert_eq!(ok(&rank(&["--file", file.path().to_str().unwrap(), "--top", "1", "--format", "jsonl"])), printed);
    let empty = program().args(rank(&["--file", "-", "--format", "json"])).write_stdin("").output().unwrap();
    assert_eq!(stdout(&empty), "[]\n");
}

#[test]
fn a_file_longer_than_a_part_is_ranked_in_order() {
    let text: String = (0..600).map(|number| format!("welder number {number}\n")).collect();
    let args = rank(&["--file", "-", "--top", "1", "--format", "json"]);
    let output = program().args(args).write_stdin(text).output().unwrap();
    let array: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let queries: Vec<&str> = array.as_array().unwrap().iter().map(|entry| entry["query"].as_str().unwrap()).collect();
    assert_eq!(queries.len(), 600);
    assert!(queries.iter().zip(0..).all(|(query, number)| *query == format!("welder number {number}")));
}

#[test]
fn conditions_choose_concepts() {
    let all = labels(&["welder", "--top", "all"]);
    assert_eq!(all.len(), 278);
    let knowledge = labels(&["welder", "--top", "all", "--where", "skillType=knowledge"]);
    assert_eq!(knowledge.len(), 55);
    let either = ["--where", "skillType=knowledge", "--where", "skillType=skill/*"];
    assert_eq!(labels(&[&["welder", "--top", "all"], &either[..]].concat()).len(), 278);
    let both = ["--where", "skillType=knowledge", "--where", "reuseLevel=transversal"];
    let both = labels(&[&["welder", "--top", "all"], &both[..]].concat());
    assert!(!both.is_empty() && both.len() < 18 && both.iter().all(|label| knowledge.contains(label)), "{both:?}");

    let hit: Value = serde_json::from_str(&ok(&rank(&["weld metal", "--top", "1", "--format", "jsonl"]))).unwrap();
    let id = hit["hits"][0]["id"].as_str().unwrap().to_string();
    assert_eq!(labels(&["baker", "--where", &format!("id={id}")]), ["weld metal"]);
    let below = labels(&["baker", "--top", "all", "--where", &format!("below={id}")]);
    assert!(below.contains(&"weld metal".to_string()) && below.len() < 20, "{below:?}");

    let none = run(&rank(&["baker", "--where", "skillType=nothing", "--format", "jsonl"]));
    assert_eq!(stdout(&none), "{\"query\":\"baker\",\"hits\":[]}\n");
    assert!(stderr(&none).contains("no concept of the space meets the conditions"));
    let unknown = fails(1, &rank(&["baker", "--where", "colour=red"]));
    assert!(unknown.contains("`colour`") && unknown.contains("reuseLevel, skillType"), "{unknown}");
}

#[test]
fn every_rule_and_option_reaches_the_score() {
    let score = |args: &[&str]| {
        let args = [&rank(&["senior data engineer", "--top", "1", "--format", "jsonl"])[..], args].concat();
        let line: Value = serde_json::from_str(&ok(&args)).unwrap();
        line["hits"][0]["score"].to_string()
    };
    let variants: [&[&str]; 8] = [
        &[],
        &["--temperature", "0.5"],
        &["--weights", "raw"],
        &["--direction", "query"],
        &["--direction", "target"],
        &["--rule", "maxsim"],
        &["--rule", "context"],
        &["--rule", "mean"],
    ];
    let scores: std::collections::BTreeSet<String> = variants.into_iter().map(score).collect();
    assert_eq!(scores.len(), variants.len(), "{scores:?}");
    assert_eq!(score(&["--rule", "soft", "--temperature", "0.1", "--direction", "both"]), score(&[]));
    let note = stderr(&run(&rank(&["x", "--rule", "mean", "--temperature", "1"])));
    assert!(note.contains("--temperature plays no part"), "{note}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "welder\n".repeat(1000)).unwrap();
    let args = rank(&["--file", file.path().to_str().unwrap(), "--top", "all"]);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("workindex"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "welder\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn the_rule_of_the_model_is_used_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("i").display().to_string();
    ok(&["init", &index, "--encoder", &fixture("encoder/tiny-colbert")]);
    ok(&["ingest", "table", &index, &fixture("tables/skills.txt"), "--space", "ours/skill/en"]);
    let rule = |args: &[&str]| {
        let args = [&["rank", &index, "ours/skill/en", "welder", "--format", "json"][..], args].concat();
        json(&args)[0]["rule"].clone()
    };
    let said = rule(&[]);
    assert_eq!((&said["interaction"], &said["direction"]), (&"max_sim".into(), &"query".into()));
    let said = rule(&["--direction", "both"]);
    assert_eq!((&said["interaction"], &said["direction"]), (&"max_sim".into(), &"both".into()));
    let said = rule(&["--rule", "soft", "--temperature", "0.5"]);
    let soft = (&"soft".into(), &"query".into(), &0.5.into());
    assert_eq!((&said["interaction"], &said["direction"], &said["temperature"]), soft);
    let explained = json(&["explain", &index, "ours/skill/en", "welder", "work on ropes", "--json"]);
    assert_eq!(explained["rule"]["interaction"], "max_sim");
    assert_eq!(explained["query_tokens"].as_array().unwrap().len(), 16);
}

#[test]
fn the_kind_of_the_query_chooses_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("i").display().to_string();
    ok(&["init", &index, "--encoder", &fixture("encoder/tiny-asym")]);
    ok(&["ingest", "table", &index, &fixture("tables/skills.txt"), "--space", "ours/skill/en"]);
    let label = "work on ropes";
    let score = |kind: &[&str]| {
        let args = [&["rank", &index, "ours/skill/en", label, "--top", "all", "--format", "json"][..], kind].concat();
        let hits = json(&args)[0]["hits"].clone();
        hits.as_array().unwrap().iter().find(|hit| hit["label"] == label).unwrap()["score"].as_f64().unwrap()
    };
    assert!((score(&["--query-kind", "skill"]) - 1.0).abs() < 1e-3);
    assert!(score(&[]) < 0.99);
    assert_eq!(score(&["--query-kind", "occupation"]), score(&[]));
    fails(2, &["rank", &index, "ours/skill/en", label, "--query-kind", "a b/c"]);
}

//! Explaining: on the terminal, as JSON, as a page that nothing in a text can break out of.

use std::path::Path;

use serde_json::Value;

use crate::support::{Fresh, fails, json, ok, run, shared, stderr, stdout};

const SKILLS: &str = "esco/skill/en";

fn explain<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["explain", shared(), SKILLS], args].concat()
}

/// The best hit for a text.
fn best(text: &str, rule: &[&str]) -> Value {
    let args = [&["rank", shared(), SKILLS, text, "--top", "1", "--format", "jsonl"], rule].concat();
    let line: Value = serde_json::from_str(&ok(&args)).unwrap();
    line["hits"][0].clone()
}

fn page(folder: &Path, args: &[&str]) -> String {
    let path = folder.join("why.html");
    let path_text = path.display().to_string();
    ok(&explain(&[args, &["--html", &path_text]].concat()));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn json_has_the_promised_shape_and_the_score_of_rank() {
    for rule in [&[][..], &["--rule", "maxsim", "--direction", "query"], &["--rule", "context"], &["--rule", "mean"]] {
        let hit = best("Senior data engineer", rule);
        let id = hit["id"].as_str().unwrap();
        let value = json(&explain(&[&["Senior data engineer", id, "--json"], rule].concat()));
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        let expected =
            ["query", "truncated", "query_tokens", "space", "target", "id", "label", "rule", "score", "forms"];
        assert!(expected.iter().chain(&["other_forms"]).all(|key| keys.iter().any(|k| k == key)), "{keys:?}");
        assert_eq!(keys.len(), 11);
        assert_eq!((&value["id"], &value["label"]), (&hit["id"], &hit["label"]));
        let (score, expected) = (value["score"].as_f64().unwrap(), hit["score"].as_f64().unwrap());
        assert!((score - expected).abs() < 1e-5, "{rule:?}: {score} {expected}");
        let parts = value["forms"].as_array().unwrap().iter().map(|form| {
            let comparisons = form["comparisons"].as_array().unwrap().iter();
            let rows = comparisons.flat_map(|comparison| comparison["contributions"].as_array().unwrap());
            let cells = rows.flat_map(|row| row.as_array().unwrap()).map(|cell| cell.as_f64().unwrap());
            form["part"].as_f64().unwrap() * cells.sum::<f64>()
        });
        assert!((parts.sum::<f64>() - score).abs() < 1e-9);
    }
}

#[test]
fn the_text_is_for_people() {
    let output = run(&explain(&["weld metal", "weld metal"]));
    let text = stdout(&output);
    assert!(text.starts_with("weld metal → weld metal\nesco@1.1.0/skill/en  http"), "{text}");
    assert!(text.contains("\nscore 0.9") && text.contains("* adds at least 5 % of the score"), "{text}");
    assert!(text.contains("1.00*") && text.contains("█") && text.contains(" %\n"), "{text}");
    assert!(text.contains("other labels of the concept") && !text.contains('\x1b'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(stderr(&output).matches("This service uses the ESCO classification").count(), 1);
    assert!(stderr(&run(&explain(&["weld metal", "weld metal", "--quiet"]))).is_empty());
    let long = "weld metal and bake bread for the people of the town ".repeat(10);
    assert!(ok(&explain(&[&long, "weld metal"])).contains("its end plays no part"));
}

#[test]
fn a_concept_is_named_by_id_or_by_a_label_that_it_alone_has() {
    let by_label = json(&explain(&["welder", " Weld METAL ", "--json"]));
    let id = by_label["id"].as_str().unwrap();
    assert_eq!(json(&explain(&["welder", id, "--json"])), by_label);

    let index = Fresh::new();
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("skills.csv").display().to_string();
    std::fs::write(&table, "id,label\ns1,weld\ns2,weld\ns3,bake\n").unwrap();
    ok(&["ingest", "table", index.path(), &table, "--space", "ours/skill/en"]);
    let error = fails(1, &["explain", index.path(), "ours/skill/en", "x", "weld"]);
    assert!(error.contains("2 concepts") && error.contains("s1") && error.contains("s2"), "{error}");
    assert!(error.contains("hint: give the id"), "{error}");
    // An id comes before a label.
    std::fs::write(&table, "id,label\ns1,s2\ns2,weld\n").unwrap();
    ok(&["ingest", "table", index.path(), &table, "--space", "theirs/skill/en"]);
    assert_eq!(json(&["explain", index.path(), "theirs/skill/en", "x", "s2", "--json"])["label"], "weld");
}

#[test]
fn what_cannot_be_explained_has_a_status_and_a_way_out() {
    let error = fails(1, &explain(&["welder", "no such concept"]));
    assert!(error.contains("no concept with the id `no such concept` in esco@1.1.0/skill/en"), "{error}");
    assert!(error.contains("hits") && error.contains("workindex rank"), "{error}");
    assert!(fails(1, &explain(&["", "weld metal"])).contains("nothing to embed"));
    assert!(fails(2, &explain(&["welder", "weld metal", "--temperature", "0"])).contains("at least 0.0001"));
    fails(2, &explain(&["welder"]));
    assert!(ok(&["--help"]).contains("explain") && ok(&["explain", "--help"]).contains("preferred label"));
}

#[test]
fn the_page_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), &["weld metal", "weld metal"]);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for nothing in ["<script", "<link", "<img", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(nothing), "{nothing}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    assert!(
        page.contains("<h1><bdi>weld metal</bdi>") && page.contains("class=\"c9 strong\" title=\"wel × wel: cosine"),
        "{page}"
    );
    assert!(page.contains("This service uses the ESCO classification") && page.contains("The labels of the concept"));
    // Every element that is opened is closed.
    for element in ["main", "header", "section", "div", "table", "tbody", "tr", "td", "th", "p", "ul", "li", "figure"] {
        let opened = page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element}");
    }
    // Replaced as a whole; nothing is left beside it.
    self::page(folder.path(), &["baker", "weld metal", "--json"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(std::fs::read_to_string(folder.path().join("why.html")).unwrap().contains("<bdi>baker</bdi>"));
}

#[test]
fn nothing_in_a_text_breaks_out_of_the_page() {
    let index = Fresh::new();
    let folder = tempfile::tempdir().unwrap();
    let (table, html) = (folder.path().join("skills.csv"), folder.path().join("why.html"));
    let evil = "<script>alert('x')</script> & \"quoted\"";
    std::fs::write(&table, format!("id,label\n\"<i id='1'>\",\"{}\"\n", evil.replace('"', "\"\""))).unwrap();
    ok(&["ingest", "table", index.path(), table.to_str().unwrap(), "--space", "ours/skill/en"]);
    let html_path = html.to_str().unwrap();
    for rule in ["soft", "maxsim", "context", "mean"] {
        ok(&["explain", index.path(), "ours/skill/en", evil, "<i id='1'>", "--rule", rule, "--html", html_path]);
        let page = std::fs::read_to_string(&html).unwrap();
        assert!(!page.contains("<script") && !page.contains("<i id") && !page.contains("\"quoted\""), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;"), "{page}");
        assert!(page.contains("&lt;i id=&#39;1&#39;&gt;"), "{page}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(1, &explain(&["baker", "weld metal", "--html", folder.path().to_str().unwrap()]));
    assert!(error.contains("is a folder") && error.contains("hint: "), "{error}");
    let missing = folder.path().join("missing/why.html").display().to_string();
    let error = fails(1, &explain(&["baker", "weld metal", "--html", &missing]));
    assert!(error.contains(&format!("cannot write {missing}")), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

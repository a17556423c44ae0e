//! Ingesting: ESCO, O*NET, tables and token matrices, from files and from standard input.

use serde_json::Value;

use crate::support::{Fresh, fails, fixture, json, ok, program, run, stderr, stdout, tiny};

fn expected(ontology: &str) -> Value {
    let text = std::fs::read_to_string(fixture(&format!("{ontology}/expected.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn concepts(report: &Value, space: &str) -> Value {
    let spaces = report["spaces"].as_array().unwrap();
    spaces.iter().find(|entry| entry["space"] == space).unwrap_or_else(|| panic!("{space}: {report}"))["concepts"]
        .clone()
}

#[test]
fn releases_of_esco_follow_each_other() {
    let index = Fresh::new();
    let expected = &expected("mini-esco")["releases"];
    let first = json(&["ingest", "esco", index.path(), &fixture("mini-esco/1.0.0"), "--json"]);
    assert_eq!(concepts(&first, "esco@1.0.0/skill/en"), expected["1.0.0"]["skills"]);
    assert_eq!(first["relations"], expected["1.0.0"]["relations"]);
    assert_eq!(first["embedded"], first["texts"]);
    assert_eq!(first["previous"], Value::Null);

    let second = json(&["ingest", "esco", index.path(), &fixture("mini-esco/1.1.0"), "--json"]);
    assert_eq!(concepts(&second, "esco@1.1.0/occupation/en"), expected["1.1.0"]["occupations"]);
    assert_eq!(second["previous"], "1.0.0");
    assert!(second["embedded"].as_u64().unwrap() < 20, "only what changed: {second}");
    assert_eq!(second["read"]["defects"][0]["count"], expected["1.1.0"]["dangling_occupation_skill_rows"]);
    assert_eq!(second["unchanged"], false);

    let again = json(&["ingest", "esco", index.path(), &fixture("mini-esco/1.1.0"), "--json"]);
    assert_eq!((&again["unchanged"], &again["embedded"]), (&Value::Bool(true), &Value::from(0)));
}

#[test]
fn the_report_for_people_names_files_defects_and_the_attribution() {
    let index = Fresh::new();
    let report = ok(&["ingest", "esco", index.path(), &fixture("mini-esco/1.1.0"), "--forms", "all"]);
    for part in ["skills_en.csv", "278", "occupationSkillRelations.csv: 9 relations with an unknown end, left out"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(
        report.contains("row 8") && report.contains("texts/s") && report.contains("esco@1.1.0/skill/en"),
        "{report}"
    );
    assert!(report.contains("This service uses the ESCO classification"), "{report}");
}

#[test]
fn another_language_is_another_space() {
    let index = Fresh::new();
    let path = fixture("mini-esco/1.1.0-nl");
    let report = json(&["ingest", "esco", index.path(), &path, "--release", "1.1.0", "--language", "nl", "--json"]);
    assert_eq!(concepts(&report, "esco@1.1.0/skill/nl"), 42);
}

#[test]
fn onet_is_read_with_its_release() {
    let index = Fresh::new();
    let report = json(&["ingest", "onet", index.path(), &fixture("mini-onet/29.0"), "--json"]);
    assert_eq!(concepts(&report, "onet@29.0/occupation/en"), 29);
    assert!(report["attribution"].as_str().unwrap().contains("O*NET"), "{report}");
    let hits = ok(&["rank", index.path(), "onet/task/en", "weld pipes", "--top", "2", "--format", "jsonl"]);
    assert_eq!(hits.matches("\"rank\"").count(), 2);
}

#[test]
fn a_table_is_the_same_in_every_format() {
    let index = Fresh::new();
    let mut embedded = Vec::new();
    for ending in ["csv", "tsv", "jsonl", "txt"] {
        let space = format!("{ending}/skill/en");
        let report = json(&[
            "ingest",
            "table",
            index.path(),
            &fixture(&format!("tables/skills.{ending}")),
            "--space",
            &space,
            "--release",
            "2026-11",
            "--json",
        ]);
        assert_eq!(concepts(&report, &format!("{ending}@2026-11/skill/en")), 25);
        embedded.push(report["embedded"].as_u64().unwrap());
    }
    assert_eq!(embedded, [25, 0, 0, 0], "equal labels are embedded once");
}

#[test]
fn a_table_comes_from_standard_input() {
    let index = Fresh::new();
    let args = ["ingest", "table", index.path(), "-", "--space", "ours/skill/en", "--json"];
    let plain = [&args[..], &["--table-format", "plain"]].concat();
    let output = program().args(plain).write_stdin("arc welding\nbaking\n").output().unwrap();
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(concepts(&report, "ours@1/skill/en"), 2);
    assert!(fails(2, &args).contains("--table-format"));
}

/// Writes token matrices of `dim` values, one of two rows for each text.
fn write_matrices(path: &std::path::Path, texts: usize, dim: usize) {
    use safetensors::tensor::{Dtype, TensorView};
    let value = |i: usize| ((i * 7919 % 1000) as f32 / 500.0 - 1.0).to_le_bytes();
    let tokens: Vec<u8> = (0..texts * 2 * dim).flat_map(value).collect();
    let offsets: Vec<u8> = (0..=texts as i64).flat_map(|text| (text * 2).to_le_bytes()).collect();
    let tensors = [
        ("tokens", TensorView::new(Dtype::F32, vec![texts * 2, dim], &tokens).unwrap()),
        ("offsets", TensorView::new(Dtype::I64, vec![texts + 1], &offsets).unwrap()),
    ];
    std::fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

#[test]
fn token_matrices_made_elsewhere_are_ingested_and_ranked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (index, matrices, table) = (path("i"), path("m.safetensors"), fixture("tables/skills.csv"));
    write_matrices(matrices.as_ref(), 25, 8);
    ok(&["init", &index, "--declare", "house-model", "--dim", "8"]);
    let ingest = ["ingest", "table", &index, &table, "--space", "ours/skill/en"];
    assert!(fails(1, &ingest).contains("declared"), "a declared encoder embeds nothing");
    ok(&[&ingest[..], &["--matrices", &matrices]].concat());
    // Every matrix finds the concept that it was ingested for.
    let ranked = ok(&["rank", &index, "ours/skill/en", "--matrices", &matrices, "--top", "1", "--format", "jsonl"]);
    let mut rows = csv::Reader::from_path(&table).unwrap();
    let ids: Vec<String> = rows.records().map(|row| row.unwrap()[0].to_string()).collect();
    assert_eq!((ranked.lines().count(), ids.len()), (25, 25));
    for ((line, id), number) in ranked.lines().zip(ids).zip(1..) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["query"], &line["hits"][0]["id"]), (&format!("matrix {number}").into(), &id.into()));
    }
    assert!(fails(1, &["rank", &index, "ours/skill/en", "welder"]).contains("house-model"));
}

#[test]
fn the_settings_of_an_encoder_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("i").display().to_string();
    ok(&["init", &index, "--encoder", &tiny(), "--max-tokens", "8", "--keep-special-tokens"]);
    let info = json(&["info", &index, "--json"]);
    assert_eq!((&info["encoders"][0]["max_tokens"], &info["encoders"][0]["special_tokens"]), (&8.into(), &true.into()));
    ok(&["ingest", "table", &index, &fixture("tables/skills.txt"), "--space", "ours/skill/en"]);
    let long = "weld ".repeat(20);
    let ranked = json(&["rank", &index, "ours/skill/en", &long, "--format", "json"]);
    assert_eq!(ranked[0]["truncated"], true);
    assert!(ok(&["rank", &index, "ours/skill/en", &long]).contains("longer than the encoder reads"));
    // Formats without a place for it: beside the output.
    for format in ["csv", "jsonl"] {
        let args = ["rank", &index, "ours/skill/en", &long, "--format", format];
        let (cut, whole) = (run(&args), run(&["rank", &index, "ours/skill/en", "weld", "--format", format]));
        assert!(stderr(&cut).contains("longer than the encoder reads") && !stdout(&cut).contains("longer"), "{format}");
        assert!(!stderr(&whole).contains("longer"), "{format}");
    }
}

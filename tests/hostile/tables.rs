//! Tables that are wide, deep, without end, or of mixed line ends.

use std::io::{Cursor, Read};

use workindex::{Concept, DefectKind, Error, Monitor, ReadReport, Release, SpaceName, table};

fn read(reader: impl Read, name: &str) -> Result<(Release, ReadReport), Error> {
    let space: SpaceName = "x/skill/en".parse().unwrap();
    table::read_from(reader, name, &space, &table::Options::default(), &Monitor::silent())
}

/// Row, column and message of the error.
#[track_caller]
fn refused(reader: impl Read, name: &str) -> (Option<u64>, Option<String>, String) {
    match read(reader, name) {
        Err(Error::Input { row, column, problem, .. }) => (row, column, problem),
        other => panic!("an error about the input expected: {other:?}"),
    }
}

#[test]
fn a_million_columns_are_refused() {
    let (row, _, problem) = refused(format!("label{}\n", ",x".repeat(1_000_000)).as_bytes(), "x.csv");
    assert_eq!(row, Some(1));
    assert!(problem.contains("1000001 columns"), "{problem}");
    let (row, _, problem) = refused(format!("label\na\n{}\n", "\t".repeat(1_000_000)).as_bytes(), "x.tsv");
    assert_eq!(row, Some(3));
    assert!(problem.contains("columns"), "{problem}");
}

#[test]
fn an_object_of_half_a_million_keys_is_refused() {
    let keys: String = (0..500_000).map(|key| format!(",\"k{key}\":1")).collect();
    let (row, _, problem) = refused(format!("{{\"label\":\"a\"}}\n{{\"label\":\"b\"{keys}}}\n").as_bytes(), "x.jsonl");
    assert_eq!(row, Some(2));
    assert!(problem.contains("500001 keys; at most"), "{problem}");
}

#[test]
fn deep_json_ends_in_an_error_and_not_in_a_full_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [200, 100_000, 1_000_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let text = format!("{{\"label\":\"a\"}}\n{{\"label\":\"b\",\"x\":{deep}}}\n");
            let (row, _, problem) = refused(text.as_bytes(), "x.jsonl");
            assert_eq!(row, Some(2));
            assert!(problem.contains("recursion") || problem.contains("longer than"), "{problem}");
        }
        let (row, _, _) = refused(open.repeat(1 << 20).as_bytes(), "x.jsonl");
        assert_eq!(row, Some(1));
    }
}

#[test]
fn long_arrays_and_strange_numbers_are_values_or_errors() {
    let many = format!("{{\"label\":\"a\",\"aliases\":[{}\"b\"]}}\n", "\"b\",".repeat(1 << 20));
    let concept = &read(many.as_bytes(), "x.jsonl").unwrap().0.concepts()[0].clone();
    assert_eq!(concept.alternative_labels, ["b"]);
    for number in ["1e999", "-1e999", "NaN", "Infinity", "0x10", "01", "1e", "\"\\ud800\""] {
        let (row, _, problem) = refused(format!("{{\"label\":\"a\",\"x\":{number}}}\n").as_bytes(), "x.jsonl");
        assert_eq!(row, Some(1), "{number}: {problem}");
    }
    let ids = ["18446744073709551616", "-1.5", "1e3"];
    ids.iter().for_each(|id| drop(refused(format!("{{\"id\":{id},\"label\":\"a\"}}\n").as_bytes(), "x.jsonl")));
}

#[test]
fn a_quote_that_is_open_over_the_whole_file_is_an_error_where_it_opens() {
    let rows = "solder,b\r\n".repeat(100_000);
    let (row, column, problem) = refused(format!("label,x\r\nweld,a\r\n\"{rows}").as_bytes(), "x.csv");
    assert_eq!((row, column.as_deref()), (Some(3), Some("label")));
    assert!(problem.contains("not closed"), "{problem}");
    let (row, _, _) = refused(format!("\"label,x\n{rows}").as_bytes(), "x.csv");
    assert_eq!(row, Some(1));
    // Longer than a record may be, it is refused before all of it is in memory.
    let (row, _, problem) = refused(Cursor::new(&b"label\na\n\""[..]).chain(Cursor::new(rows.repeat(12))), "x.csv");
    assert_eq!(row, Some(3));
    assert!(problem.contains("longer than"), "{problem}");
}

#[test]
fn rows_are_counted_alike_whatever_ends_the_lines() {
    // Lines 1 to 7, of which one is blank and one begins inside quotes.
    let text = b"label,x\rweld,1\r\nsolder,2\n\r\"bra\r\nze\",3\r\ncaf\xe9,4\n";
    let (row, column, problem) = refused(&text[..], "x.csv");
    assert_eq!((row, column.as_deref()), (Some(7), Some("label")), "{problem}");
}

#[test]
fn ids_given_twice_and_labels_that_look_alike_are_kept_apart() {
    let text = "id,label,description\n1,weld,first\n1,solder,second\n 1 ,braze,third\n2,weld,\n";
    let (release, report) = read(text.as_bytes(), "x.csv").unwrap();
    let concepts: Vec<&Concept> = release.concepts().iter().collect();
    assert_eq!(
        concepts.iter().map(|c| (c.id.as_str(), c.label.as_str())).collect::<Vec<_>>(),
        [("1", "weld"), ("2", "weld")]
    );
    assert_eq!(
        (&concepts[0].alternative_labels[..], concepts[0].description.as_deref()),
        (&["solder".to_string(), "braze".to_string()][..], Some("first"))
    );
    assert_eq!(report.count(DefectKind::DuplicateConcept), 2);
    let examples = &report.defects[0].examples;
    assert!(examples[0].contains('3') && examples[1].contains('4'), "{examples:?}");
    // A Cyrillic letter, a mark in another order, a direction mark: other bytes, other concepts.
    let labels = ["weld", "we\u{301}ld", "w\u{435}ld", "\u{202d}weld", "weld\u{200b}"].join("\n");
    assert_eq!(read(labels.as_bytes(), "x.txt").unwrap().0.concepts().len(), 5);
}

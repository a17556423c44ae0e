//! Text keeps to its width and cuts nothing silently.

use workindex::{ExplainedForm, Explanation, FormScore, Rule, SpaceName};

use super::render;
use crate::explain::grid::tests::comparison;

/// An explanation of `m` query tokens against `n` target tokens.
fn explanation(m: usize, n: usize) -> Explanation {
    let names = |prefix: &str, n: usize| (0..n).map(|at| format!("{prefix}{at}")).collect::<Vec<String>>();
    let (query, target) = (names("word", m), names("term", n));
    let as_str = |names: &[String]| names.iter().map(String::as_str).collect::<Vec<&str>>().join(" ");
    let (query_text, target_text) = (as_str(&query), as_str(&target));
    let query: Vec<&str> = query.iter().map(String::as_str).collect();
    let target: Vec<&str> = target.iter().map(String::as_str).collect();
    let comparison = comparison(&query, &target, |i, j| if i == j { 0.9 } else { 0.1 });
    let score = comparison.query_shares.iter().sum();
    Explanation {
        query: Some(query_text),
        truncated: true,
        query_tokens: comparison.query_tokens.clone(),
        space: "esco@1.1.1/skill/en".parse::<SpaceName>().unwrap(),
        target: 0,
        id: "an-id".to_string(),
        label: target_text.clone(),
        rule: Rule::default(),
        score,
        forms: vec![ExplainedForm {
            text: target_text,
            preferred: true,
            best: true,
            part: 1.0,
            score,
            tokens: comparison.target_tokens.clone(),
            comparisons: vec![comparison],
        }],
        other_forms: vec![FormScore { text: "another label ".repeat(10), score: 0.25 }],
    }
}

fn cosines(text: &str) -> usize {
    text.matches("0.10").count() + text.matches("0.90*").count()
}

#[test]
fn every_shape_keeps_to_its_width() {
    for width in [40, 80, 100, 120] {
        for (m, n) in [(1, 1), (3, 4), (7, 30), (60, 5), (40, 40)] {
            let text = render(&explanation(m, n), width);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width.max(60), "{m} × {n} at {width}: {longest}\n{text}");
            let flat = text.split_whitespace().collect::<Vec<&str>>().join(" ");
            assert!(flat.contains("its end plays no part") && flat.contains("0.2500 another label"), "{text}");
            for word in ["word0", &format!("word{}", m - 1), &format!("term{}", n - 1)] {
                assert!(text.contains(word), "{word}\n{text}");
            }
        }
    }
}

#[test]
fn a_long_side_goes_down_and_a_large_table_becomes_a_list() {
    let down = render(&explanation(3, 30), 80);
    assert!(down.contains("target down, query across") && cosines(&down) >= 90, "{down}");
    let list = render(&explanation(40, 40), 80);
    assert!(list.contains("the 20 pairs") && list.contains("The other 1580 pairs add") && list.contains("--json"));
    let table = render(&explanation(3, 4), 80);
    assert!(table.contains("query down, target across") && table.contains("0.90*"), "{table}");
    assert!(!table.contains('\x1b'));
}

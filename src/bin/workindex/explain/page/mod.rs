//! An explanation as one self-contained HTML page: no script, nothing from outside, light and dark, on paper too.

mod bars;
mod escape;
mod heat_map;

use std::fmt::Write;

use workindex::{ExplainedForm, Explanation};

use super::grid::{Grid, Pair};
use super::plain::{self, percent_text};
use super::words::piece;
use escape::escape;

const STYLE: &str = include_str!("style.css");

/// Pairs listed below a heat map.
const STRONGEST: usize = 8;

/// The page. `attribution` is what output that shows the space's concepts must say.
pub fn render(explanation: &Explanation, attribution: Option<&str>) -> String {
    let query = explanation.query.as_deref().unwrap_or("a token matrix");
    let (query, label) = (escape(query), escape(&explanation.label));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{query} → {label}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page.push_str(&header(explanation, &query, &label));
    for (number, form) in explanation.forms.iter().enumerate() {
        page.push_str(&form_section(number, form));
    }
    page.push_str(&how(explanation));
    page.push_str(&labels(explanation));
    page.push_str(&footer(attribution));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn header(explanation: &Explanation, query: &str, label: &str) -> String {
    let mut text = format!(
        "<header>\n<p class=\"eyebrow\">Why this score?</p>\n\
         <h1><bdi>{query}</bdi> <span class=\"arrow\">→</span> <bdi>{label}</bdi></h1>\n\
         <div class=\"lead\"><p class=\"score\">{:.2}</p>\n<p>{}",
        explanation.score,
        escape(&plain::score_sentence(explanation)),
    );
    if let [form] = explanation.forms.as_slice() {
        let _ = write!(text, " {}", escape(&plain::match_sentence(form)));
    }
    text.push_str("</p></div>\n");
    if explanation.truncated {
        text.push_str("<p class=\"warning\">The query is longer than the encoder reads: its end plays no part.</p>\n");
    }
    let Explanation { space, id, rule, score, .. } = explanation;
    let _ = writeln!(
        text,
        "<dl>\n<dt>Space</dt><dd>{}</dd>\n<dt>Id</dt><dd>{}</dd>\n<dt>Rule</dt><dd>{}</dd>\n\
         <dt>Score</dt><dd>{score:.6}</dd>\n</dl>\n</header>",
        escape(&space.to_string()),
        escape(id),
        escape(&rule.to_string()),
    );
    text
}

/// A surface form: what matched what, as a heat map, bars and the strongest pairs.
fn form_section(number: usize, form: &ExplainedForm) -> String {
    let role = plain::role(form);
    let mut text = format!(
        "<section aria-labelledby=\"form-{number}\">\n<h2 id=\"form-{number}\"><bdi>{}</bdi> \
         <span class=\"role\">{role}, {:.2}</span></h2>\n",
        escape(&form.text),
        form.score,
    );
    if form.part < 1.0 {
        let _ = writeln!(text, "<p>{}</p>", escape(&plain::match_sentence(form)));
    }
    for comparison in &form.comparisons {
        text.push_str(&heat_map::render(comparison, form.score));
        text.push_str(&bars::render(comparison, form.score));
        text.push_str(&strongest(&Grid::new(comparison, form.score), form.score));
    }
    text.push_str("</section>\n");
    text
}

fn strongest(grid: &Grid, score: f64) -> String {
    let pairs = grid.strongest();
    if pairs.len() < 2 {
        return String::new();
    }
    let shown = &pairs[..pairs.len().min(STRONGEST)];
    let title = match pairs.len() - shown.len() {
        0 => "What each pair adds".to_string(),
        _ => format!("The {} pairs that add most", shown.len()),
    };
    let mut text = format!("<h3>{title}</h3>\n<div class=\"scroll\"><table class=\"list\">\n");
    text.push_str(
        "<thead><tr><th scope=\"col\">query</th><th scope=\"col\">target</th><th scope=\"col\" class=\"n\">cosine</th>\
         <th scope=\"col\" class=\"n\">adds</th><th scope=\"col\" class=\"n\">of the score</th></tr></thead>\n<tbody>\n",
    );
    for pair in shown {
        let Pair { query, target, cosine, contribution, .. } = *pair;
        let _ = writeln!(
            text,
            "<tr><td><bdi>{}</bdi></td><td><bdi>{}</bdi></td><td class=\"n\">{cosine:.2}</td>\
             <td class=\"n\">{contribution:.4}</td><td class=\"n\">{}</td></tr>",
            escape(&piece(&grid.rows[query])),
            escape(&piece(&grid.columns[target])),
            percent_text(contribution, score),
        );
    }
    text.push_str("</tbody></table></div>\n");
    let rest: f64 = pairs[shown.len()..].iter().map(|pair| pair.contribution).sum();
    if pairs.len() > shown.len() {
        let _ = writeln!(
            text,
            "<p class=\"small\">The other {} pairs add {rest:.4} together.</p>",
            pairs.len() - shown.len()
        );
    }
    text
}

/// The rule and its directions.
fn how(explanation: &Explanation) -> String {
    let rule = &explanation.rule;
    let mut text = format!(
        "<section aria-labelledby=\"how\">\n<h2 id=\"how\">How the score is made</h2>\n<p>{} \
         The score is the sum of what all pairs add.</p>\n",
        escape(&plain::rule_sentence(rule))
    );
    let directions = plain::direction_lines(rule);
    if directions.is_empty() {
        return text + "</section>\n";
    }
    text.push_str("<ul>\n");
    let scores = match explanation.forms.as_slice() {
        [form] => form.comparisons.first().and_then(plain::both_scores),
        _ => None,
    };
    for ((name, line), score) in directions.iter().zip([scores.map(|s| s.0), scores.map(|s| s.1)]) {
        let score = score.map_or(String::new(), |score| format!(" Here {score:.2}."));
        let _ = writeln!(text, "<li><b>{name}</b> {line}{score}</li>");
    }
    if directions.len() > 1 {
        text.push_str("<li>The score is the mean of the two.</li>\n");
    }
    text + "</ul>\n</section>\n"
}

/// All labels of the concept with their scores; nothing where there is one only.
fn labels(explanation: &Explanation) -> String {
    let deciding = explanation.forms.iter().map(|form| (&form.text, form.score, plain::role(form)));
    let others = explanation.other_forms.iter().map(|form| (&form.text, form.score, ""));
    let mut rows: Vec<(&String, f64, &str)> = deciding.chain(others).collect();
    if rows.len() < 2 {
        return String::new();
    }
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut text = "<section aria-labelledby=\"labels\">\n<h2 id=\"labels\">The labels of the concept</h2>\n\
                    <p>The score is the mean of the preferred label's and that of the label that fits best; the others do not \
                    change it.</p>\n<div class=\"scroll\"><table class=\"list\">\n<thead><tr><th scope=\"col\" class=\"n\">score</th>\
                    <th scope=\"col\">label</th><th scope=\"col\"></th></tr></thead>\n<tbody>\n"
        .to_string();
    for (label, score, role) in rows {
        let label = escape(label);
        let _ = writeln!(text, "<tr><td class=\"n\">{score:.4}</td><td><bdi>{label}</bdi></td><td>{role}</td></tr>");
    }
    text + "</tbody></table></div>\n</section>\n"
}

fn footer(attribution: Option<&str>) -> String {
    let attribution = attribution.map_or(String::new(), |text| format!("<p>{}</p>\n", escape(text)));
    format!("<footer>\n{attribution}<p>Made by workindex {}.</p>\n</footer>\n", env!("CARGO_PKG_VERSION"))
}

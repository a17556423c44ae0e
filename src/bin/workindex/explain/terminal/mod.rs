//! An explanation as text of a given width.

mod bars;
mod cosines;
mod wrap;

use std::fmt::Write;

use workindex::{ExplainedForm, Explanation};

use super::plain;
use crate::layout;
use wrap::wrap;

/// The whole explanation.
pub fn render(explanation: &Explanation, width: usize) -> String {
    let mut text = String::new();
    let query = explanation.query.as_deref().unwrap_or("(a token matrix)");
    text.push_str(&headings(&format!("{query} → {}", explanation.label), width));
    let _ = writeln!(text, "{}  {}\n", explanation.space, explanation.id);
    let _ = writeln!(text, "{}", layout::heading(&format!("score {:.4}", explanation.score)));
    text.push_str(&wrap(&format!("by {}.", explanation.rule), width, "  "));
    text.push_str(&wrap(&plain::rule_sentence(&explanation.rule), width, "  "));
    for (name, line) in plain::direction_lines(&explanation.rule) {
        text.push_str(&wrap(&format!("{name}: {line}"), width, "  "));
    }
    if explanation.truncated {
        text.push_str(&wrap("The query is longer than the encoder reads: its end plays no part.", width, "  "));
    }
    for form in &explanation.forms {
        text.push('\n');
        text.push_str(&describe(form, width));
    }
    text.push_str(&other_forms(explanation, width));
    text
}

/// A heading of one or more lines.
fn headings(text: &str, width: usize) -> String {
    wrap(text, width, "").lines().map(|line| format!("{}\n", layout::heading(line))).collect()
}

fn describe(form: &ExplainedForm, width: usize) -> String {
    let mut text = headings(&format!("{} ({}): {:.4}", form.text, plain::role(form), form.score), width);
    text.push_str(&wrap(&plain::match_sentence(form), width, "  "));
    for comparison in &form.comparisons {
        if let Some((forth, back)) = plain::both_scores(comparison) {
            let scores = format!("query → target {forth:.4}, target → query {back:.4}; the score is their mean.");
            text.push_str(&wrap(&scores, width, "  "));
        }
        let _ = write!(text, "\n{}", cosines::render(comparison, form.score, width));
        let bars = bars::render(comparison, form.score, width);
        if !bars.is_empty() {
            let _ = write!(text, "\n{bars}");
        }
    }
    text
}

fn other_forms(explanation: &Explanation, width: usize) -> String {
    if explanation.other_forms.is_empty() {
        return String::new();
    }
    let mut text = "\n".to_string();
    text.push_str(&headings("other labels of the concept, which do not change its score", width));
    for form in &explanation.other_forms {
        let lines = wrap(&form.text, width, "          ");
        let _ = writeln!(text, "  {:>6.4}  {}", form.score, lines.trim());
    }
    text
}

#[cfg(test)]
mod tests;

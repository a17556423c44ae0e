//! What each word adds to the score, as bars.

use std::fmt::Write;

use workindex::Comparison;

use super::escape::escape;
use crate::explain::plain::percent_text;
use crate::explain::words::{Word, word_shares};

/// Bars of both sides, on one scale.
pub fn render(comparison: &Comparison, score: f64) -> String {
    let Comparison { query_tokens, target_tokens, query_shares, target_shares, .. } = comparison;
    let query = word_shares(query_tokens, query_shares);
    let target = word_shares(target_tokens, target_shares);
    let longest = query.iter().chain(&target).fold(0.0f64, |longest, (_, share)| longest.max(share.abs()));
    let mut text = "<div class=\"sides\">\n".to_string();
    // The one bar of a side that was compared as a whole would say nothing.
    for (name, words) in [("query", query), ("target", target)].into_iter().filter(|(_, words)| words.len() > 1) {
        text.push_str(&side(name, &words, longest, score));
    }
    text + "</div>\n"
}

fn side(name: &str, words: &[(Word, f64)], longest: f64, score: f64) -> String {
    let mut text = format!(
        "<div>\n<h3>What each word of the {name} adds</h3>\n<div class=\"scroll\"><table class=\"bars\"><tbody>\n"
    );
    for (word, share) in words {
        let width = if longest > 0.0 { 100.0 * share.abs() / longest } else { 0.0 };
        let class = if *share < 0.0 { " class=\"minus\"" } else { "" };
        let percent = percent_text(*share, score);
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\"><bdi>{}</bdi></th><td><i{class} style=\"width:{width:.1}%\"></i></td>\
             <td class=\"n\" title=\"adds {share:.4} to the score\">{}</td></tr>",
            escape(&word.pieces),
            if percent.is_empty() { format!("{share:.3}") } else { percent },
        );
    }
    text.push_str("</tbody></table></div>\n</div>\n");
    text
}

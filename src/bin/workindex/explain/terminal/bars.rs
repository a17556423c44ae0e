//! What each word adds to the score, as bars.

use std::fmt::Write;

use workindex::{Comparison, ExplainedToken};

use crate::explain::plain::percent_text;
use crate::explain::words::word_shares;
use crate::layout;

/// The longest a bar gets.
const BAR: usize = 24;
/// The longest a word's name gets; longer ones end in `…`.
const NAME: usize = 28;

/// Bars of both sides, on one scale.
pub fn render(comparison: &Comparison, score: f64, width: usize) -> String {
    let Comparison { query_tokens, target_tokens, query_shares, target_shares, .. } = comparison;
    let sides = [("query", query_tokens, query_shares), ("target", target_tokens, target_shares)];
    let rows = sides.map(|(side, tokens, shares)| (side, rows(tokens, shares)));
    let longest = rows.iter().flat_map(|(_, rows)| rows).fold(0.0, |longest, (_, share)| share.max(longest));
    let name = rows.iter().flat_map(|(_, rows)| rows).map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let bar = BAR.min(width.saturating_sub(name + 22)).max(4);
    let mut text = String::new();
    // The one bar of a side that was compared as a whole would say nothing.
    for (side, rows) in rows.into_iter().filter(|(_, rows)| rows.len() > 1) {
        let _ = writeln!(text, "  what each word of the {side} adds");
        for (word, share) in rows {
            // Not "-0.0000".
            let share = if share.abs() < 0.000_05 { 0.0 } else { share };
            let (drawn, percent) = (draw(share, longest, bar), percent_text(share, score));
            let _ = writeln!(text, "    {word:name$}  {drawn:bar$}  {share:>7.4}  {percent:>5}");
        }
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn rows(tokens: &[ExplainedToken], shares: &[f64]) -> Vec<(String, f64)> {
    word_shares(tokens, shares).into_iter().map(|(word, share)| (layout::cut(&word.pieces, NAME), share)).collect()
}

/// A bar in eighths of a character; none for what takes away.
fn draw(share: f64, longest: f64, width: usize) -> String {
    if share <= 0.0 || longest <= 0.0 {
        return String::new();
    }
    let eighths = (share / longest * (width * 8) as f64).round().max(1.0) as usize;
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), part[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_drawn_in_eighths() {
        assert_eq!(draw(1.0, 1.0, 3), "███");
        assert_eq!(draw(0.5, 1.0, 3), "█▌");
        assert_eq!(draw(1e-9, 1.0, 3), "▏");
        assert_eq!(draw(-0.5, 1.0, 3), "");
        assert_eq!(draw(0.0, 0.0, 3), "");
    }
}

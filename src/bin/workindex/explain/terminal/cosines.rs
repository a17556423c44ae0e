//! The cosines of all pairs as a table, or the strongest pairs where a table is too wide.

use std::fmt::Write;

use workindex::{Comparison, ExplainedToken};

use super::wrap::wrap;
use crate::explain::grid::{Grid, Pair};
use crate::explain::plain::percent_text;
use crate::explain::words::piece;
use crate::layout;

/// The longest a token's name gets; longer ones end in `…`.
const NAME: usize = 16;
/// Room for a cosine with its sign and its mark.
const CELL: usize = 6;
/// Pairs listed where a table is too wide.
const STRONGEST: usize = 20;

/// The pairs of a comparison in at most `width` columns.
pub fn render(comparison: &Comparison, score: f64, width: usize) -> String {
    let grid = Grid::new(comparison, score);
    let turned = grid.transposed();
    match [grid, turned].into_iter().find(|grid| table_width(grid) <= width) {
        Some(grid) => table(&grid, width),
        None => strongest(comparison, score, width),
    }
}

fn name(token: &ExplainedToken) -> String {
    layout::cut(&piece(token), NAME)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn name_width(tokens: &[ExplainedToken]) -> usize {
    tokens.iter().map(|token| length(&name(token))).max().unwrap_or(0)
}

fn column_width(token: &ExplainedToken) -> usize {
    length(&name(token)).max(CELL) + 2
}

fn table_width(grid: &Grid) -> usize {
    2 + name_width(grid.rows) + grid.columns.iter().map(column_width).sum::<usize>()
}

fn table(grid: &Grid, width: usize) -> String {
    let (rows, columns) = if grid.query_in_rows { ("query", "target") } else { ("target", "query") };
    let caption = format!("cosines ({rows} down, {columns} across); * adds at least 5 % of the score");
    let mut text = wrap(&caption, width, "  ");
    text.push('\n');
    let first = name_width(grid.rows);
    let _ = write!(text, "  {:first$}", "");
    for token in grid.columns {
        let _ = write!(text, "{:>1$}", name(token), column_width(token) - 1);
        text.push(' ');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (token, row) in grid.rows.iter().zip(&grid.cells) {
        let _ = write!(text, "  {:first$}", name(token));
        for (pair, column) in row.iter().zip(grid.columns) {
            text.push_str(&cell(pair, column_width(column)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// A cosine, right-aligned, with a place for its mark behind it.
fn cell(pair: &Pair, width: usize) -> String {
    // Not "-0.00".
    let cosine = if pair.cosine.abs() < 0.005 { 0.0 } else { pair.cosine };
    let number = format!("{cosine:>0$.2}", width - 1);
    match pair.strong {
        true => layout::strong(&format!("{number}*")),
        false => format!("{number} "),
    }
}

fn strongest(comparison: &Comparison, score: f64, width: usize) -> String {
    let Comparison { query_tokens, target_tokens, .. } = comparison;
    let pairs = Grid::new(comparison, score).strongest();
    let (m, n) = (query_tokens.len(), target_tokens.len());
    let shown = pairs.len().min(STRONGEST);
    let mut text =
        wrap(&format!("the {shown} pairs of tokens that add most (all {m} × {n} are too wide here)"), width, "  ");
    text.push('\n');
    let mut table = layout::table(&["query", "target", "cosine", "adds", "of the score"], None);
    for pair in &pairs[..shown] {
        let Pair { query, target, cosine, contribution, .. } = *pair;
        let share = percent_text(contribution, score);
        let (query, target) = (name(&query_tokens[query]), name(&target_tokens[target]));
        layout::add(&mut table, [query, target, format!("{cosine:.2}"), format!("{contribution:.4}"), share]);
    }
    layout::align_right(&mut table, &[2, 3, 4]);
    text.push_str(&layout::lines(&table, " "));
    text.push('\n');
    let rest = &pairs[shown..];
    if !rest.is_empty() {
        let sum: f64 = rest.iter().map(|pair| pair.contribution).sum();
        let share = percent_text(sum, score);
        let share = if share.is_empty() { share } else { format!(" ({share} of the score)") };
        let line = format!("The other {} pairs add {sum:.4}{share}; --html and --json show them all.", rest.len());
        text.push_str(&wrap(&line, width, "  "));
    }
    text
}

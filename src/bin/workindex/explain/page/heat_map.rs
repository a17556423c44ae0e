//! The cosines of all pairs as a heat map.

use std::fmt::Write;

use workindex::{Comparison, ExplainedToken};

use super::escape::escape;
use crate::explain::grid::{Grid, Pair};
use crate::explain::words::piece;

/// Targets of more tokens than this, and than the query has, go down the page.
const ACROSS: usize = 8;
/// Names above columns are upright when there are more columns than this or one name is longer than [`LYING`].
const FEW: usize = 6;
const LYING: usize = 12;

/// The colour class of a cosine: `c0` for 0 to 0.1 up to `c9`, `m0` for −0.1 to 0 down to `m9`.
fn class(cosine: f64) -> String {
    let step = ((cosine.abs() * 10.0).floor() as usize).min(9);
    // What is shown as 0.00 is coloured as that.
    if cosine < -0.005 { format!("m{step}") } else { format!("c{step}") }
}

/// The heat map with its legend.
pub fn render(comparison: &Comparison, score: f64) -> String {
    let grid = Grid::new(comparison, score);
    let long_target = grid.columns.len() > ACROSS && grid.columns.len() > grid.rows.len();
    let grid = if long_target { grid.transposed() } else { grid };
    let (rows, columns) = if grid.query_in_rows { ("query", "target") } else { ("target", "query") };
    let upright = grid.columns.len() > FEW || grid.columns.iter().any(|token| piece(token).chars().count() > LYING);
    let mut text = format!(
        "<figure>\n<figcaption>How similar each token of the <b>{rows}</b> (down) is to each token of the <b>{columns}</b> \
         (across). Outlined: pairs that add at least 5 % of the score.</figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Heat map\">\n\
         <table class=\"heat{}\">\n<thead><tr><td></td>",
        if upright { " upright" } else { "" }
    );
    for token in grid.columns {
        let _ = write!(text, "<th scope=\"col\"><span>{}</span></th>", name(token));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (token, row) in grid.rows.iter().zip(&grid.cells) {
        let _ = write!(text, "<tr><th scope=\"row\">{}</th>", name(token));
        row.iter().for_each(|pair| text.push_str(&cell(comparison, pair)));
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n");
    text.push_str(&legend(&grid));
    text.push_str("</figure>\n");
    text
}

fn name(token: &ExplainedToken) -> String {
    format!("<bdi>{}</bdi>", escape(&piece(token)))
}

fn cell(comparison: &Comparison, pair: &Pair) -> String {
    let strong = if pair.strong { " strong" } else { "" };
    // Not "-0.00".
    let cosine = if pair.cosine.abs() < 0.005 { 0.0 } else { pair.cosine };
    let tip = escape(&tooltip(comparison, pair));
    format!("<td class=\"{}{strong}\" title=\"{tip}\">{cosine:.2}</td>", class(pair.cosine))
}

fn tooltip(comparison: &Comparison, pair: &Pair) -> String {
    let (query, target) = (&comparison.query_tokens[pair.query], &comparison.target_tokens[pair.target]);
    let (query, target) = (piece(query), piece(target));
    let mut tip = format!("{query} × {target}: cosine {:.3}", pair.cosine);
    if let Some(weight) = pair.query_weight {
        let _ = write!(tip, "; weight {weight:.3} among the target's tokens");
    }
    if let Some(weight) = pair.target_weight {
        let _ = write!(tip, "; weight {weight:.3} among the query's tokens");
    }
    let _ = write!(tip, "; adds {:.4} to the score", pair.contribution);
    tip
}

/// The colours, from the lowest that occurs to 1.
fn legend(grid: &Grid) -> String {
    let lowest = grid.cells.iter().flatten().map(|pair| pair.cosine).fold(0.0, f64::min);
    let mut text = "<p class=\"legend\"><span>cosine</span>".to_string();
    let below = if lowest < -0.005 { (lowest * -10.0).floor() as usize + 1 } else { 0 }.min(10);
    for step in (0..below).rev() {
        let _ = write!(text, "<span class=\"swatch m{step}\">−{:.1}</span>", (step + 1) as f64 / 10.0);
    }
    for step in 0..10 {
        let _ = write!(text, "<span class=\"swatch c{step}\">{:.1}</span>", step as f64 / 10.0);
    }
    text + "<span>1</span></p>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::grid::tests::comparison;

    #[test]
    fn classes_are_tenths() {
        assert_eq!([0.0, 0.05, 0.1, 0.99, 1.0, 1.2].map(class), ["c0", "c0", "c1", "c9", "c9", "c9"]);
        assert_eq!([-0.001, -0.05, -0.31, -2.0].map(class), ["c0", "m0", "m3", "m9"]);
    }

    #[test]
    fn the_longer_side_goes_down() {
        let target = ["t"; 20];
        let map = render(&comparison(&["a", "b"], &target, |_, _| 0.5), 0.5);
        assert!(map.contains("token of the <b>target</b> (down)") && !map.contains("upright"), "{map}");
        assert_eq!((map.matches("<tr>").count(), map.matches("0.50</td>").count()), (21, 40));
    }

    #[test]
    fn a_cell_says_its_weight_and_what_it_adds() {
        let map = render(&comparison(&["a\"", "<b>"], &["x", "##y"], |i, j| if i == j { 0.8 } else { -0.2 }), 0.3);
        let tip =
            "title=\"a&quot; × x: cosine 0.800; weight 0.500 among the target&#39;s tokens; adds 0.2000 to the score\"";
        assert!(map.contains(tip) && map.contains("&lt;b&gt; × ·y"), "{map}");
        assert!(
            map.contains("class=\"c8 strong\"") && map.contains("class=\"m2\"") && map.contains("−0.3</span>"),
            "{map}"
        );
    }
}

//! The pairs of a comparison as a grid, either side in its rows.

use workindex::{Comparison, ExplainedToken};

/// The part of a score from which on a pair stands out.
const STRONG: f64 = 0.05;

/// One pair of tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The query's token, by its number.
    pub query: usize,
    /// The target's token, by its number.
    pub target: usize,
    pub cosine: f64,
    /// How much the query's token looks at the target's, where the rule asks for it.
    pub query_weight: Option<f64>,
    /// How much the target's token looks at the query's, where the rule asks for it.
    pub target_weight: Option<f64>,
    /// What the pair adds to the score.
    pub contribution: f64,
    /// Whether it adds at least [`STRONG`] of the form's score.
    pub strong: bool,
}

/// The pairs of a comparison.
pub struct Grid<'a> {
    /// Whether the query's tokens are the rows.
    pub query_in_rows: bool,
    pub rows: &'a [ExplainedToken],
    pub columns: &'a [ExplainedToken],
    /// Row after row.
    pub cells: Vec<Vec<Pair>>,
}

impl<'a> Grid<'a> {
    /// The query's tokens in rows, the target's in columns. `score` is that of the form compared.
    pub fn new(comparison: &'a Comparison, score: f64) -> Self {
        let Comparison { query_tokens, target_tokens, .. } = comparison;
        let row = |i| (0..target_tokens.len()).map(|j| pair(comparison, score, i, j)).collect();
        let cells = (0..query_tokens.len()).map(row).collect();
        Self { query_in_rows: true, rows: query_tokens, columns: target_tokens, cells }
    }

    /// The same with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let column = |j: usize| self.cells.iter().map(|row| row[j]).collect();
        let cells = (0..self.columns.len()).map(column).collect();
        Self { query_in_rows: !self.query_in_rows, rows: self.columns, columns: self.rows, cells }
    }

    /// All pairs, those that add most first.
    pub fn strongest(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = self.cells.iter().flatten().copied().collect();
        pairs.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        pairs
    }
}

fn pair(comparison: &Comparison, score: f64, i: usize, j: usize) -> Pair {
    let weight = |weights: &Option<Vec<Vec<f64>>>| weights.as_ref().map(|weights| weights[i][j]);
    let contribution = comparison.contributions[i][j];
    Pair {
        query: i,
        target: j,
        cosine: comparison.cosines[i][j],
        query_weight: weight(&comparison.query_weights),
        target_weight: weight(&comparison.target_weights),
        contribution,
        strong: contribution > 0.0 && contribution >= STRONG * score,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::explain::words::tests::tokens;

    /// A comparison of a query and a target with the given cosines, each pair adding a part of the mean.
    pub fn comparison(query: &[&str], target: &[&str], cosine: impl Fn(usize, usize) -> f64) -> Comparison {
        let (m, n) = (query.len(), target.len());
        let cells = |f: &dyn Fn(usize, usize) -> f64| {
            (0..m).map(|i| (0..n).map(|j| f(i, j)).collect()).collect::<Vec<Vec<f64>>>()
        };
        let contributions = cells(&|i, j| cosine(i, j) / (m * n) as f64);
        Comparison {
            query_tokens: tokens(query),
            target_tokens: tokens(target),
            cosines: cells(&cosine),
            query_weights: Some(cells(&|_, _| 1.0 / n as f64)),
            target_weights: None,
            query_shares: contributions.iter().map(|row| row.iter().sum()).collect(),
            target_shares: (0..n).map(|j| contributions.iter().map(|row| row[j]).sum()).collect(),
            contributions,
        }
    }

    #[test]
    fn transposing_keeps_the_pairs() {
        let comparison = comparison(&["a", "b"], &["x", "y", "z"], |i, j| (i * 3 + j) as f64 / 10.0);
        let grid = Grid::new(&comparison, 6.0);
        let turned = grid.transposed();
        assert_eq!((turned.rows.len(), turned.columns.len(), turned.query_in_rows), (3, 2, false));
        assert_eq!(turned.cells[2][1], grid.cells[1][2]);
        assert_eq!(turned.transposed().cells, grid.cells);
        // They add 0…5 sixtieths, and 0.05 × 6 is 18 of them; 0.05 × 0.6 is not quite 2.
        assert!(grid.cells.iter().flatten().all(|pair| !pair.strong));
        let strong = Grid::new(&comparison, 0.6).cells.concat().iter().map(|pair| pair.strong).collect::<Vec<bool>>();
        assert_eq!(strong, [false, false, true, true, true, true]);
        assert_eq!(grid.strongest()[0], grid.cells[1][2]);
    }
}

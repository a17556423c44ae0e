//! The score of a pair from the cosines of its token rows, and the derivative by each of them.
//!
//! With a_ij = softmax over j of c_ij / τ and s_i = Σⱼ a_ij c_ij: ∂s_i/∂c_ij = a_ij (1 + (c_ij − s_i)/τ). Both directions share the weights
//! e^((c − 1)/τ): no maximum is needed because a cosine is at most 1, and τ at least [`MIN_TEMPERATURE`].

/// The smallest temperature of training: below it e^(−2/τ) is nothing that f32 holds.
pub(crate) const MIN_TEMPERATURE: f32 = 0.025;

/// How token rows are matched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pairing {
    /// τ of a softmax; without, the best match alone.
    pub(super) temperature: Option<f32>,
    /// Whether the mean over the left text's tokens takes part.
    pub(super) over_left: bool,
    /// Whether that over the right text's does. If both, the score is the mean of the two.
    pub(super) over_right: bool,
}

/// The cosines of a pair: `rows` lines of `columns` values, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Cosines<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
}

impl Cosines<'_> {
    fn line(&self, row: usize) -> &[f32] {
        &self.values[row * self.stride..row * self.stride + self.columns]
    }
}

impl Pairing {
    fn share(&self) -> f32 {
        if self.over_left && self.over_right { 0.5 } else { 1.0 }
    }

    /// The score; 0 where a side has no rows.
    pub(super) fn score(&self, cosines: Cosines<'_>) -> f32 {
        if cosines.rows == 0 || cosines.columns == 0 {
            return 0.0;
        }
        let (over_left, over_right) = match self.temperature {
            Some(temperature) => {
                let sums = Sums::of(cosines, temperature);
                (sums.left().sum::<f32>(), sums.right().sum::<f32>())
            }
            None => {
                let best_of_line = |row| cosines.line(row).iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let left = (0..cosines.rows).map(best_of_line).sum::<f32>();
                (left, (0..cosines.columns).map(|column| cosines.line(best_row(cosines, column))[column]).sum())
            }
        };
        let left = if self.over_left { over_left / cosines.rows as f32 } else { 0.0 };
        let right = if self.over_right { over_right / cosines.columns as f32 } else { 0.0 };
        self.share() * (left + right)
    }

    /// Writes `by` times the derivative of the score by each cosine over the cosines' places in `out`.
    pub(super) fn derivative(&self, cosines: Cosines<'_>, by: f32, out: &mut [f32]) {
        if cosines.rows == 0 || cosines.columns == 0 {
            return;
        }
        let left = if self.over_left { by * self.share() / cosines.rows as f32 } else { 0.0 };
        let right = if self.over_right { by * self.share() / cosines.columns as f32 } else { 0.0 };
        match self.temperature {
            Some(temperature) => soft_derivative(cosines, temperature, (left, right), out),
            None => {
                for row in 0..cosines.rows {
                    out[row * cosines.stride..row * cosines.stride + cosines.columns].fill(0.0);
                }
                for row in 0..cosines.rows {
                    out[row * cosines.stride + best_column(cosines.line(row))] += left;
                }
                for column in 0..cosines.columns {
                    out[best_row(cosines, column) * cosines.stride + column] += right;
                }
            }
        }
    }
}

/// The first of the best.
fn best_column(line: &[f32]) -> usize {
    (1..line.len()).fold(0, |best, at| if line[at] > line[best] { at } else { best })
}

fn best_row(cosines: Cosines<'_>, column: usize) -> usize {
    (1..cosines.rows)
        .fold(0, |best, row| if cosines.line(row)[column] > cosines.line(best)[column] { row } else { best })
}

/// Weights of a pair, and their sums over lines and columns, plain and weighted by cosines.
struct Sums {
    weights: Vec<f32>,
    of_rows: Vec<(f32, f32)>,
    of_columns: Vec<(f32, f32)>,
}

impl Sums {
    fn of(cosines: Cosines<'_>, temperature: f32) -> Self {
        let mut weights = Vec::with_capacity(cosines.rows * cosines.columns);
        let (mut of_rows, mut of_columns) = (vec![(0.0, 0.0); cosines.rows], vec![(0.0, 0.0); cosines.columns]);
        for (row, sums) in of_rows.iter_mut().enumerate() {
            for (&c, column) in cosines.line(row).iter().zip(&mut of_columns) {
                let weight = ((c - 1.0) / temperature).exp();
                weights.push(weight);
                sums.0 += weight;
                sums.1 += weight * c;
                column.0 += weight;
                column.1 += weight * c;
            }
        }
        Self { weights, of_rows, of_columns }
    }

    fn left(&self) -> impl Iterator<Item = f32> {
        self.of_rows.iter().map(|(sum, weighted)| weighted / sum)
    }

    fn right(&self) -> impl Iterator<Item = f32> {
        self.of_columns.iter().map(|(sum, weighted)| weighted / sum)
    }
}

fn soft_derivative(cosines: Cosines<'_>, temperature: f32, (left, right): (f32, f32), out: &mut [f32]) {
    let sums = Sums::of(cosines, temperature);
    for row in 0..cosines.rows {
        let (sum, weighted) = sums.of_rows[row];
        let mean = weighted / sum;
        let out = &mut out[row * cosines.stride..row * cosines.stride + cosines.columns];
        for (column, (out, &c)) in out.iter_mut().zip(cosines.line(row)).enumerate() {
            let weight = sums.weights[row * cosines.columns + column];
            let (column_sum, column_weighted) = sums.of_columns[column];
            let column_mean = column_weighted / column_sum;
            *out = left * weight / sum * (1.0 + (c - mean) / temperature)
                + right * weight / column_sum * (1.0 + (c - column_mean) / temperature);
        }
    }
}

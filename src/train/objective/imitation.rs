//! Distillation: token rows are to point where the teacher's do.

use super::scores::SMALLEST;
use crate::train::token_rows::TokenRows;

/// The mean over rows of 1 − cos(row, target), times `weight`; `gradient`, rows of the same texts, gets its derivative added. `targets` are unit
/// vectors, or zero where a row has none to follow: such rows do not count.
pub(in crate::train) fn imitate(rows: &TokenRows, targets: &TokenRows, weight: f32, gradient: &mut TokenRows) -> f64 {
    let dim = rows.dim();
    let counts = |target: &&[f32]| target.iter().any(|x| *x != 0.0);
    let n = targets.values().chunks_exact(dim).filter(counts).count();
    let share = weight / n.max(1) as f32;
    let mut loss = 0.0;
    let places = rows.values().chunks_exact(dim).zip(targets.values().chunks_exact(dim));
    for ((row, target), by) in places.zip(gradient.values_mut().chunks_exact_mut(dim)) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        if !counts(&target) || length < SMALLEST {
            continue;
        }
        let cosine = row.iter().zip(target).map(|(x, y)| x * y).sum::<f32>() / length;
        loss += f64::from(1.0 - cosine);
        for ((by, x), y) in by.iter_mut().zip(row).zip(target) {
            *by -= share * (y - cosine * x / length) / length;
        }
    }
    f64::from(share) * loss
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f32]) -> TokenRows {
        let mut rows = TokenRows::new(3);
        rows.push(&values[..6]);
        rows.push(&values[6..]);
        rows
    }

    #[test]
    fn the_derivative_is_that_of_the_loss_and_rows_without_a_target_do_not_count() {
        let values = [0.3f32, -1.2, 0.7, 2.0, 0.1, 0.4, 1.0, 1.0, 1.0, -0.4, 0.5, 0.6];
        let targets = rows(&[0.6, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -0.6, 0.8, 0.0]);
        let loss = |values: &[f32]| imitate(&rows(values), &targets, 2.0, &mut rows(&[0.0; 12]));
        let mut gradient = rows(&[0.0; 12]);
        let whole = imitate(&rows(&values), &targets, 2.0, &mut gradient);
        let cosine = |at: usize| {
            let (row, target) = (&values[at..at + 3], &targets.values()[at..at + 3]);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            dot(row, target) / dot(row, row).sqrt()
        };
        let expected = 2.0 * [0, 6, 9].map(|at| 1.0 - cosine(at)).iter().sum::<f64>() / 3.0;
        assert!((whole - expected).abs() < 1e-6, "{whole} {expected}");
        for at in 0..12 {
            let moved = |by: f32| {
                let mut values = values;
                values[at] += by;
                loss(&values)
            };
            let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((numeric - f64::from(gradient.values()[at])).abs() < 1e-3, "{at}: {numeric} {gradient:?}");
        }
        assert!(gradient.values()[3..6].iter().all(|by| *by == 0.0));
    }

    #[test]
    fn rows_that_point_where_the_teacher_s_do_cost_nothing() {
        let targets = rows(&[0.6, 0.0, 0.8, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        let like = rows(&[1.2, 0.0, 1.6, 0.0, 0.1, 0.0, 5.0, 5.0, 5.0, 3.0, 0.0, 0.0]);
        let mut gradient = rows(&[0.0; 12]);
        assert!(imitate(&like, &targets, 1.0, &mut gradient).abs() < 1e-6);
        assert!(gradient.values().iter().all(|by| by.abs() < 1e-6), "{gradient:?}");
        assert_eq!(imitate(&like, &rows(&[0.0; 12]), 1.0, &mut gradient), 0.0);
    }
}

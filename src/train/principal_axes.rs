//! The directions in which token rows vary most: what a linear layer that shortens them begins with.

/// Rounds of the iteration. Each brings a direction closer by the ratio of its strength to the first one left out, and which of two equally strong
/// directions is kept does not matter.
const ROUNDS: usize = 60;

/// `k` orthonormal rows of `dim` values, row-major: the eigenvectors of the largest eigenvalues of Σ u·uᵀ over the unit vectors u of all rows,
/// by orthogonal iteration in f64. Dot products of unit rows change least by them (Eckart and Young). The mean is not taken away,
/// because cosines are taken from the origin.
pub(super) fn principal_axes(rows: &[f32], dim: usize, k: usize) -> Vec<f32> {
    let (dim, k) = (dim.max(1), k.min(dim));
    let moments = second_moments(rows, dim);
    // Begins with unit vectors along the axes of the largest moments.
    let mut order: Vec<usize> = (0..dim).collect();
    order.sort_by(|a, b| moments[b * dim + b].total_cmp(&moments[a * dim + a]));
    let mut axes: Vec<Vec<f64>> = order.iter().take(k).map(|&at| unit_along(at, dim)).collect();
    for _ in 0..ROUNDS {
        for axis in &mut axes {
            *axis = moments.chunks_exact(dim).map(|line| dot(line, axis)).collect();
        }
        orthonormalise(&mut axes, dim);
    }
    axes.into_iter().flatten().map(|value| value as f32).collect()
}

fn unit_along(at: usize, dim: usize) -> Vec<f64> {
    (0..dim).map(|other| if other == at { 1.0 } else { 0.0 }).collect()
}

/// Σ u·uᵀ, `dim × dim`.
fn second_moments(rows: &[f32], dim: usize) -> Vec<f64> {
    let mut moments = vec![0.0; dim * dim];
    for row in rows.chunks_exact(dim) {
        let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let square = dot(&row, &row);
        if square > 0.0 {
            for (line, x) in moments.chunks_exact_mut(dim).zip(&row) {
                let x = x / square;
                line.iter_mut().zip(&row).for_each(|(sum, y)| *sum += x * y);
            }
        }
    }
    moments
}

/// Gram–Schmidt, twice, so that what is left of earlier vectors is rounding. A vector with nothing of its own becomes the first axis that
/// has.
fn orthonormalise(axes: &mut [Vec<f64>], dim: usize) {
    for at in 0..axes.len() {
        let (before, rest) = axes.split_at_mut(at);
        let Some(axis) = rest.first_mut() else { return };
        let own = dot(axis, axis).sqrt();
        let mut left = without(before, axis);
        let mut next = 0;
        while (left <= 1e-9 * own || left == 0.0) && next < dim {
            *axis = unit_along(next, dim);
            // A unit vector that the others nearly make up has little of its own.
            left = if without(before, axis) > 1e-3 { dot(axis, axis).sqrt() } else { 0.0 };
            next += 1;
        }
        axis.iter_mut().for_each(|value| *value /= left.max(f64::MIN_POSITIVE));
    }
}

/// Takes away what `axis` has of the others, which are orthonormal; returns the length that is left.
fn without(others: &[Vec<f64>], axis: &mut [f64]) -> f64 {
    for other in others.iter().chain(others) {
        let along = dot(axis, other);
        axis.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
    }
    dot(axis, axis).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(axes: &[f32], dim: usize) -> Vec<f32> {
        let rows = axes.chunks_exact(dim);
        rows.clone().flat_map(|a| rows.clone().map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum())).collect()
    }

    #[test]
    fn the_strongest_directions_are_found_and_orthonormal() {
        // In the plane of (1, 1, 0, 0) and (0, 0, 1, −1), more along the first.
        let (a, b) = ([1.0f32, 1.0, 0.0, 0.0], [0.0f32, 0.0, 1.0, -1.0]);
        let mix = |x: f32, y: f32| a.iter().zip(&b).map(move |(a, b)| x * a + y * b).collect::<Vec<_>>();
        let rows: Vec<f32> = [mix(3.0, 0.1), mix(-2.0, 0.2), mix(0.3, 1.0), mix(1.0, -0.1)].concat();
        let axes = principal_axes(&rows, 4, 2);
        let expected = [1.0, 0.0, 0.0, 1.0];
        assert!(gram(&axes, 4).iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6), "{axes:?}");
        let h = std::f32::consts::FRAC_1_SQRT_2;
        let along = |axis: &[f32], to: [f32; 4]| axis.iter().zip(to).map(|(a, b)| a * b).sum::<f32>().abs();
        assert!(along(&axes[..4], [h, h, 0.0, 0.0]) > 0.95, "{axes:?}");
        // Both together span the plane.
        let in_plane = |axis: &[f32]| along(axis, [h, h, 0.0, 0.0]).powi(2) + along(axis, [0.0, 0.0, h, -h]).powi(2);
        assert!((in_plane(&axes[..4]) - 1.0).abs() < 1e-6 && (in_plane(&axes[4..]) - 1.0).abs() < 1e-6, "{axes:?}");
    }

    #[test]
    fn rows_that_vary_in_fewer_directions_give_orthonormal_axes_all_the_same() {
        for rows in [vec![], vec![0.0; 6], vec![1.0, 2.0, 2.0], vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0]] {
            let axes = principal_axes(&rows, 3, 3);
            let expected = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
            assert!(gram(&axes, 3).iter().zip(expected).all(|(got, e)| (got - e).abs() < 1e-6), "{rows:?}: {axes:?}");
        }
        assert_eq!(principal_axes(&[1.0, 2.0], 2, 5).len(), 4);
    }
}

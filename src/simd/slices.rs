//! Plain work on slices of f32 that several rooms share.

/// Σ a · b over as many values as both have, in eight sums that the compiler makes vectors of.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Consecutive parts of given lengths, which are no more than there is.
#[cfg(feature = "train")]
pub(crate) fn split(mut values: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let mut parts = Vec::new();
    for length in lengths {
        let (part, rest) = std::mem::take(&mut values).split_at_mut(length);
        parts.push(part);
        values = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn every_value_counts_once() {
        for n in [0, 1, 7, 8, 9, 24, 33] {
            let a: Vec<f32> = (0..n).map(|at| at as f32).collect();
            assert_eq!(dot(&a, &vec![2.0; n]), (n * n.saturating_sub(1)) as f32);
        }
    }
}

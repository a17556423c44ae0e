//! scikit-learn's `train_test_split(…, test_size, random_state)`: WorkRB splits SkillMatch with it.
//!
//! It permutes the rows by numpy's legacy generator (MT19937, a Fisher–Yates shuffle from the end, bounded numbers by masking and
//! rejection); the first ⌈test_size · n⌉ are the test set and the others the rest.

use rand_mt::Mt;

/// `numpy.random.RandomState(seed).permutation(n)`, for n below 2³².
pub(super) fn permutation(seed: u32, n: usize) -> Vec<usize> {
    let mut generator = Mt::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, below_or_equal(&mut generator, at as u32) as usize);
    }
    order
}

/// A number in 0…max.
fn below_or_equal(generator: &mut Mt, max: u32) -> u32 {
    let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
    loop {
        let drawn = generator.next_u32() & mask;
        if drawn <= max {
            return drawn;
        }
    }
}

/// The rows of the rest and of the test set, each in the order of the permutation. `test_tenths` of ten rows are the test set's.
pub(super) fn rest_and_test(seed: u32, n: usize, test_tenths: usize) -> (Vec<usize>, Vec<usize>) {
    let mut test = permutation(seed, n);
    let rest = test.split_off((n * test_tenths).div_ceil(10).min(n));
    (rest, test)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.RandomState(42).permutation(10)`.
    #[test]
    fn permutations_are_numpy_s() {
        assert_eq!(permutation(42, 10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!((permutation(42, 0), permutation(42, 1)), (vec![], vec![0]));
    }

    #[test]
    fn every_row_is_on_one_side() {
        let (rest, test) = rest_and_test(42, 11, 9);
        assert_eq!((rest.len(), test.len()), (1, 10));
        let mut all = [rest, test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..11).collect::<Vec<_>>());
    }
}

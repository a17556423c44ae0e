//! Where a query's positives stand in its ranking.

/// The ranks of `positives` among `scores`, from 1, rising. Equal scores rank in the order of the targets.
///
/// Costs a pass over the scores for each positive, and no sorting. Scores that are not numbers rank last; positives beyond the
/// scores are left out.
pub fn of(scores: &[f32], positives: &[u32]) -> Vec<u32> {
    let mut ranks: Vec<u32> = positives.iter().filter_map(|&positive| rank(scores, positive as usize)).collect();
    ranks.sort_unstable();
    ranks
}

fn rank(scores: &[f32], positive: usize) -> Option<u32> {
    let score = *scores.get(positive)?;
    let (before, from) = scores.split_at(positive);
    if score.is_nan() {
        let numbers = scores.iter().filter(|score| !score.is_nan()).count();
        let earlier = before.iter().filter(|score| score.is_nan()).count();
        return Some((numbers + earlier + 1) as u32);
    }
    // Sums of ones, which the compiler makes of vector comparisons.
    let earlier: u32 = before.iter().map(|&other| u32::from(other >= score)).sum();
    let higher: u32 = from.iter().map(|&other| u32::from(other > score)).sum();
    Some(earlier + higher + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::of;

    #[test]
    fn ties_are_in_the_order_of_the_targets() {
        assert_eq!(of(&[0.5, 0.5, 0.5, 0.9], &[0, 2]), [2, 4]);
        assert_eq!(of(&[0.5, f32::NAN, 0.9, f32::NAN], &[1, 3, 2, 9]), [1, 3, 4]);
        assert_eq!(of(&[f32::NEG_INFINITY, -1.0], &[0]), [2]);
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_a_stable_sort(
            scores in prop::collection::vec(prop_oneof![Just(0.25f32), Just(0.0), Just(-0.0), -1.0f32..1.0], 1..80),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut positives: Vec<u32> = picks.iter().map(|pick| pick.index(scores.len()) as u32).collect();
            positives.sort_unstable();
            positives.dedup();
            let mut order: Vec<u32> = (0..scores.len() as u32).collect();
            order.sort_by(|a, b| scores[*b as usize].partial_cmp(&scores[*a as usize]).unwrap());
            let expected: Vec<u32> = (1..).zip(&order).filter(|(_, t)| positives.contains(t)).map(|(r, _)| r).collect();
            prop_assert_eq!(of(&scores, &positives), expected);
        }
    }
}

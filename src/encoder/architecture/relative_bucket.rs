//! The buckets into which MPNet puts the distances between tokens.

/// Distances from here on share one bucket.
const MAX_DISTANCE: f64 = 128.0;

/// The bucket, below `buckets`, of a key that stands `distance` tokens after the query (before it: a negative distance).
///
/// As in T5 (Raffel et al. 2019, arXiv 1910.10683): one half of the buckets is for keys after the query. In each half one
/// half again holds a single distance each, from 0 on, and the other grows with the logarithm up to 128 tokens.
pub(crate) fn relative_bucket(distance: isize, buckets: usize) -> usize {
    let half = (buckets / 2).max(1);
    let single = (half / 2).max(1);
    let n = distance.unsigned_abs();
    let bucket = if n < single {
        n
    } else {
        let share = (n as f64 / single as f64).log2() / (MAX_DISTANCE / single as f64).log2();
        single + (share * (half - single) as f64) as usize
    };
    bucket.min(half - 1) + if distance > 0 { half } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_where_those_of_transformers_do() {
        // The first distance of each bucket, as `MPNetEncoder.relative_position_bucket` has them.
        let first = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91, 1200];
        for (bucket, ends) in first.windows(2).enumerate() {
            for n in ends[0]..ends[1] {
                assert_eq!(relative_bucket(-n, 32), bucket, "{n} before");
                assert_eq!(relative_bucket(n, 32), if n == 0 { 0 } else { 16 + bucket }, "{n} after");
            }
        }
    }

    #[test]
    fn every_distance_has_a_bucket_at_every_number_of_buckets() {
        for buckets in [2, 3, 4, 7, 32, 64, 4096] {
            for distance in [isize::MIN, -200, -1, 0, 1, 127, 128, isize::MAX] {
                assert!(relative_bucket(distance, buckets) < buckets, "{distance} of {buckets}");
            }
        }
    }
}

//! What a token's place does to attention: a learned bias by distance (MPNet, as in T5), or rotary embeddings (ModernBERT).

/// For each head and each distance a number that is added to the score.
pub(super) struct PositionBias {
    /// Distances −(places − 1) … places − 1 for each head.
    values: Vec<f32>,
    places: usize,
}

/// The biases of one head.
#[derive(Clone, Copy)]
pub(super) struct BiasOfHead<'a> {
    values: &'a [f32],
    places: usize,
}

impl PositionBias {
    /// From a table of `heads` values for each bucket; `bucket` says which one a distance (key − query) belongs to.
    pub(super) fn new(table: &[f32], heads: usize, places: usize, bucket: impl Fn(isize) -> usize) -> Self {
        let last = places.saturating_sub(1).cast_signed();
        let of_head = |head: usize| {
            let bucket = &bucket;
            (-last..=last).map(move |distance| table.get(bucket(distance) * heads + head).copied().unwrap_or(0.0))
        };
        Self { values: (0..heads).flat_map(of_head).collect(), places }
    }

    pub(super) fn of(&self, head: usize) -> BiasOfHead<'_> {
        let width = (2 * self.places).saturating_sub(1);
        BiasOfHead { values: self.values.get(head * width..).unwrap_or_default(), places: self.places }
    }
}

impl<'a> BiasOfHead<'a> {
    /// A query's biases for the keys 0 … n − 1, where there are at most as many places.
    pub(super) fn of(self, query: usize, n: usize) -> &'a [f32] {
        let first = self.places.saturating_sub(1).saturating_sub(query);
        self.values.get(first..first + n).unwrap_or_default()
    }
}

/// Values of the table of rotations; places beyond it are computed when they are needed.
const MAX_TABLE: usize = 1 << 22;

/// Rotary position embeddings (RoFormer, arXiv 2104.09864), halves rotated against each other.
pub(super) struct Rotary {
    /// For each place the cosines, then the sines, of half a head's angles.
    table: Vec<f32>,
    frequencies: Vec<f32>,
}

impl Rotary {
    /// For heads of `width` values; angle i of place p is p · θ^(−2i / width).
    pub(super) fn new(places: usize, width: usize, theta: f64) -> Self {
        let half = width / 2;
        let frequency = |i: usize| (1.0 / theta.powf(2.0 * i as f64 / width as f64)) as f32;
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let places = places.min(MAX_TABLE / width.max(1));
        let table = (0..places).flat_map(|place| rotation(place, &frequencies)).collect();
        Self { table, frequencies }
    }

    /// Rotates a head's query or key; what is beyond the angles stays.
    pub(super) fn rotate(&self, place: usize, head: &mut [f32]) {
        let half = self.frequencies.len();
        match self.table.get(2 * half * place..2 * half * (place + 1)) {
            Some(rotation) => rotate(rotation, head),
            None => rotate(&rotation(place, &self.frequencies).collect::<Vec<f32>>(), head),
        }
    }
}

/// The cosines, then the sines, of a place's angles. As in transformers, angles are f32.
fn rotation(place: usize, frequencies: &[f32]) -> impl Iterator<Item = f32> {
    let angles = frequencies.iter().map(move |frequency| f64::from(place as f32 * frequency));
    angles.clone().map(|angle| angle.cos() as f32).chain(angles.map(|angle| angle.sin() as f32))
}

fn rotate(rotation: &[f32], head: &mut [f32]) {
    let (cosines, sines) = rotation.split_at(rotation.len() / 2);
    let Some((first, second)) = head.split_at_mut_checked(cosines.len()) else { return };
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_the_table_are_rotated_too() {
        let (width, place) = (1 << 12, 1 << 11);
        let rotary = Rotary::new(place, width, 10_000.0);
        assert!(rotary.table.len() <= MAX_TABLE);
        let mut head: Vec<f32> = (0..width).map(|i| i as f32).collect();
        rotary.rotate(place, &mut head);
        let angle = f64::from(place as f32 * rotary.frequencies[1]);
        let expected = angle.cos() - (width / 2 + 1) as f64 * angle.sin();
        assert!((f64::from(head[1]) - expected).abs() < 1e-3, "{} for {expected}", head[1]);
    }

    #[test]
    fn a_bias_is_that_of_the_distance() {
        let table: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let bias = PositionBias::new(&table, 2, 3, |distance| (distance + 2) as usize);
        // Distances −2 … 2 are buckets 0 … 4; head 1 has the odd values.
        assert_eq!(bias.of(1).of(0, 3), [5.0, 7.0, 9.0]);
        assert_eq!(bias.of(1).of(2, 3), [1.0, 3.0, 5.0]);
        assert_eq!(bias.of(0).of(1, 2), [2.0, 4.0]);
    }
}

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

/// Rotary position embeddings (RoFormer, arXiv 2104.09864), halves rotated against each other.
pub(super) struct Rotary {
    /// For each place the cosines, then the sines, of half a head's angles.
    table: Vec<f32>,
    half: usize,
}

impl Rotary {
    /// For heads of `width` values; angle i of place p is p · θ^(−2i / width).
    pub(super) fn new(places: usize, width: usize, theta: f64) -> Self {
        let half = width / 2;
        let mut table = Vec::with_capacity(places * 2 * half);
        // As transformers: the frequencies and the angles are f32.
        let frequency = |i: usize| (1.0 / theta.powf(2.0 * i as f64 / width as f64)) as f32;
        for place in 0..places {
            let angles = (0..half).map(|i| f64::from(place as f32 * frequency(i)));
            table.extend(angles.clone().map(|angle| angle.cos() as f32));
            table.extend(angles.map(|angle| angle.sin() as f32));
        }
        Self { table, half }
    }

    /// Rotates a head's query or key; what is beyond the angles stays.
    pub(super) fn rotate(&self, place: usize, head: &mut [f32]) {
        let Some(angles) = self.table.get(2 * self.half * place..2 * self.half * (place + 1)) else { return };
        let (cosines, sines) = angles.split_at(self.half);
        let Some((first, second)) = head.split_at_mut_checked(self.half) else { return };
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

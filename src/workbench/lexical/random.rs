//! A number drawn for each pair of texts, the same one always: by a hash of the two.

pub(super) struct Draws(Vec<u64>);

impl Draws {
    pub(super) fn new(targets: &[String]) -> Self {
        Self(targets.iter().map(|target| hash(target)).collect())
    }

    pub(super) fn scores(&self, query: &str) -> Vec<f32> {
        let query = hash(query);
        // 24 bits: every number in 0…1 that f32 has at equal distances.
        let draw = |target: &u64| (mixed(query.wrapping_add(*target)) >> 40) as f32 / (1u32 << 24) as f32;
        self.0.iter().map(draw).collect()
    }
}

fn hash(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The output function of SplitMix64.
fn mixed(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

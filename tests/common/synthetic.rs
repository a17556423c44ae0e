//! Spaces of made-up token matrices: clustered so that many scores are close, with ties, zero rows and long targets. The same
//! on every platform.

use workindex::{DeclaredEncoder, Direction, Interaction, Monitor, Rule, Space, TokenMatrix, Weights, WorkIndex};

use super::{list_release, scratch};

/// A splitmix64 generator.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ 0xE703_7ED1_A0B4_28DB)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to n − 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// −1 to 1.
    pub fn value(&mut self) -> f32 {
        ((self.next() >> 40) as f32 - 8_388_608.0) / 8_388_608.0
    }

    pub fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What kind of space is made.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub dim: usize,
    pub targets: usize,
    /// Rows lie around so many directions.
    pub topics: usize,
    /// How far a row is from its topic, against the topic's own length.
    pub spread: f32,
    /// The most rows of ordinary targets.
    pub rows: usize,
    /// The largest value of a row.
    pub size: f32,
    /// Whether there are zero rows, equal rows, duplicates, nearly equal and very long targets too.
    pub hostile: bool,
}

/// A space of such targets in two segments, and what is in it.
pub struct World {
    pub shape: Shape,
    pub space: Space,
    /// By target.
    pub targets: Vec<TokenMatrix>,
    pub index: WorkIndex,
    topics: Vec<Vec<f32>>,
    _folder: tempfile::TempDir,
}

impl World {
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let topics: Vec<Vec<f32>> = (0..shape.topics).map(|_| random.values(shape.dim)).collect();
        let mut targets: Vec<TokenMatrix> = Vec::new();
        for _ in 0..shape.targets {
            let target = match (shape.hostile, random.below(40)) {
                (true, 0..=3) if !targets.is_empty() => targets[random.below(targets.len())].clone(),
                (true, 4..=5) if !targets.is_empty() => {
                    let like = random.below(targets.len());
                    nearly(&mut random, &targets[like])
                }
                (true, 6) => TokenMatrix::new(shape.dim, vec![0.0; shape.dim]).unwrap(),
                (true, 7) if random.one_in(8) => matrix(&mut random, &shape, &topics, 300),
                (_, _) => {
                    let rows = 1 + random.below(shape.rows);
                    matrix(&mut random, &shape, &topics, rows)
                }
            };
            targets.push(target);
        }
        Self::of(shape, targets, topics)
    }

    /// The targets given: every third one in a release of its own first, so that their rows are in two segments.
    pub fn of(shape: Shape, targets: Vec<TokenMatrix>, topics: Vec<Vec<f32>>) -> Self {
        let (folder, path) = scratch();
        let encoder = DeclaredEncoder::new("made-by-hand", shape.dim).unwrap();
        let mut writer = WorkIndex::create_declared(&path, &encoder).unwrap();
        let labels: Vec<String> = (0..targets.len()).map(|at| format!("target {at}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        for (version, step) in [("1", 3), ("2", 1)] {
            let some: Vec<&str> = labels.iter().copied().step_by(step).collect();
            let matrices: Vec<TokenMatrix> = targets.iter().step_by(step).cloned().collect();
            writer.ingest_matrices(&list_release(version, &some), &matrices, &Monitor::silent()).unwrap();
            writer.commit().unwrap();
        }
        let index = WorkIndex::open(&path).unwrap();
        let space = index.space("list/skill/en").unwrap();
        assert_eq!(space.len(), targets.len());
        Self { shape, space, targets, index, topics, _folder: folder }
    }

    /// A query of so many tokens: around the topics of the space, sometimes equal to a target or near it.
    pub fn query(&self, random: &mut Random, tokens: usize) -> TokenMatrix {
        let like = &self.targets[random.below(self.targets.len())];
        match random.below(5) {
            0 => like.clone(),
            1 => nearly(random, like),
            _ => matrix(random, &self.shape, &self.topics, tokens),
        }
    }
}

fn matrix(random: &mut Random, shape: &Shape, topics: &[Vec<f32>], rows: usize) -> TokenMatrix {
    let Shape { dim, spread, size, hostile, .. } = *shape;
    let mut values: Vec<f32> = Vec::with_capacity(rows * dim);
    // Tokens of a text are of one topic or two, as those of a real one are.
    let of_text = [random.below(topics.len()), random.below(topics.len())];
    for row in 0..rows {
        match random.below(30) {
            0 if hostile => values.extend(vec![0.0; dim]),
            1 if hostile && row > 0 => values.extend_from_within(..dim),
            _ => {
                let topic = &topics[random.pick(&of_text)];
                values.extend(topic.iter().map(|t| (t + spread * random.value()) * size / (1.0 + spread)));
            }
        }
    }
    TokenMatrix::new(dim, values).unwrap()
}

/// A matrix that differs by less than an 8-bit copy can tell, or by a little more.
fn nearly(random: &mut Random, of: &TokenMatrix) -> TokenMatrix {
    let by = random.pick(&[1e-6, 1e-4, 1e-2]);
    let values = of.values().iter().map(|v| v * (1.0 + by * random.value())).collect();
    TokenMatrix::new(of.dim(), values).unwrap()
}

/// Every interaction in every direction with either kind of weights, at temperatures of each scale in turn.
pub fn every_rule(random: &mut Random) -> Vec<Rule> {
    let mut rules = Vec::new();
    for interaction in [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool] {
        for direction in [Direction::Query, Direction::Target, Direction::Both] {
            for weights in [Weights::Cosine, Weights::Raw] {
                let temperature = random.pick(&[1e-4, 0.01, 0.0234, 0.0236, 0.1, 0.5, 1.0, 50.0]);
                rules.push(Rule { interaction, direction, weights, temperature });
            }
        }
    }
    rules
}

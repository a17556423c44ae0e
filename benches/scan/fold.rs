//! Soft late interaction over a block of cosines, with targets in lanes and `exp` as a polynomial.

// One index for several arrays of lanes is what the compiler turns into vector instructions.
#![allow(clippy::needless_range_loop)]

/// Targets that are folded together: a multiple of the lanes of all vector registers.
pub const LANES: usize = 16;
const INVERSE_TEMPERATURE: f32 = 10.0;

type Lanes = [f32; LANES];

/// The widest instructions that this machine has.
#[derive(Clone, Copy)]
pub enum Fold {
    Avx512,
    Avx2,
    Portable,
}

impl Fold {
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Fold::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Fold::Avx2;
            }
        }
        Fold::Portable
    }

    /// The scores of `lanes` targets of `len` rows from the cosines of one query: token i of the query with row j of
    /// target t at `(i · len + j) · lanes + t`. `lanes` is a multiple of [`LANES`].
    pub fn scores(self, cosines: &[f32], len: usize, lanes: usize, out: &mut [f32]) {
        match self {
            // SAFETY: `detect` found the instructions.
            #[cfg(target_arch = "x86_64")]
            Fold::Avx512 => unsafe { avx512(cosines, len, lanes, out) },
            // SAFETY: `detect` found the instructions.
            #[cfg(target_arch = "x86_64")]
            Fold::Avx2 => unsafe { avx2(cosines, len, lanes, out) },
            _ => scores::<false>(cosines, len, lanes, out),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512(cosines: &[f32], len: usize, lanes: usize, out: &mut [f32]) {
    scores::<true>(cosines, len, lanes, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(cosines: &[f32], len: usize, lanes: usize, out: &mut [f32]) {
    scores::<true>(cosines, len, lanes, out);
}

/// Softmax sums: of the weights, and of the weighted cosines.
#[derive(Clone, Copy)]
struct Sums {
    weights: Lanes,
    weighted: Lanes,
}

impl Sums {
    const ZERO: Self = Self { weights: [0.0; LANES], weighted: [0.0; LANES] };

    #[inline(always)]
    fn add<const FMA: bool>(&mut self, weights: &Lanes, cosines: &Lanes) {
        for l in 0..LANES {
            self.weights[l] += weights[l];
            self.weighted[l] = fma::<FMA>(weights[l], cosines[l], self.weighted[l]);
        }
    }

    #[inline(always)]
    fn add_mean(&self, scale: f32, out: &mut Lanes) {
        for l in 0..LANES {
            out[l] += scale * self.weighted[l] / self.weights[l];
        }
    }
}

#[inline(always)]
fn scores<const FMA: bool>(cosines: &[f32], len: usize, lanes: usize, out: &mut [f32]) {
    let n_tokens = cosines.len() / len / lanes;
    // Of each row of the targets, over the query's tokens.
    let mut backward = vec![Sums::ZERO; len];
    for (at, out) in (0..lanes).step_by(LANES).zip(out.chunks_exact_mut(LANES)) {
        let mut total = [0.0; LANES];
        backward.fill(Sums::ZERO);
        for token in cosines.chunks_exact(len * lanes) {
            let mut forward = Sums::ZERO;
            for (row, backward) in token.chunks_exact(lanes).zip(&mut backward) {
                let mut cosines = [0.0; LANES];
                cosines.copy_from_slice(&row[at..at + LANES]);
                let weights = weights::<FMA>(&cosines);
                forward.add::<FMA>(&weights, &cosines);
                backward.add::<FMA>(&weights, &cosines);
            }
            forward.add_mean(0.5 / n_tokens as f32, &mut total);
        }
        backward.iter().for_each(|sums| sums.add_mean(0.5 / len as f32, &mut total));
        out.copy_from_slice(&total);
    }
}

/// exp((c − 1) / τ): no maximum is needed, because a cosine is at most 1 and at least −1.
///
/// 2^y = 2^n · 2^f with n the nearest whole number, n added to the exponent's bits, 2^f by its Taylor polynomial; relative
/// error below 3e-6.
#[inline(always)]
fn weights<const FMA: bool>(cosines: &Lanes) -> Lanes {
    const SCALE: f32 = INVERSE_TEMPERATURE * std::f32::consts::LOG2_E;
    /// 1.5 · 2²³: adding it rounds to a whole number and leaves that number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const TERMS: [f32; 5] = [0.001_333_355_8, 0.009_618_129, 0.055_504_11, 0.240_226_5, std::f32::consts::LN_2];
    let mut weights = [0.0; LANES];
    for l in 0..LANES {
        let y = fma::<FMA>(cosines[l], SCALE, -SCALE);
        let rounded = y + ROUND;
        let f = y - (rounded - ROUND);
        let power = TERMS.iter().fold(0.000_154_035_3, |sum, term| fma::<FMA>(sum, f, *term));
        let power = fma::<FMA>(power, f, 1.0);
        weights[l] = f32::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 23));
    }
    weights
}

#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

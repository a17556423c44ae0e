//! eˣ of non-positive f32 values: branch-free, so that loops over it vectorise, and the same bits on every platform that has
//! (or has not) fused multiply-add.

use super::machine::Machine;

/// Below this eˣ is taken as e⁻⁸⁷ ≈ 1.6e-38, which no softmax in f32 notices beside its largest weight of 1.
const LOWEST: f32 = -87.0;
/// ln 2 in two parts: k · LN2_HIGH is exact for |k| < 2¹⁵.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Adding and subtracting 1.5 · 2²³ rounds to the nearest integer.
const ROUNDER: f32 = 12_582_912.0;
/// (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2, highest power first (Cephes, expf).
const COEFFICIENTS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// eˣ for x ≤ 0 (−∞ included), with a relative error below 2e-7. Never NaN, never above 1.
#[inline(always)]
pub(crate) fn exp_non_positive<M: Machine>(x: f32) -> f32 {
    // Comparisons in this order also replace NaN, and each is one instruction, unlike `clamp`, `max` and `min`.
    let x = if x > LOWEST { x } else { LOWEST };
    exp_in_range::<M>(if x < 0.0 { x } else { 0.0 })
}

/// The same for −87 ≤ x ≤ 0, which the caller knows.
#[inline(always)]
pub(crate) fn exp_in_range<M: Machine>(x: f32) -> f32 {
    let rounded = M::mul_add(x, std::f32::consts::LOG2_E, ROUNDER);
    let k = rounded - ROUNDER;
    let r = M::mul_add(k, -LN2_LOW, M::mul_add(k, -LN2_HIGH, x));
    let [highest, rest @ ..] = COEFFICIENTS;
    let p = rest.into_iter().fold(highest, |p, c| M::mul_add(p, r, c));
    // The lowest bits of `rounded` are the integer k ∈ −126…0 itself, so the exponent bits are those of a normal number.
    let power_of_two = f32::from_bits(rounded.to_bits().wrapping_sub(ROUNDER.to_bits() - 127) << 23);
    (M::mul_add(p * r, r, r) + 1.0) * power_of_two
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::fused::Fused;
    use crate::simd::machine::Plain;

    #[test]
    fn it_is_the_exponential_to_within_2e_7() {
        for exp in [exp_non_positive::<Plain>, exp_non_positive::<Fused>] {
            let error = |x: f32| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
            let worst = (0..=870_000).map(|step| error(-(step as f32) / 10_000.0)).fold(0.0, f64::max);
            assert!(worst <= 2e-7, "{worst:e}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for exp in [exp_non_positive::<Plain>, exp_non_positive::<Fused>] {
            assert_eq!(exp(0.0), 1.0);
            for x in [f32::NEG_INFINITY, f32::MIN, -88.0, f32::NAN] {
                let y = exp(x);
                assert!(y > 0.0 && y <= 1.7e-38, "{x}: {y:e}");
            }
            assert_eq!(exp(-f32::from_bits(1)), 1.0);
        }
    }
}

//! eˣ of non-positive f32 values: branch-free, so that loops over it vectorise, and the same bits on every platform.

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
#[inline]
pub(crate) fn exp_non_positive(x: f32) -> f32 {
    // In this order `max` also replaces NaN, which `clamp` would keep.
    #[allow(clippy::manual_clamp)]
    let x = x.max(LOWEST).min(0.0);
    let k = (x * std::f32::consts::LOG2_E + ROUNDER) - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let p = COEFFICIENTS.into_iter().fold(0.0, |p, c| p * r + c);
    // k ∈ −126…0, so the exponent bits are those of a normal number.
    let power_of_two = f32::from_bits(((k as i32 + 127) as u32) << 23);
    (p * r * r + r + 1.0) * power_of_two
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_within_2e_7() {
        let mut worst = 0.0f64;
        for step in 0..=870_000 {
            let x = -(step as f32) / 10_000.0;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp_non_positive(x)) / exact - 1.0).abs());
        }
        assert!(worst <= 2e-7, "{worst:e}");
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(exp_non_positive(0.0), 1.0);
        for x in [f32::NEG_INFINITY, f32::MIN, -88.0, f32::NAN] {
            let y = exp_non_positive(x);
            assert!(y > 0.0 && y <= 1.7e-38, "{x}: {y:e}");
        }
        assert_eq!(exp_non_positive(-f32::from_bits(1)), 1.0);
    }
}

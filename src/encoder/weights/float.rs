//! Little-endian numbers of four types, as bytes: widened to f32, or looked through for values that are
//! not finite. Loops without branches, which the compiler turns into vector code on every processor; bytes need not be
//! aligned.

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FloatType {
    F32,
    F16,
    BF16,
    /// Whole numbers, to be multiplied with the scale of their row.
    I8,
}

/// Bytes that are looked through before it is asked whether all of them were finite: far below any cache's size.
const BLOCK: usize = 16 << 10;

impl FloatType {
    /// Bytes per number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::I8 => 1,
        }
    }

    /// Every number of `bytes` into its place in `out`; as many as both have.
    pub(super) fn widen(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, out, f32::from_le_bytes),
            Self::F16 => each(bytes, out, |b| f32_of_f16(u16::from_le_bytes(b))),
            Self::BF16 => each(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            Self::I8 => each(bytes, out, |b| f32::from(i8::from_le_bytes(b))),
        }
    }

    /// Whether no number is infinite or NaN.
    ///
    /// Those have all bits of the exponent set. One added to the lowest of these bits then carries into the bit of the sign,
    /// which was cleared before, and it does for no other number.
    pub(super) fn all_finite(self, bytes: &[u8]) -> bool {
        bytes.chunks(BLOCK).all(|block| match self {
            Self::F32 => fold(block, |b| (u32::from_le_bytes(b) & 0x7fff_ffff) + 0x0080_0000) >> 31 == 0,
            Self::F16 => fold(block, |b| (u16::from_le_bytes(b) & 0x7fff) + 0x0400) >> 15 == 0,
            Self::BF16 => fold(block, |b| (u16::from_le_bytes(b) & 0x7fff) + 0x0080) >> 15 == 0,
            Self::I8 => true,
        })
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], widen: impl Fn([u8; N]) -> f32) {
    let (numbers, _) = bytes.as_chunks::<N>();
    out.iter_mut().zip(numbers).for_each(|(out, number)| *out = widen(*number));
}

fn fold<const N: usize, T: Default + std::ops::BitOr<Output = T>>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> T {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().fold(T::default(), |all, number| all | of(*number))
}

/// Exactly the same number. The bits of exponent and fraction, moved into their places, are the number times 2⁻¹¹²
/// (subnormal ones included), which is exact to undo; only infinity and NaN then lack the rest of their exponent.
fn f32_of_f16(half: u16) -> f32 {
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
    const BEYOND_F16: f32 = 65_536.0;
    let magnitude = f32::from_bits(u32::from(half & 0x7fff) << 13) * SCALE;
    let exponent = if magnitude >= BEYOND_F16 { 0xff << 23 } else { 0 };
    f32::from_bits(magnitude.to_bits() | exponent | u32::from(half & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    fn widened(float_type: FloatType, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![7.0; bytes.len() / float_type.size()];
        float_type.widen(bytes, &mut out);
        out
    }

    #[test]
    fn every_number_of_sixteen_bits_is_widened_as_candle_does_and_told_finite_or_not() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        for (float_type, dtype) in [(FloatType::F16, DType::F16), (FloatType::BF16, DType::BF16)] {
            let candle = Tensor::from_raw_buffer(&bytes, dtype, &[1 << 16], &Device::Cpu).unwrap();
            let expected = candle.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
            for (i, (got, expected)) in widened(float_type, &bytes).into_iter().zip(expected).enumerate() {
                let same = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
                assert!(same, "{float_type:?} {i:#06x}: {got} for {expected}");
                assert_eq!(float_type.all_finite(&bytes[2 * i..2 * i + 2]), expected.is_finite(), "{i:#06x}");
            }
        }
    }

    #[test]
    fn one_infinite_value_is_found_wherever_it_stands() {
        let edges = [0.0, -0.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 1e-45, -1e-45];
        let bytes: Vec<u8> = edges.iter().cycle().take(3 * BLOCK / 4 + 5).flat_map(|v| v.to_le_bytes()).collect();
        assert!(FloatType::F32.all_finite(&bytes));
        assert!(FloatType::F32.all_finite(&[]));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7f80_0001)] {
            for at in [0, 1, BLOCK / 4 - 1, BLOCK / 4, bytes.len() / 4 - 1] {
                let mut bytes = bytes.clone();
                bytes[4 * at..4 * at + 4].copy_from_slice(&bad.to_le_bytes());
                assert!(!FloatType::F32.all_finite(&bytes), "{bad} at {at}");
            }
        }
    }

    #[test]
    fn as_many_numbers_are_widened_as_both_sides_have() {
        let bytes: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut out = [7.0; 3];
        FloatType::F32.widen(&bytes, &mut out);
        assert_eq!(out, [1.5, -2.0, 7.0]);
        FloatType::F32.widen(&bytes[4..], &mut out[2..]);
        assert_eq!(out, [1.5, -2.0, -2.0]);
    }
}

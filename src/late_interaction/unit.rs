//! From a raw vector to a rotated unit vector and its norm: the first step of queries and of stored rows alike.

use crate::error::{Error, Result};

use super::rotation::Rotation;

/// Writes R raw / ‖raw‖ to `out` and returns ‖raw‖; a zero vector stays zero and has the norm 0.
///
/// The norm is summed in order in f64, where no finite f32 row overflows or underflows, so tiny and huge vectors keep
/// their direction.
///
/// # Errors
/// [`Error::Matrix`] when a length differs from the rotation's, a value is not finite, or the norm exceeds f32.
pub(crate) fn unit_rotated(rotation: &Rotation, raw: &[f32], out: &mut [f32], scratch: &mut Vec<f32>) -> Result<f32> {
    let dim = rotation.dim();
    if raw.len() != dim || out.len() != dim {
        return Err(malformed(format!("rows of {dim} values"), format!("{} and {}", raw.len(), out.len())));
    }
    if let Some(at) = raw.iter().position(|v| !v.is_finite()) {
        return Err(malformed("finite values".to_string(), format!("{} in column {at}", raw[at])));
    }
    let norm = raw.iter().fold(0.0f64, |sum, &v| sum + f64::from(v) * f64::from(v)).sqrt();
    let stored = norm as f32;
    if !stored.is_finite() {
        return Err(malformed("a row norm within f32".to_string(), format!("{norm:e}")));
    }
    if norm == 0.0 {
        out.fill(0.0);
        return Ok(0.0);
    }
    out.iter_mut().zip(raw).for_each(|(out, &v)| *out = (f64::from(v) / norm) as f32);
    rotation.apply(out, scratch);
    Ok(stored)
}

fn malformed(expected: String, got: String) -> Error {
    Error::Matrix { expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_has_norm_one_whatever_the_input_s() {
        let rotation = Rotation::new(6);
        for factor in [1e-44f32, 1e-20, 1.0, 1e37] {
            let raw = [1.0, -2.0, 3.0, 0.5, 0.0, 7.0].map(|v| v * factor);
            let mut out = [0.0; 6];
            let norm = unit_rotated(&rotation, &raw, &mut out, &mut Vec::new()).unwrap();
            let square: f64 = out.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            assert!(norm > 0.0 && (square - 1.0).abs() <= 1e-6, "{factor}: {square}");
        }
    }

    #[test]
    fn a_zero_vector_stays_zero() {
        let mut out = [5.0; 3];
        assert_eq!(unit_rotated(&Rotation::new(3), &[0.0; 3], &mut out, &mut Vec::new()).unwrap(), 0.0);
        assert_eq!(out, [0.0; 3]);
    }

    #[test]
    fn the_error_names_the_column() {
        let error = unit_rotated(&Rotation::new(2), &[1.0, f32::NAN], &mut [0.0; 2], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("column 1"), "{error}");
        let error = unit_rotated(&Rotation::new(2), &[1.0; 3], &mut [0.0; 2], &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("rows of 2 values"), "{error}");
    }
}

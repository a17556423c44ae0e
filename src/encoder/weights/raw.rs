//! A tensor's numbers where they lie in the mapped file.

use std::ops::Range;
use std::sync::Arc;

use super::float::FloatType;
use super::tensor_error;
use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;

/// Numbers in a mapped file, row-major; keeps the file mapped. Clones are cheap.
#[derive(Debug, Clone)]
pub(crate) struct RawTensor {
    pub(super) file: Arc<MappedFile>,
    pub(super) name: Arc<str>,
    pub(super) shape: Arc<[usize]>,
    pub(super) float_type: FloatType,
    /// Of [`FloatType::I8`], and of it alone: what the numbers of each row are multiplied with, all finite.
    pub(super) scales: Option<Arc<[f32]>>,
    /// In the file: `len × size of the type` bytes.
    pub(super) range: Range<usize>,
}

impl RawTensor {
    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.range.len() / self.float_type.size()
    }

    /// All values.
    ///
    /// # Errors
    /// [`Error::Tensor`] when one is not finite.
    pub(crate) fn to_f32(&self) -> Result<Vec<f32>> {
        self.check_finite()?;
        let mut values = vec![0.0; self.len()];
        self.float_type.widen(self.bytes(), &mut values);
        self.scale(0, &mut values);
        Ok(values)
    }

    /// The values from `start` on, as many as `out` takes; whether they are finite is not looked at. False, and nothing
    /// written, where the tensor has not that many.
    pub(crate) fn read(&self, start: usize, out: &mut [f32]) -> bool {
        let size = self.float_type.size();
        let range = start.checked_mul(size).zip(start.checked_add(out.len()).and_then(|end| end.checked_mul(size)));
        let Some(bytes) = range.and_then(|(start, end)| self.bytes().get(start..end)) else { return false };
        self.float_type.widen(bytes, out);
        self.scale(start, out);
        true
    }

    /// Multiplies the values from `start` on with the scales of their rows.
    fn scale(&self, start: usize, values: &mut [f32]) {
        let Some(scales) = &self.scales else { return };
        let row = (self.len() / scales.len().max(1)).max(1);
        let (mut at, mut rest) = (start, values);
        while !rest.is_empty() {
            let (of_row, behind) = rest.split_at_mut((row - at % row).min(rest.len()));
            let scale = scales.get(at / row).copied().unwrap_or_default();
            of_row.iter_mut().for_each(|value| *value *= scale);
            at += of_row.len();
            rest = behind;
        }
    }

    /// That no value is infinite or NaN.
    ///
    /// # Errors
    /// [`Error::Tensor`] when one is.
    pub(crate) fn check_finite(&self) -> Result<()> {
        if self.all_finite() { Ok(()) } else { Err(self.error("values that are not finite")) }
    }

    /// Whether no value is infinite or NaN.
    pub(crate) fn all_finite(&self) -> bool {
        self.float_type.all_finite(self.bytes())
    }

    /// This tensor is not what it should be.
    pub(crate) fn error(&self, got: impl Into<String>) -> Error {
        tensor_error(self.file.path(), &self.name, &self.shape, got)
    }

    fn bytes(&self) -> &[u8] {
        // The header was proven to describe the file, so the range is inside.
        self.file.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

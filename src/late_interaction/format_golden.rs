//! Golden bytes of the row format, for the tests of this room.

/// One row and what the format makes of it.
#[derive(serde::Deserialize)]
pub(crate) struct FormatGolden {
    pub(crate) input: Vec<f32>,
    pub(crate) rotated_bits: Vec<u32>,
    pub(crate) hi: Vec<i8>,
    pub(crate) lo: Vec<i8>,
    /// Norm, scale, residual.
    pub(crate) scale_bits: [u32; 3],
}

/// The rows of `fixtures/late_interaction/format.json`, made by the script beside it.
pub(crate) fn format_goldens() -> Vec<FormatGolden> {
    serde_json::from_str(include_str!("../../fixtures/late_interaction/format.json")).expect("the fixture is JSON")
}

pub(crate) fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|v| v.to_bits()).collect()
}

//! What is written is what is read: random matrices through a file and back.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{Segment, SegmentBuilder, text_hash};
use crate::late_interaction::rotation::Rotation;
use crate::storage::files::Files;
use crate::token_matrix::TokenMatrix;

const ENCODER: [u8; 32] = [7; 32];

/// One to 40 matrices of one to nine rows: blocks of 16 rows that are full, begun and crossed by forms.
fn matrices() -> impl Strategy<Value = (usize, Vec<Vec<f32>>)> {
    (1usize..40).prop_flat_map(|dim| {
        let value = prop_oneof![4 => -8.0f32..8.0, 1 => Just(0.0)];
        let matrix = (1usize..10).prop_flat_map(move |rows| proptest::collection::vec(value.clone(), rows * dim));
        (Just(dim), proptest::collection::vec(matrix, 1..40))
    })
}

/// The segment, and where each matrix went.
fn write(dim: usize, matrices: &[TokenMatrix]) -> (tempfile::TempDir, Segment, Vec<u32>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.seg");
    let mut builder = SegmentBuilder::new(ENCODER, dim).unwrap();
    for (form, matrix) in matrices.iter().enumerate() {
        builder.push(form as u32 % 2, text_hash(&form.to_string(), &None), matrix).unwrap();
    }
    let written = builder.finish(&Files::default(), &path).unwrap();
    assert_eq!(written.bytes, std::fs::metadata(&path).unwrap().len());
    let segment = Segment::open(&Files::default(), &path, &written.hash).unwrap();
    assert_eq!((segment.n_rows(), segment.n_forms()), (written.n_rows, written.n_forms));
    (folder, segment, written.places)
}

/// The unit row of the encoder's space that a stored row stands for.
fn restored(dim: usize, planes: &super::planes::Planes, row: usize) -> Vec<f32> {
    let (mut hi, mut rows) = (Vec::new(), Vec::new());
    planes.restore(std::iter::once(row), &mut hi, &mut rows);
    Rotation::new(dim).invert(&mut rows, &mut Vec::new());
    rows
}

fn assert_close(raw: &[f32], norm: f32, unit: &[f32]) -> Result<(), TestCaseError> {
    let expected = raw.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    prop_assert!((f64::from(norm) - expected).abs() <= 1e-5 * expected.max(1e-6), "norm {norm}, not {expected}");
    let off = raw.iter().zip(unit).map(|(raw, unit)| (f64::from(*raw) - f64::from(*unit) * expected).powi(2));
    // Half a step a value, the step being at most 1 / 32639 of a unit row (late_interaction::quantize).
    let bound = expected * ((raw.len() as f64).sqrt() / 65_278.0 + 1e-5);
    prop_assert!(off.sum::<f64>().sqrt() <= bound, "{raw:?} came back as {unit:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn matrices_survive_storage((dim, values) in matrices()) {
        let matrices: Vec<_> = values.iter().map(|v| TokenMatrix::new(dim, v.clone()).unwrap()).collect();
        let (_folder, segment, places) = write(dim, &matrices);
        prop_assert!(segment.verify(|_| Ok(())).is_ok());
        prop_assert_eq!((segment.dim(), segment.encoder()), (dim, &ENCODER));
        let mut taken = HashSet::new();
        for ((pushed, matrix), &form) in matrices.iter().enumerate().zip(&places) {
            let rows = segment.rows_of(form);
            prop_assert_eq!(rows.len(), matrix.n_tokens());
            prop_assert!(rows.clone().all(|row| taken.insert(row)));
            prop_assert_eq!(segment.text_hash(form), text_hash(&pushed.to_string(), &None));
            for (row, raw) in rows.zip(matrix.rows()) {
                assert_close(raw, segment.tokens().norms[row], &restored(dim, &segment.tokens(), row))?;
            }
            let (pooled, at) = (segment.pooled(), form as usize);
            assert_close(matrix.pooled(), pooled.norms[at], &restored(dim, &pooled, at))?;
        }
        let beyond = matrices.len() as u32;
        prop_assert!(segment.rows_of(beyond).len() == 0 && segment.rows_of(u32::MAX).len() == 0);
        prop_assert_eq!(segment.text_hash(beyond), [0; 32]);
    }

    /// Copying all forms, as compaction does, makes the same file.
    #[test]
    fn a_copy_of_all_forms_is_the_same_file((dim, values) in matrices()) {
        let matrices: Vec<_> = values.iter().map(|v| TokenMatrix::new(dim, v.clone()).unwrap()).collect();
        let (folder, segment, places) = write(dim, &matrices);
        let mut copy = SegmentBuilder::new(ENCODER, dim).unwrap();
        let mut pushed: Vec<(u32, u32)> = places.into_iter().zip(0..).collect();
        pushed.sort();
        for (form, pushed) in pushed {
            copy.push_stored(pushed % 2, &segment, form).unwrap();
        }
        let written = copy.finish(&Files::default(), &folder.path().join("b.seg")).unwrap();
        prop_assert_eq!(&written.hash, segment.hash());
    }
}

#[test]
fn a_refused_form_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let good = TokenMatrix::new(2, vec![1.0, 2.0]).unwrap();
    // The pooled vector is quantised last: its norm does not fit f32, the rows before it do.
    let bad = TokenMatrix::with_pooled(2, vec![1.0, 2.0, 3.0, 4.0], vec![f32::MAX, f32::MAX]).unwrap();
    let wide = TokenMatrix::new(3, vec![1.0; 3]).unwrap();
    let mut builders = [SegmentBuilder::new(ENCODER, 2).unwrap(), SegmentBuilder::new(ENCODER, 2).unwrap()];
    for (at, builder) in builders.iter_mut().enumerate() {
        builder.push(0, text_hash("a", &None), &good).unwrap();
        if at == 1 {
            assert!(builder.push(0, text_hash("b", &None), &bad).is_err());
            assert!(builder.push(0, text_hash("c", &None), &wide).is_err());
        }
        builder.push(0, text_hash("d", &None), &good).unwrap();
    }
    let [plain, tried] = builders;
    let plain = plain.finish(&Files::default(), &folder.path().join("plain")).unwrap();
    assert_eq!(tried.finish(&Files::default(), &folder.path().join("tried")).unwrap(), plain);
}

#[test]
fn a_file_in_the_way_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.seg");
    std::fs::write(&path, b"mine").unwrap();
    assert!(SegmentBuilder::new(ENCODER, 2).unwrap().finish(&Files::default(), &path).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert!(SegmentBuilder::new(ENCODER, 0).is_err() && SegmentBuilder::new(ENCODER, (1 << 16) + 1).is_err());
}

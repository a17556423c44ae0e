//! Folds by hand values: each reduction in each direction, in any lane, with forms of different lengths side by side.

use super::*;
use crate::simd::fused::Fused;
use crate::simd::machine::Plain;

/// Cosines of two query tokens with the rows of a form.
type Cosines<'a> = [&'a [f32]; 2];

const QUERY_NORMS: [f32; 2] = [1.0, 2.0];
/// Of the first, second and third row of every form.
const ROW_NORMS: [f32; 3] = [1.0, 1.0, 4.0];
/// The form of the tests by hand: three rows.
const FORM: Cosines<'_> = [&[0.5, 0.25, -0.5], &[1.0, 0.0, 0.75]];

/// The scores of forms in the lanes given. What lies beside them is not a number, and must play no part.
fn scores_of<M: Machine>(spec: &FoldSpec, forms: &[(usize, Cosines<'_>)]) -> Lanes {
    let mut lengths = [0; LANES];
    forms.iter().for_each(|(lane, cos)| lengths[*lane] = cos[0].len() as u32);
    let stride = 3 * LANES + 5;
    let mut cos = vec![f32::NAN; 2 * stride];
    let mut row_norms = vec![f32::NAN; 3 * LANES];
    for (lane, of_form) in forms {
        for row in 0..of_form[0].len() {
            row_norms[row * LANES + lane] = ROW_NORMS[row];
            (0..2).for_each(|token| cos[token * stride + row * LANES + lane] = of_form[token][row]);
        }
    }
    let input = FoldInput {
        cos: &cos,
        stride,
        lengths: &lengths,
        query_norms: &QUERY_NORMS,
        row_norms: &row_norms,
        ahead: &[],
    };
    let mut out = [9.0; LANES];
    fold::<M>(spec, &input, &mut FoldScratch::default(), &mut out);
    out
}

/// The score of [`FORM`], which is the same in every lane and in either arithmetic to within rounding.
fn score(reduce: Reduce, over_query: bool, over_target: bool) -> f32 {
    let spec = FoldSpec { reduce, over_query, over_target };
    let first = scores_of::<Fused>(&spec, &[(0, FORM)])[0];
    for lane in 1..LANES {
        assert_eq!(scores_of::<Fused>(&spec, &[(lane, FORM)])[lane].to_bits(), first.to_bits());
    }
    let plain = scores_of::<Plain>(&spec, &[(3, FORM)])[3];
    assert!((plain - first).abs() <= 1e-6, "{plain} {first}");
    first
}

const REDUCTIONS: [Reduce; 4] = [
    Reduce::Max,
    Reduce::SharedSoftmax { inverse: 10.0 },
    Reduce::Softmax { temperature: 0.1, raw: false },
    Reduce::Softmax { temperature: 1.0, raw: true },
];

/// Σ a c with a = softmax of the logits.
fn soft(logits: &[f64], cos: &[f64]) -> f64 {
    let weights: Vec<f64> = logits.iter().map(|l| l.exp()).collect();
    weights.iter().zip(cos).map(|(a, c)| a * c).sum::<f64>() / weights.iter().sum::<f64>()
}

/// Rows and columns of [`FORM`].
fn lines() -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let by_token: Vec<Vec<f64>> = FORM.iter().map(|row| row.iter().map(|c| f64::from(*c)).collect()).collect();
    let by_row = (0..3).map(|row| by_token.iter().map(|cos| cos[row]).collect()).collect();
    (by_token, by_row)
}

#[test]
fn a_maximum_in_every_direction() {
    assert_eq!(score(Reduce::Max, true, false), 0.75);
    assert_eq!(score(Reduce::Max, false, true), 2.0 / 3.0);
    assert_eq!(score(Reduce::Max, true, true), (0.75 + 2.0 / 3.0) / 2.0);
}

#[test]
fn a_softmax_of_cosines_in_every_direction() {
    let (by_token, by_row) = lines();
    for tau in [0.0235f32, 0.1, 0.5, 50.0] {
        let mean = |lines: &[Vec<f64>]| {
            let of_line = |cos: &Vec<f64>| soft(&cos.iter().map(|c| c / f64::from(tau)).collect::<Vec<_>>(), cos);
            lines.iter().map(of_line).sum::<f64>() / lines.len() as f64
        };
        let (query, target) = (mean(&by_token), mean(&by_row));
        let (shared, own) =
            (Reduce::SharedSoftmax { inverse: 1.0 / tau }, Reduce::Softmax { temperature: tau, raw: false });
        for reduce in [shared, own] {
            for (directions, expected) in
                [((true, false), query), ((false, true), target), ((true, true), (query + target) / 2.0)]
            {
                let got = f64::from(score(reduce, directions.0, directions.1));
                // The bound on what rounding costs, which a certificate relies on.
                assert!((got - expected).abs() <= rounding(2, 3), "{reduce:?} {directions:?}: {got} {expected}");
                assert!((got - expected).abs() <= 5e-6, "{reduce:?} {directions:?}: {got} {expected}");
            }
        }
    }
}

#[test]
fn raw_weights_are_scaled_by_both_norms() {
    let reduce = Reduce::Softmax { temperature: 1.0, raw: true };
    let over_query = (soft(&[0.5, 0.25, -2.0], &[0.5, 0.25, -0.5]) + soft(&[2.0, 0.0, 6.0], &[1.0, 0.0, 0.75])) / 2.0;
    let over_target =
        (soft(&[0.5, 2.0], &[0.5, 1.0]) + soft(&[0.25, 0.0], &[0.25, 0.0]) + soft(&[-2.0, 6.0], &[-0.5, 0.75])) / 3.0;
    let close = |got: f32, expected: f64| assert!((f64::from(got) - expected).abs() <= 1e-6, "{got} {expected}");
    close(score(reduce, true, false), over_query);
    close(score(reduce, false, true), over_target);
    close(score(reduce, true, true), (over_query + over_target) / 2.0);
}

#[test]
fn a_smaller_temperature_sharpens_raw_weights() {
    let at = |temperature| score(Reduce::Softmax { temperature, raw: true }, true, false);
    // The largest logits are those of the first token's first row and of the second token's third.
    assert!((at(1e-4) - (0.5 + 0.75) / 2.0).abs() <= 1e-6);
    // Without limit, the mean of each token's cosines.
    let mean = (0.25 / 3.0 + 1.75 / 3.0) / 2.0;
    assert!((at(1e30) - mean).abs() <= 1e-6, "{} {mean}", at(1e30));
}

#[test]
fn forms_side_by_side_do_not_touch_each_other() {
    let short: Cosines<'_> = [&[0.25], &[-0.75]];
    let middle: Cosines<'_> = [&[-0.5, 1.0], &[0.125, 0.5]];
    for reduce in REDUCTIONS {
        for (over_query, over_target) in [(true, false), (false, true), (true, true)] {
            let spec = FoldSpec { reduce, over_query, over_target };
            let alone = |form| scores_of::<Fused>(&spec, &[(7, form)])[7].to_bits();
            let together = scores_of::<Fused>(&spec, &[(0, short), (4, FORM), (9, middle), (15, short)]);
            assert_eq!(together[4].to_bits(), alone(FORM), "{spec:?}");
            assert_eq!(together[9].to_bits(), alone(middle), "{spec:?}");
            assert_eq!([together[0].to_bits(), together[15].to_bits()], [alone(short); 2], "{spec:?}");
            // Lanes without a form score zero.
            let absent = (0..LANES).filter(|lane| ![0, 4, 9, 15].contains(lane));
            assert!(absent.into_iter().all(|lane| together[lane].to_bits() == 0), "{spec:?}: {together:?}");
        }
    }
}

#[test]
fn one_row_alone_is_its_own_mean() {
    let one: Cosines<'_> = [&[0.25], &[-0.75]];
    for reduce in REDUCTIONS {
        // Over the query's tokens, whatever the weights: each has one row to look at.
        let spec = FoldSpec { reduce, over_query: true, over_target: false };
        assert!((scores_of::<Fused>(&spec, &[(2, one)])[2] + 0.25).abs() <= 1e-6, "{reduce:?}");
    }
}

#[test]
fn nothing_scores_zero() {
    for reduce in REDUCTIONS {
        let spec = FoldSpec { reduce, over_query: true, over_target: true };
        // A group without forms.
        assert_eq!(scores_of::<Fused>(&spec, &[]), [0.0; LANES]);
        // A query without tokens.
        let lengths = [0; LANES];
        let empty = FoldInput { cos: &[], stride: 0, lengths: &lengths, query_norms: &[], row_norms: &[], ahead: &[] };
        let mut out = [9.0; LANES];
        fold::<Fused>(&spec, &empty, &mut FoldScratch::default(), &mut out);
        assert_eq!(out, [0.0; LANES]);
    }
}

/// Buffers that a larger fold has left are no part of the next one.
#[test]
fn buffers_can_be_used_again() {
    let lengths = [1; LANES];
    let (small, norms) = ([0.5f32; LANES], [1.0f32; LANES]);
    let large = vec![-1.0f32; 40 * LANES];
    for reduce in REDUCTIONS {
        let spec = FoldSpec { reduce, over_query: true, over_target: true };
        let mut scratch = FoldScratch::default();
        let mut out = [0.0; LANES];
        let tokens = [1.0; 40];
        let first = FoldInput {
            cos: &large,
            stride: LANES,
            lengths: &lengths,
            query_norms: &tokens,
            row_norms: &norms,
            ahead: &[],
        };
        fold::<Fused>(&spec, &first, &mut scratch, &mut out);
        assert!(out.iter().all(|score| (score + 1.0).abs() <= 1e-6), "{reduce:?}: {out:?}");
        let second = FoldInput { cos: &small, query_norms: &tokens[..1], ..first };
        fold::<Fused>(&spec, &second, &mut scratch, &mut out);
        assert!(out.iter().all(|score| (score - 0.5).abs() <= 1e-6), "{reduce:?}: {out:?}");
    }
}

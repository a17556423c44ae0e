//! Layer normalisation of sums, and its derivative.

use rayon::prelude::*;

use super::ROWS;
use super::tape::{NormTape, sized};

/// `out` = (x − mean) / √(variance + ε) · weight + bias of each row.
pub(super) fn normalise(x: &[f32], weight: &[f32], bias: &[f32], eps: f64, tape: &mut NormTape, out: &mut [f32]) {
    let dim = weight.len().max(1);
    let normal = sized(&mut tape.normal, x.len());
    let scale = sized(&mut tape.scale, x.len() / dim);
    let rows = out.par_chunks_mut(dim).zip(normal.par_chunks_mut(dim)).zip(scale.par_iter_mut()).zip(x.par_chunks(dim));
    rows.with_min_len(ROWS).for_each(|(((out, normal), scale), x)| {
        let mean = x.iter().sum::<f32>() / dim as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / dim as f32;
        *scale = (1.0 / (f64::from(variance) + eps).sqrt()) as f32;
        for (at, out) in out.iter_mut().enumerate() {
            normal[at] = (x[at] - mean) * *scale;
            *out = normal[at] * weight[at] + bias[at];
        }
    });
}

/// The derivative by the rows from that by what came out, in place, and the sums of the derivatives by weight and bias.
pub(super) fn normalise_backward(gradient: &mut [f32], weight: &[f32], tape: &NormTape) -> (Vec<f32>, Vec<f32>) {
    let dim = weight.len().max(1);
    let part = |((gradient, normal), scale): ((&mut [f32], &[f32]), &[f32])| {
        let (mut by_weight, mut by_bias) = (vec![0.0f32; dim], vec![0.0f32; dim]);
        let rows = gradient.chunks_exact_mut(dim).zip(normal.chunks_exact(dim)).zip(scale);
        for ((gradient, normal), scale) in rows {
            let (mut sum, mut along) = (0.0, 0.0);
            for at in 0..dim {
                by_weight[at] += gradient[at] * normal[at];
                by_bias[at] += gradient[at];
                gradient[at] *= weight[at];
                sum += gradient[at];
                along += gradient[at] * normal[at];
            }
            let (mean, along) = (sum / dim as f32, along / dim as f32);
            for at in 0..dim {
                gradient[at] = scale * (gradient[at] - mean - normal[at] * along);
            }
        }
        (by_weight, by_bias)
    };
    let parts =
        gradient.par_chunks_mut(ROWS * dim).zip(tape.normal.par_chunks(ROWS * dim)).zip(tape.scale.par_chunks(ROWS));
    // Collected, so that sums have one order.
    let sums: Vec<(Vec<f32>, Vec<f32>)> = parts.map(part).collect();
    let mut total = (vec![0.0; dim], vec![0.0; dim]);
    for (by_weight, by_bias) in &sums {
        total.0.iter_mut().zip(by_weight).for_each(|(total, more)| *total += more);
        total.1.iter_mut().zip(by_bias).for_each(|(total, more)| *total += more);
    }
    total
}

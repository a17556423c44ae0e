//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) with clipping by the norm of the whole gradient, and its schedule.
//!
//! The table of words is updated where a batch has words, and only there: a row's moments and its decay stand still while it has no
//! gradient, as in PyTorch's `SparseAdam`. Everything else is `torch.optim.AdamW`.

use super::transformer::{Gradients, Parameters};

/// How many times faster the linear layer behind the transformer learns than what is before it, which was trained before.
const DENSE_PACE: f64 = 5.0;

/// What AdamW is given, but for the learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Share of the first moment that is kept.
    pub beta1: f64,
    /// Share of the second moment that is kept.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay; of weights of linear layers and embeddings, not of biases and layer norms.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// Moments of every value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) first: Vec<Vec<f32>>,
    pub(crate) second: Vec<Vec<f32>>,
    /// Steps that were taken.
    pub(crate) steps: u64,
}

impl Moments {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let zeros = || parameters.values.iter().map(|values| vec![0.0; values.len()]).collect();
        Self { first: zeros(), second: zeros(), steps: 0 }
    }
}

impl AdamW {
    /// One step against the gradient.
    pub(crate) fn step(
        &self,
        parameters: &mut Parameters,
        gradients: &mut Gradients,
        moments: &mut Moments,
        learning_rate: f64,
    ) {
        moments.steps += 1;
        let step = self.at(moments.steps, learning_rate);
        let dense_step = self.at(moments.steps, learning_rate * DENSE_PACE);
        let dense_at = gradients.dense_at;
        let Moments { first, second, .. } = moments;
        let (values, shapes) = (&mut parameters.values, &parameters.shapes);
        gradients.each_stretch(|at, start, gradient| {
            let (step, pace) = if dense_at == Some(at) { (&dense_step, DENSE_PACE) } else { (&step, 1.0) };
            // Biases and layer norms are vectors.
            let decays = shapes.get(at).is_some_and(|shape| shape.len() > 1);
            let keep = if decays { (1.0 - learning_rate * pace * self.weight_decay) as f32 } else { 1.0 };
            let range = start..start + gradient.len();
            let (values, first, second) =
                (&mut values[at][range.clone()], &mut first[at][range.clone()], &mut second[at][range]);
            step.apply(keep, values, first, second, gradient);
        });
    }

    /// The step of a number, from 1.
    fn at(&self, number: u64, learning_rate: f64) -> Step {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let (correct1, correct2) = (1.0 - self.beta1.powi(number), 1.0 - self.beta2.powi(number));
        Step {
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            rate: (learning_rate / correct1) as f32,
            root: (1.0 / correct2.sqrt()) as f32,
            epsilon: self.epsilon as f32,
        }
    }
}

struct Step {
    beta1: f32,
    beta2: f32,
    /// Learning rate / (1 − β₁ᵗ).
    rate: f32,
    /// 1 / √(1 − β₂ᵗ).
    root: f32,
    epsilon: f32,
}

impl Step {
    fn apply(&self, keep: f32, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        for (((value, first), second), &gradient) in values.iter_mut().zip(first).zip(second).zip(gradient) {
            *first += (1.0 - self.beta1) * (gradient - *first);
            *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
            *value = *value * keep - self.rate * *first / (second.sqrt() * self.root + self.epsilon);
        }
    }
}

/// Scales the gradient down to a norm, if it is larger; returns the norm that it had.
pub(crate) fn clip(gradients: &mut Gradients, largest: f64) -> f64 {
    let mut square = 0.0f64;
    gradients.each_stretch(|_, _, values| {
        // Stretches of f32 sums in f64, in order.
        square += values.chunks(4096).map(|part| f64::from(part.iter().map(|x| x * x).sum::<f32>())).sum::<f64>();
    });
    let norm = square.sqrt();
    // As torch's clip_grad_norm_.
    let factor = largest / (norm + 1e-6);
    if factor < 1.0 {
        gradients.each_stretch(|_, _, values| values.iter_mut().for_each(|value| *value *= factor as f32));
    }
    norm
}

/// Linear warm-up from 0, then linear decay to 0 (`get_linear_schedule_with_warmup` of transformers).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Steps of warm-up.
    pub warm_up: u64,
    /// All steps.
    pub steps: u64,
}

impl Schedule {
    /// The learning rate of a step, from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * step as f64 / self.warm_up as f64;
        }
        self.peak * self.steps.saturating_sub(step) as f64 / self.steps.saturating_sub(self.warm_up).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn golden() -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/train/adamw.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().flat_map(|v| v.as_f64().map_or_else(|| numbers(v), |n| vec![n])).collect()
    }

    #[test]
    fn rates_are_those_of_transformers() {
        for schedule in golden()["schedules"].as_array().unwrap() {
            let number = |name: &str| schedule[name].as_u64().unwrap();
            let peak = schedule["peak"].as_f64().unwrap();
            let ours = Schedule { peak, warm_up: number("warm_up"), steps: number("total") };
            for (step, rate) in (0..).zip(numbers(&schedule["rates"])) {
                assert!((ours.at(step) - rate).abs() < 1e-15, "{step}: {} {rate}", ours.at(step));
            }
        }
        assert_eq!(Schedule { peak: 1.0, warm_up: 2, steps: 10 }.at(99), 0.0);
    }

    #[test]
    fn steps_are_torch_s() {
        for case in golden()["cases"].as_array().unwrap() {
            let betas = numbers(&case["betas"]);
            let (epsilon, decay) = (case["eps"].as_f64().unwrap(), case["weight_decay"].as_f64().unwrap());
            let adam = AdamW { beta1: betas[0], beta2: betas[1], epsilon, weight_decay: decay };
            let mut values: Vec<f32> = numbers(&case["start"]).into_iter().map(|x| x as f32).collect();
            let (mut first, mut second) = (vec![0.0; values.len()], vec![0.0; values.len()]);
            for (n, step) in (1..).zip(case["steps"].as_array().unwrap()) {
                let rate = step["rate"].as_f64().unwrap();
                let norm = step["norm"].as_f64().unwrap();
                let factor = case["max_norm"].as_f64().map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
                let gradient: Vec<f32> = numbers(&step["gradients"]).into_iter().map(|x| (x * factor) as f32).collect();
                let keep = (1.0 - rate * decay) as f32;
                adam.at(n, rate).apply(keep, &mut values, &mut first, &mut second, &gradient);
                for (got, expected) in values.iter().zip(numbers(&step["parameters"])) {
                    assert!((f64::from(*got) - expected).abs() < 2e-6, "{}: {got} {expected}", case["name"]);
                }
            }
        }
    }
}

//! The scoring rules are the published formulas: `reference` equals values computed in numpy by
//! `fixtures/late_interaction/make_golden.py`, for every interaction, direction, kind of weights and temperature.

use workindex::{Direction, Interaction, Rule, TokenMatrix, Weights, reference};

#[derive(serde::Deserialize)]
struct Case {
    query: Matrix,
    target: Matrix,
    /// Interaction, direction, weights, temperature, score.
    scores: Vec<(String, String, String, f32, f64)>,
}

#[derive(serde::Deserialize)]
struct Matrix {
    rows: Vec<Vec<f32>>,
    pooled: Vec<f32>,
}

impl Matrix {
    fn token_matrix(self) -> TokenMatrix {
        TokenMatrix::with_pooled(self.pooled.len(), self.rows.concat(), self.pooled).unwrap()
    }
}

fn rule(interaction: &str, direction: &str, weights: &str, temperature: f32) -> Rule {
    Rule {
        interaction: match interaction {
            "Soft" => Interaction::Soft,
            "MaxSim" => Interaction::MaxSim,
            "ContextMatch" => Interaction::ContextMatch,
            "MeanPool" => Interaction::MeanPool,
            other => panic!("interaction {other}"),
        },
        direction: match direction {
            "Query" => Direction::Query,
            "Target" => Direction::Target,
            "Both" => Direction::Both,
            other => panic!("direction {other}"),
        },
        weights: match weights {
            "Cosine" => Weights::Cosine,
            "Raw" => Weights::Raw,
            other => panic!("weights {other}"),
        },
        temperature,
    }
}

#[test]
fn reference_equals_numpy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/late_interaction/golden.json")).unwrap();
    let mut compared = 0;
    for (number, case) in cases.into_iter().enumerate() {
        let (query, target) = (case.query.token_matrix(), case.target.token_matrix());
        for (interaction, direction, weights, temperature, expected) in case.scores {
            let rule = rule(&interaction, &direction, &weights, temperature);
            let got = reference::score(&rule, &query, &target);
            assert!((got - expected).abs() <= 1e-9, "case {number}, {rule}: {got}, numpy says {expected}");
            compared += 1;
        }
    }
    // Five pairs; soft and ConTeXT-Match: 3 directions × 2 weights × 5 temperatures; MaxSim: 3 directions; mean: 1.
    assert_eq!(compared, 5 * (2 * 30 + 3 + 1));
}

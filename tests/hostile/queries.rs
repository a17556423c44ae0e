//! Queries of every kind of text, and options out of range.

use std::time::{Duration, Instant};

use workindex::{Direction, Error, Filter, Interaction, Monitor, RankOptions, Rule, Space, TokenMatrix, Weights};

use crate::common::{matrix_of, mini_index, tiny_encoder};

fn with_space(work: impl FnOnce(&Space)) {
    let (_folder, _, index) = mini_index("1.1.0");
    work(&index.space("esco/skill/en").unwrap());
}

#[test]
fn every_text_has_a_ranking_or_an_error_that_says_why() {
    with_space(|space| {
        let megabyte = "data engineer ".repeat((1 << 20) / 14);
        for blank in ["", " \t\r\n", "\u{3000}\u{a0}"] {
            let error = space.rank(blank, &RankOptions::top(3)).unwrap_err();
            assert!(matches!(error, Error::EmptyText { .. }), "{blank:?}: {error:?}");
            let error = space.rank_batch(&["nurse", blank], &RankOptions::top(3), &Monitor::silent()).unwrap_err();
            assert!(matches!(error, Error::EmptyText { position: Some(1), .. }), "{blank:?}: {error:?}");
        }
        let texts = [
            "\0",
            "\u{7}\u{1b}[31m",
            "\u{202e}dlew",
            "\u{feff}",
            "\u{200d}\u{200d}",
            "the of and",
            "ꙮ ꙮ",
            "\u{10ffff}",
            "'; DROP TABLE skills; --",
            "../../etc/passwd",
            "[CLS] [SEP] [MASK]",
            &"\u{301}".repeat(1 << 19),
            "nurse",
            &"x".repeat(1 << 20),
            &megabyte,
        ];
        for text in texts {
            let shown: String = text.escape_debug().take(20).collect();
            let start = Instant::now();
            let ranking = match space.rank(text, &RankOptions::top(3)) {
                Ok(ranking) => ranking,
                // What no tokenizer sees is as good as nothing.
                Err(Error::EmptyText { problem, .. }) if !text.contains(char::is_alphanumeric) => {
                    assert!(problem.contains("no token"), "{shown}: {problem}");
                    continue;
                }
                Err(error) => panic!("{shown}: {error}"),
            };
            assert_eq!(ranking.len(), 3, "{shown}");
            assert!(ranking.iter().all(|hit| hit.score.is_finite()), "{shown}");
            space.explain(text, &ranking[0].id, &Rule::default()).unwrap();
            // Generous: the point is that it does not grow with the text, and other work may run beside the tests.
            assert!(start.elapsed() < Duration::from_secs(20), "{shown}: {:?}", start.elapsed());
        }
        let texts = &texts[texts.len() - 3..];
        let rankings = space.rank_batch(texts, &RankOptions::top(3), &Monitor::silent()).unwrap();
        for (text, ranking) in texts.iter().zip(&rankings) {
            assert_eq!(ranking, &space.rank(text, &RankOptions::top(3)).unwrap());
        }
    });
}

#[test]
fn any_number_of_hits_may_be_asked_for() {
    with_space(|space| {
        let n = space.len();
        for (k, hits) in [(0, 0), (1, 1), (n, n), (n + 1, n), (1 << 40, n), (usize::MAX, n)] {
            let options = RankOptions::top(k);
            assert_eq!(space.rank("welder", &options).unwrap().len(), hits);
            assert_eq!(space.rank_batch(&["welder", "x"], &options, &Monitor::silent()).unwrap()[1].len(), hits);
            let none = space.rank("welder", &options.filter(Filter::attribute("no such", "x"))).unwrap();
            assert!(none.is_empty());
        }
        assert!(space.rank_batch(&[] as &[&str], &RankOptions::full(), &Monitor::silent()).unwrap().is_empty());
    });
}

#[test]
fn temperatures_that_are_no_temperatures_are_refused_and_extreme_ones_are_finite() {
    with_space(|space| {
        for interaction in [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool] {
            for weights in [Weights::Cosine, Weights::Raw] {
                let rule = |temperature| Rule { interaction, direction: Direction::Both, weights, temperature };
                let rank = |temperature| space.rank("welder", &RankOptions::top(5).rule(rule(temperature)));
                for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.1, -0.0, 0.0, 1e-45, f32::MIN] {
                    let error = rank(wrong).unwrap_err();
                    assert!(matches!(error, Error::InvalidOption { option: "temperature", .. }), "{error:?}");
                }
                for extreme in [Rule::MIN_TEMPERATURE, 1e30, f32::MAX] {
                    let ranking = rank(extreme).unwrap();
                    assert!(ranking.iter().all(|hit| hit.score.is_finite()), "{interaction:?} {weights:?} {extreme}");
                }
            }
        }
    });
}

#[test]
fn kinds_and_ids_that_do_not_exist_are_refused_and_filters_of_any_size_are_not() {
    with_space(|space| {
        for kind in ["", " ", "\0", "a/b", "skill\n", &"x".repeat(1 << 20)] {
            // A model without heads for kinds of texts takes any; what is refused is not repeated at length.
            if let Err(error) = space.rank("welder", &RankOptions::top(1).query_kind(kind)) {
                assert!(matches!(error, Error::InvalidOption { .. } | Error::InvalidName { .. }), "{error:?}");
                assert!(error.to_string().len() < 2000);
            }
        }
        for id in ["", "\0", "http://nowhere", &"x".repeat(1 << 20)] {
            let error = space.explain("welder", id, &Rule::default()).unwrap_err();
            assert!(matches!(error, Error::UnknownConcept { .. }), "{error:?}");
            assert!(space.rank("welder", &RankOptions::full().filter(Filter::below(id))).unwrap().is_empty());
        }
        let many = Filter::ids((0..200_000).map(|id| format!("u:{id}")));
        assert!(space.rank("welder", &RankOptions::full().filter(many)).unwrap().is_empty());
        let wide = Filter::any((0..2_000).map(|at| Filter::attribute("reuseLevel", at.to_string())));
        assert!(space.rank("welder", &RankOptions::full().filter(wide)).unwrap().is_empty());
    });
}

#[test]
fn matrices_of_another_shape_or_with_values_that_are_no_numbers_are_refused() {
    with_space(|space| {
        let dim = tiny_encoder().dim();
        let error = space.rank_matrix(&matrix_of("welder"), &RankOptions::top(1)).unwrap_err();
        assert!(error.to_string().contains(&dim.to_string()), "{error}");
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.5; dim];
            values[dim - 1] = wrong;
            let refused = TokenMatrix::new(dim, values).and_then(|m| space.rank_matrix(&m, &RankOptions::top(1)));
            assert!(matches!(refused, Err(Error::Matrix { .. })), "{refused:?}");
        }
        for value in [0.0, f32::MIN_POSITIVE / 4.0, 1e-30, 1e18] {
            let matrix = TokenMatrix::new(dim, vec![value; 3 * dim]).unwrap();
            let ranking = space.rank_matrix(&matrix, &RankOptions::full()).unwrap();
            assert!(ranking.iter().all(|hit| hit.score.is_finite()), "{value}");
        }
    });
}

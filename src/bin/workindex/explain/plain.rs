//! Score, matches and rule in plain sentences.

use workindex::{Comparison, Direction, ExplainedForm, ExplainedToken, Explanation, Interaction, Rule};

use super::words::{Meeting, meetings};

/// Pairs of words that a sentence names, at most.
const NAMED: usize = 3;
/// A sentence names no more pairs when those named make up this part of the score.
const ENOUGH: f64 = 0.75;
/// A pair below this part of the score is not worth naming.
const WORTH_NAMING: f64 = 0.05;

/// The longest text that a sentence repeats.
const QUOTED: usize = 60;

/// What the pooled vector of a text is called.
const WHOLE: &str = "whole text";

/// A part of a score in percent, where that says anything.
pub fn percent(share: f64, score: f64) -> Option<f64> {
    let percent = 100.0 * share / score;
    (score.abs() >= 1e-6 && percent.abs() < 1000.0).then_some(percent)
}

/// "23 %", or nothing.
pub fn percent_text(share: f64, score: f64) -> String {
    percent(share, score).map_or(String::new(), |percent| format!("{percent:.0} %").replace("-0 %", "0 %"))
}

/// What the concept's score is.
pub fn score_sentence(explanation: &Explanation) -> String {
    let Explanation { query, label, score, forms, .. } = explanation;
    let name = |text: Option<&String>, else_: &str| match text {
        Some(text) if text.chars().count() <= QUOTED => format!("“{text}”"),
        _ => else_.to_string(),
    };
    let (query, target) = (name(query.as_ref(), "The query"), name(Some(label), "the target"));
    let mut sentence =
        format!("{query} and {target} score {score:.2} on a scale where 1 is a perfect match and 0 nothing in common.");
    if let [preferred, best] = forms.as_slice() {
        let (first, second) = (preferred.score, best.score);
        let text = &best.text;
        sentence.push_str(&format!(
            " That is the mean of the preferred label's score ({first:.2}) and that of the label that fits best, \
             “{text}” ({second:.2})."
        ));
    }
    sentence
}

/// Which words matched which.
pub fn match_sentence(form: &ExplainedForm) -> String {
    let mut named: Vec<Meeting> = form.comparisons.iter().flat_map(meetings).collect();
    named.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    if form.comparisons.iter().all(|c| is_whole(&c.query_tokens) && is_whole(&c.target_tokens)) {
        return "Both texts were compared as a whole, which says nothing about their words.".to_string();
    }
    if form.score <= 0.0 || named.first().is_none_or(|first| first.contribution <= 0.0) {
        return "No word of the one text speaks for the other.".to_string();
    }
    let mut sum = 0.0;
    let worth = |at: usize, meeting: &Meeting| at == 0 || meeting.contribution >= WORTH_NAMING * form.score;
    let enough = |meeting: &Meeting| {
        let before = sum;
        sum += meeting.contribution;
        before < ENOUGH * form.score
    };
    let named: Vec<Meeting> = named.into_iter().enumerate().filter(|(at, m)| worth(*at, m)).map(|(_, m)| m).collect();
    let named: Vec<Meeting> = named.into_iter().take(NAMED).take_while(enough).collect();
    let texts: Vec<String> = named.iter().map(|meeting| describe(meeting, form.score)).collect();
    let total: f64 = named.iter().map(|meeting| meeting.contribution).sum();
    let amount = if total >= form.score / 2.0 { "Most of it" } else { "The largest part of it" };
    format!("{amount} comes from {}.", listed(&texts))
}

/// Whether this is a text as a whole. No vocabulary has a token with a blank in it.
fn is_whole(tokens: &[ExplainedToken]) -> bool {
    matches!(tokens, [token] if token.text == WHOLE)
}

fn describe(meeting: &Meeting, score: f64) -> String {
    let Meeting { query, target, contribution } = meeting;
    let name = |word: &str, side: &str| match word {
        WHOLE => format!("the {side} as a whole"),
        word => format!("“{word}”"),
    };
    // A number and its sign stay on one line.
    let percent = percent_text(*contribution, score).replace(' ', "\u{a0}");
    format!("{} meeting {} ({percent})", name(query, "query"), name(target, "target"))
}

/// "a, b and c".
fn listed(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What the rule does.
pub fn rule_sentence(rule: &Rule) -> String {
    match rule.interaction {
        Interaction::Soft => format!(
            "Every token of one text is compared with every token of the other, and looks the more at a token the more \
             similar it is (temperature {}).",
            rule.temperature
        ),
        Interaction::MaxSim => "Every token of one text counts with the most similar token of the other.".to_string(),
        Interaction::ContextMatch => format!(
            "The tokens of one text are compared with the other text as a whole; the more similar ones weigh more \
             (temperature {}).",
            rule.temperature
        ),
        Interaction::MeanPool => "Each text is averaged into one vector, and the two vectors are compared.".to_string(),
    }
}

/// The directions that a rule scores in, one line each.
pub fn direction_lines(rule: &Rule) -> Vec<(&'static str, &'static str)> {
    let forth = ("query → target", "How well is the query explained by the target? A mean over the query's tokens.");
    let back = ("target → query", "How well is the target covered by the query? A mean over the target's tokens.");
    match (rule.interaction, rule.direction) {
        (Interaction::MeanPool, _) => Vec::new(),
        (_, Direction::Query) => vec![forth],
        (_, Direction::Target) => vec![back],
        (_, Direction::Both) => vec![forth, back],
    }
}

/// The scores of the two directions, where a comparison is the mean of both.
pub fn both_scores(comparison: &Comparison) -> Option<(f64, f64)> {
    let (forth, back) = (comparison.query_weights.as_ref()?, comparison.target_weights.as_ref()?);
    let weighed = |weights: &Vec<Vec<f64>>| -> f64 {
        weights.iter().flatten().zip(comparison.cosines.iter().flatten()).map(|(weight, cosine)| weight * cosine).sum()
    };
    let (m, n) = (comparison.query_tokens.len() as f64, comparison.target_tokens.len() as f64);
    Some((weighed(forth) / m, weighed(back) / n))
}

/// What a surface form is to its concept.
pub fn role(form: &ExplainedForm) -> &'static str {
    match (form.preferred, form.best) {
        (true, true) => "preferred label",
        (true, false) => "preferred label, half of the score",
        (false, _) => "best label, half of the score",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::grid::tests::comparison;

    fn form(query: &[&str], target: &[&str], cosine: impl Fn(usize, usize) -> f64) -> ExplainedForm {
        let comparison = comparison(query, target, cosine);
        let score = comparison.query_shares.iter().sum();
        let tokens = comparison.target_tokens.clone();
        let (text, comparisons) = (target.join(" "), vec![comparison]);
        ExplainedForm { text, preferred: true, best: true, part: 1.0, score, tokens, comparisons }
    }

    #[test]
    fn the_sentence_names_words_not_pieces() {
        let form = form(&["sold", "##ering", "now"], &["sold", "##er"], |i, _| if i < 2 { 0.9 } else { 0.1 });
        assert_eq!(match_sentence(&form), "Most of it comes from “soldering” meeting “solder” (95\u{a0}%).");
        let flat = self::form(&["a", "b", "c", "d"], &["x", "y"], |_, _| 0.5);
        let sentence = match_sentence(&flat);
        assert!(
            sentence.starts_with("The largest part of it") && sentence.matches("meeting").count() == 3,
            "{sentence}"
        );
    }

    #[test]
    fn nothing_is_claimed_where_nothing_matches() {
        assert!(match_sentence(&form(&["a", "b"], &["x"], |_, _| -0.5)).starts_with("No word"));
        assert!(match_sentence(&form(&["whole text"], &["whole text"], |_, _| 0.5)).contains("as a whole"));
    }

    #[test]
    fn percentages_are_left_out_where_they_say_nothing() {
        assert_eq!(percent_text(0.1, 0.4), "25 %");
        assert_eq!(percent_text(-0.0001, 0.4), "0 %");
        assert_eq!((percent_text(0.1, 0.0), percent_text(0.5, 0.01)), (String::new(), String::new()));
    }

    #[test]
    fn lists_read_as_sentences() {
        let texts = |n: usize| ["a", "b", "c"].map(String::from)[..n].to_vec();
        assert_eq!([0, 1, 2, 3].map(|n| listed(&texts(n))), ["", "a", "a and b", "a, b and c"]);
    }
}

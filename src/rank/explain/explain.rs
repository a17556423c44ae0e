//! Scores a concept's surface forms for a query, and takes apart the scores that decide.

use std::collections::HashMap;

use super::explanation::{Comparison, ExplainedForm, Explanation, FormScore};
use super::stored_form::{StoredForm, query_side};
use super::tokens::{ExplainedToken, name_rows};
use crate::encoder::Token;
use crate::error::Result;
use crate::late_interaction::Rule;
use crate::late_interaction::breakdown::{Breakdown, Side, break_down, score};
use crate::late_interaction::query::PreparedQuery;
use crate::late_interaction::reference::concept_score;
use crate::storage::catalog::CatalogRead;
use crate::storage::segment::{SideKey, TextHash, text_hash};
use crate::storage::{Snapshot, SpaceData};

/// What is asked: a query, its text and tokens if there are any, and a rule that has been [validated](Rule::validate).
pub(crate) struct Asked<'a> {
    pub(crate) text: Option<&'a str>,
    /// The tokens of the text, one for each row of the query's matrix.
    pub(crate) tokens: Option<Vec<Token>>,
    pub(crate) truncated: bool,
    pub(crate) query: &'a PreparedQuery,
    pub(crate) rule: Rule,
    /// What the addresses of the space's embeddings contain.
    pub(crate) side: SideKey,
    /// The tokens of a surface form, one for each row of its matrix; none where the encoder runs elsewhere.
    pub(crate) form_tokens: &'a dyn Fn(&str) -> Result<Option<Vec<Token>>>,
}

/// Explains the score of the target at a position of the space; `None` beyond its end.
pub(crate) fn explain(
    snapshot: &Snapshot,
    space: &SpaceData,
    target: usize,
    asked: &Asked<'_>,
) -> Result<Option<Explanation>> {
    let (Some(id), Some(label)) = (space.targets.ids.get(target), space.targets.labels.get(target)) else {
        return Ok(None);
    };
    let texts = texts_of(snapshot, space, target, &label, &asked.side)?;
    let norm = [*asked.query.pooled_norm()];
    let forms = Forms::read(snapshot, space, target, &asked.rule, &query_side(asked.query, &norm), texts)?;
    let query_tokens = name_rows(asked.text.unwrap_or_default(), asked.tokens.clone(), asked.query.norms().len());
    let decide = |&at: &usize| forms.explain(at, &query_tokens, asked.form_tokens);
    Ok(Some(Explanation {
        query: asked.text.map(str::to_string),
        truncated: asked.truncated,
        space: space.name.clone(),
        target,
        id,
        label,
        rule: asked.rule,
        score: concept_score(&forms.scores),
        forms: forms.deciding().iter().map(decide).collect::<Result<_>>()?,
        other_forms: forms.others(),
        query_tokens,
    }))
}

/// The texts that a target's forms may be of, by their hashes.
fn texts_of(
    snapshot: &Snapshot,
    space: &SpaceData,
    target: usize,
    label: &str,
    side: &SideKey,
) -> Result<HashMap<TextHash, String>> {
    let details = snapshot.catalog().details(space.release, &space.kind, target)?;
    let labels = std::iter::once(label.to_string()).chain(details.alternative_labels);
    Ok(labels.map(|text| (text_hash(&text, side), text)).collect())
}

/// All forms of a concept, the preferred one first, with what they score.
struct Forms {
    texts: Vec<String>,
    rows: Vec<usize>,
    parts: Vec<Vec<Breakdown>>,
    scores: Vec<f64>,
}

impl Forms {
    fn read(
        snapshot: &Snapshot,
        space: &SpaceData,
        target: usize,
        rule: &Rule,
        query: &Side<'_>,
        texts: HashMap<TextHash, String>,
    ) -> Result<Self> {
        let damaged = |what: &str| snapshot.catalog().damaged(&format!("{what} for each surface form"), "none");
        let mut forms = Self { texts: Vec::new(), rows: Vec::new(), parts: Vec::new(), scores: Vec::new() };
        for &place in space.targets.forms(target) {
            let stored = StoredForm::read(space, place).ok_or_else(|| damaged("a token matrix"))?;
            let text = texts.get(&stored.text).ok_or_else(|| damaged("the text"))?;
            let parts = break_down(rule, query, &stored.side());
            forms.texts.push(text.clone());
            forms.rows.push(stored.n_tokens());
            forms.scores.push(score(&parts));
            forms.parts.push(parts);
        }
        if forms.texts.is_empty() { Err(damaged("a concept")) } else { Ok(forms) }
    }

    /// The first of the best forms.
    fn best(&self) -> usize {
        (1..self.scores.len()).fold(0, |best, at| if self.scores[at] > self.scores[best] { at } else { best })
    }

    /// The preferred form and the best one.
    fn deciding(&self) -> Vec<usize> {
        match self.best() {
            0 => vec![0],
            best => vec![0, best],
        }
    }

    fn explain(
        &self,
        at: usize,
        query_tokens: &[ExplainedToken],
        tokens: &dyn Fn(&str) -> Result<Option<Vec<Token>>>,
    ) -> Result<ExplainedForm> {
        let text = self.texts[at].clone();
        let tokens = name_rows(&text, tokens(&text)?, self.rows[at]);
        let comparisons = self.parts[at].iter().map(|part| Comparison::new(part, query_tokens, &tokens)).collect();
        Ok(ExplainedForm {
            text,
            preferred: at == 0,
            best: at == self.best(),
            part: 1.0 / self.deciding().len() as f64,
            score: self.scores[at],
            tokens,
            comparisons,
        })
    }

    fn others(&self) -> Vec<FormScore> {
        let deciding = self.deciding();
        let other = |at: usize| FormScore { text: self.texts[at].clone(), score: self.scores[at] };
        let mut others: Vec<FormScore> = (0..self.texts.len()).filter(|at| !deciding.contains(at)).map(other).collect();
        others.sort_by(|a, b| b.score.total_cmp(&a.score));
        others
    }
}

impl Comparison {
    fn new(part: &Breakdown, query: &[ExplainedToken], target: &[ExplainedToken]) -> Self {
        let name = |whole: bool, tokens: &[ExplainedToken]| match whole {
            true => vec![ExplainedToken::whole_text()],
            false => tokens.to_vec(),
        };
        let target_tokens = name(part.whole_target, target);
        let column = |j: usize| part.contributions.iter().filter_map(|row| row.get(j)).sum();
        Self {
            query_tokens: name(part.whole_query, query),
            query_shares: part.contributions.iter().map(|row| row.iter().sum()).collect(),
            target_shares: (0..target_tokens.len()).map(column).collect(),
            target_tokens,
            cosines: part.cosines.clone(),
            query_weights: part.query_weights.clone(),
            target_weights: part.target_weights.clone(),
            contributions: part.contributions.clone(),
        }
    }
}

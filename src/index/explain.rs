//! Explaining a hit.

use super::ranking::{check_has_tokens, check_not_empty};
use super::space::{Inner, Space};
use crate::encoder::Token;
use crate::error::{Error, Result};
use crate::late_interaction::Rule;
use crate::ontology::fold_label;
use crate::rank::{Asked, Explanation, RankOptions, explain};
use crate::token_matrix::TokenMatrix;

impl Space {
    /// Why the concept with this id scores what it does for a text.
    ///
    /// ```no_run
    /// # let space = workindex::WorkIndex::open("work.index")?.space("esco/skill/en")?;
    /// use workindex::RankOptions;
    /// let ranking = space.rank("Senior data engineer", &RankOptions::top(10))?;
    /// let explanation = space.explain("Senior data engineer", &ranking[0].id, &ranking.rule)?;
    /// for (token, share) in explanation.query_tokens.iter().zip(&explanation.forms[0].comparisons[0].query_shares) {
    ///     println!("{} adds {share:.3}", token.label());
    /// }
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownConcept`] for an id that the space does not have; else as [`rank`](Self::rank).
    pub fn explain(&self, text: &str, id: &str, rule: &Rule) -> Result<Explanation> {
        self.explain_with(text, id, &RankOptions::full().rule(*rule))
    }

    /// As [`explain`](Self::explain), by the rule and for the kind of query that a ranking with the same options has; the
    /// other options play no part.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub fn explain_with(&self, text: &str, id: &str, options: &RankOptions) -> Result<Explanation> {
        let rule = self.rule(options)?;
        let target = self.position_of(id)?;
        let text = text.trim();
        check_not_empty(text)?;
        let encoder = self.encoder()?;
        let side = encoder.query_side(options.query_kind.as_deref());
        let encoded = encoder.encode_on(text, side)?;
        check_has_tokens(text, &encoded)?;
        let tokens = encoder.tokens_on(text, side)?;
        let query = Query { text: Some(text), tokens: Some(tokens), truncated: encoded.truncated };
        self.explain_target(query, &encoded.matrix, target, rule)
    }

    /// Why the concept with this id scores what it does for a token matrix made elsewhere, by the same encoder as the
    /// space's. Rows whose text is not known are called `token 1`, `token 2` and so on.
    ///
    /// # Errors
    /// [`Error::UnknownConcept`] for an id that the space does not have; else as [`rank_matrix`](Self::rank_matrix).
    pub fn explain_matrix(&self, matrix: &TokenMatrix, id: &str, rule: &Rule) -> Result<Explanation> {
        rule.validate()?;
        self.explain_target(Query::default(), matrix, self.position_of(id)?, *rule)
    }

    /// The positions of the concepts with this preferred label, but for case and white space.
    pub fn positions_of_label(&self, label: &str) -> Vec<usize> {
        let folded = fold_label(label);
        let labels = self.inner.data.targets.labels.iter().enumerate();
        labels.filter(|(_, label)| fold_label(label) == folded).map(|(at, _)| at).collect()
    }

    fn position_of(&self, id: &str) -> Result<usize> {
        self.position(id).ok_or_else(|| unknown(id, self))
    }

    fn explain_target(&self, asked: Query, matrix: &TokenMatrix, target: usize, rule: Rule) -> Result<Explanation> {
        let Inner { snapshot, data, .. } = &*self.inner;
        let query = self.prepare(matrix)?;
        let form_tokens = |text: &str| self.form_tokens(text);
        let Query { text, tokens, truncated } = asked;
        let side = self.profile()?.and_then(|profile| profile.target_key(&data.kind));
        let asked = Asked { text, tokens, truncated, query: &query, rule, side, form_tokens: &form_tokens };
        explain(snapshot, data, target, &asked)?.ok_or_else(|| unknown(&target.to_string(), self))
    }

    /// The tokens of a surface form; none where the encoder runs elsewhere.
    fn form_tokens(&self, text: &str) -> Result<Option<Vec<Token>>> {
        match self.inner.data.encoder.settings {
            Some(_) => {
                let encoder = self.encoder()?;
                encoder.tokens_on(text, encoder.target_side(&self.inner.data.kind)).map(Some)
            }
            None => Ok(None),
        }
    }
}

/// What is known of a query besides its token matrix.
#[derive(Default)]
struct Query<'a> {
    text: Option<&'a str>,
    tokens: Option<Vec<Token>>,
    truncated: bool,
}

fn unknown(id: &str, space: &Space) -> Error {
    Error::UnknownConcept { id: id.to_string(), space: space.name().to_string() }
}

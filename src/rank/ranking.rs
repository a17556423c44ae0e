//! The result of a query, and what may be asked of one.

use std::ops::Deref;

use serde::Serialize;

use super::{Certificate, Filter};
use crate::late_interaction::Rule;
use crate::ontology::SpaceName;

/// How to rank.
///
/// ```
/// use workindex::{Filter, RankOptions, Rule};
/// let options = RankOptions::top(10).rule(Rule::max_sim()).filter(Filter::attribute("skillType", "knowledge"));
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankOptions {
    pub(crate) k: Option<usize>,
    pub(crate) rule: Option<Rule>,
    pub(crate) query_kind: Option<String>,
    pub(crate) filter: Option<Filter>,
    pub(crate) serial: bool,
}

impl RankOptions {
    /// The best `k` targets, or all of them if there are fewer.
    pub fn top(k: usize) -> Self {
        Self { k: Some(k), ..Self::default() }
    }

    /// All targets, best first.
    pub fn full() -> Self {
        Self::default()
    }

    /// Ranks by this rule, and not by the one that the space's encoder is for (see
    /// [`Space::default_rule`](crate::Space::default_rule)).
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Says what the query is: `skill`, `occupation`, `sentence`. Encoders with a head for each kind of text (JobBERT) embed it by that
    /// of its kind, and where neither the options nor the encoder have a rule, it decides which is used
    /// ([`Rule::for_queries`]).
    pub fn query_kind(mut self, kind: impl Into<String>) -> Self {
        self.query_kind = Some(kind.into());
        self
    }

    /// Works on the calling thread alone: for an application that answers many queries at a time on threads of its own.
    ///
    /// Without it a ranking uses the threads of the index's pool, or of the rayon pool it is called from, where that pays.
    /// The result is the same. (Where the processor has no kernel for the encoder, and so candle embeds texts, that still uses
    /// rayon's global threads for large matrices.)
    pub fn serial(mut self) -> Self {
        self.serial = true;
        self
    }

    /// Ranks only the targets that a filter lets through.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}

/// That a query is a label of a concept: equal but for case, white space and Unicode compatibility forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExactMatch {
    /// Of its preferred label.
    Preferred,
    /// Of one of its alternative labels.
    Alternative,
}

/// One row of a ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Place in the ranking, from 1.
    pub rank: usize,
    /// Score by the ranking's rule, in −1…1.
    pub score: f32,
    /// Position in the target space, from 0. Equal scores are ranked in this order.
    pub target: usize,
    /// The concept's id.
    pub id: String,
    /// The concept's preferred label.
    pub label: String,
    /// Whether the query is one of the concept's labels. It does not change the score.
    pub exact: Option<ExactMatch>,
}

/// The result of a query: hits, best first. Dereferences to a slice of [`Hit`]s.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// The query, stripped; none when the query was a token matrix.
    pub query: Option<String>,
    /// Whether the query was longer than the encoder reads, so that its end played no part.
    pub truncated: bool,
    /// The space that was ranked, with its release.
    #[serde(serialize_with = "as_text")]
    pub space: SpaceName,
    /// The rule that it was ranked by.
    pub rule: Rule,
    /// How the exactness of the ranking came about.
    pub certificate: Certificate,
    /// The hits.
    pub hits: Vec<Hit>,
}

/// A ranking without texts: what an evaluation of thousands of whole rankings needs of each. Best first.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedTargets {
    /// Positions in the target space, as [`Hit::target`].
    pub targets: Vec<u32>,
    /// Their scores.
    pub scores: Vec<f32>,
    /// Whether the query was longer than the encoder reads.
    pub truncated: bool,
    /// How the exactness of the ranking came about.
    pub certificate: Certificate,
}

/// Serialises a space's name as text.
pub(super) fn as_text<S: serde::Serializer>(name: &SpaceName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

impl Deref for Ranking {
    type Target = [Hit];

    fn deref(&self) -> &[Hit] {
        &self.hits
    }
}

impl<'a> IntoIterator for &'a Ranking {
    type Item = &'a Hit;
    type IntoIter = std::slice::Iter<'a, Hit>;

    fn into_iter(self) -> Self::IntoIter {
        self.hits.iter()
    }
}

//! Sides: the ways in which one encoder embeds different kinds of text.
//!
//! | file | what |
//! |---|---|
//! | `sentence_config.rs` | `config_sentence_transformers.json`: prompts, and the marks of PyLate |
//! | `sidecar.rs` | `workindex.json`: what a model's publisher says of its use |
//! | `choose.rs` | from these and the modules: which side queries and concepts are on |
//! | `frame.rs` | what a side puts around a text's tokens |

mod choose;
pub(super) mod frame;
mod sentence_config;
mod sidecar;

use std::collections::BTreeMap;

pub(crate) use choose::choose;
pub(crate) use frame::Frame;
pub(crate) use sentence_config::{LateConfig, SentenceConfig};
pub(crate) use sidecar::{DirectionWord, InteractionWord, RuleChoice, Sidecar, WeightsWord};

/// One of the ways in which an encoder embeds texts: through one of several heads, behind a prompt, as a query or as a
/// document. Most encoders have one side only. Meaningful to the encoder that it was obtained from
/// ([`Encoder::query_side`](crate::Encoder::query_side), [`Encoder::target_side`](crate::Encoder::target_side)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Side(u8);

/// 32 bytes that tell texts on one side from the same texts on another, in content addresses.
pub(crate) type SideKey = [u8; 32];

/// What a side does to a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SideSpec {
    /// The route that its pooled vector takes; empty where there is one way only.
    pub route: String,
    /// What is put before the text.
    pub prompt: String,
    /// What the text is to a PyLate model; none for others.
    pub role: Option<Role>,
}

/// The two sides of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Query,
    Document,
}

/// The sides of an encoder, at least one and no two alike, and who is on which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sides {
    specs: Vec<SideSpec>,
    query: Side,
    /// Of queries of a known kind, where heads are about kinds of text.
    query_kinds: BTreeMap<String, Side>,
    query_others: Side,
    kinds: BTreeMap<String, Side>,
    others: Side,
}

impl Default for Sides {
    fn default() -> Self {
        Self::new(SideSpec::default(), Vec::new(), SideSpec::default())
    }
}

impl Sides {
    /// Queries on one side, concepts of some kinds on theirs and all others on another; equal sides become one.
    pub(crate) fn new(query: SideSpec, kinds: Vec<(String, SideSpec)>, others: SideSpec) -> Self {
        let mut specs: Vec<SideSpec> = Vec::new();
        let mut number = |spec: SideSpec| {
            let known = specs.iter().position(|known| *known == spec);
            let at = known.unwrap_or_else(|| {
                specs.push(spec);
                specs.len() - 1
            });
            // `choose` lets through fewer kinds than a byte counts.
            Side(u8::try_from(at).unwrap_or(u8::MAX))
        };
        // Where queries take the way of concepts of some kind, heads are about kinds of text and not about who asks: a query of a
        // known kind takes that kind's way, behind the prompt of queries.
        let by_kind = others.route == query.route || kinds.iter().any(|(_, spec)| spec.route == query.route);
        let asking = |spec: &SideSpec| match by_kind {
            true => SideSpec { route: spec.route.clone(), ..query.clone() },
            false => query.clone(),
        };
        let asked: Vec<(String, SideSpec)> = kinds.iter().map(|(kind, spec)| (kind.clone(), asking(spec))).collect();
        let asked_others = asking(&others);
        let (query, others) = (number(query), number(others));
        let kinds = kinds.into_iter().map(|(kind, spec)| (kind, number(spec))).collect();
        let query_kinds = asked.into_iter().map(|(kind, spec)| (kind, number(spec))).collect();
        let query_others = number(asked_others);
        Self { specs, query, query_kinds, query_others, kinds, others }
    }

    /// The side of a query, of which the kind may be known.
    pub(crate) fn query(&self, kind: Option<&str>) -> Side {
        let of_kind = |kind| self.query_kinds.get(kind).copied().unwrap_or(self.query_others);
        kind.map_or(self.query, of_kind)
    }

    /// The side of a concept.
    pub(crate) fn target(&self, kind: &str) -> Side {
        self.kinds.get(kind).copied().unwrap_or(self.others)
    }

    /// All sides and what they do.
    pub(crate) fn specs(&self) -> &[SideSpec] {
        &self.specs
    }

    /// What the addresses of the embeddings of concepts contain; none where there is one side only.
    pub(crate) fn target_key(&self, kind: &str) -> Option<SideKey> {
        let spec = self.specs.get(self.target(kind).at()).filter(|_| self.specs.len() > 1)?;
        Some(spec.key())
    }
}

impl Side {
    /// Its place among the encoder's sides.
    pub(crate) fn at(self) -> usize {
        usize::from(self.0)
    }
}

impl SideSpec {
    /// A hash of what the side does, so that it does not depend on the order or number of an encoder's sides.
    fn key(&self) -> SideKey {
        let role = match self.role {
            None => "",
            Some(Role::Query) => "query",
            Some(Role::Document) => "document",
        };
        let mut hasher = blake3::Hasher::new_derive_key("workindex 2026 encoder side");
        for text in [self.route.as_str(), self.prompt.as_str(), role] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str) -> SideSpec {
        SideSpec { route: name.to_string(), ..SideSpec::default() }
    }

    #[test]
    fn an_encoder_without_differences_has_one_side_without_a_key() {
        let sides = Sides::default();
        assert_eq!((sides.query(None), sides.query(Some("skill"))), (Side(0), Side(0)));
        assert_eq!((sides.target("skill"), sides.target_key("skill"), sides.specs().len()), (Side(0), None, 1));
    }

    #[test]
    fn heads_per_kind_serve_queries_of_that_kind() {
        let sides = Sides::new(route("anchor"), vec![("occupation".into(), route("anchor"))], route("positive"));
        let (anchor, positive) = (sides.target("occupation"), sides.target("skill"));
        assert_ne!(anchor, positive);
        assert_eq!([None, Some("occupation"), Some("skill")].map(|kind| sides.query(kind)), [anchor, anchor, positive]);
        assert_ne!(sides.target_key("occupation"), sides.target_key("skill"));
        assert_eq!(sides.target_key("skill"), sides.target_key("activity"));
    }

    #[test]
    fn queries_of_a_kind_take_its_head_behind_their_own_prompt() {
        let prompted = |prompt: &str, spec: SideSpec| SideSpec { prompt: prompt.into(), ..spec };
        let kinds = vec![("occupation".into(), prompted("passage: ", route("anchor")))];
        let sides = Sides::new(prompted("query: ", route("anchor")), kinds, prompted("passage: ", route("positive")));
        let spec = |side: Side| sides.specs()[side.at()].clone();
        assert_eq!(spec(sides.query(None)), prompted("query: ", route("anchor")));
        assert_eq!(spec(sides.query(Some("occupation"))), prompted("query: ", route("anchor")));
        assert_eq!(spec(sides.query(Some("skill"))), prompted("query: ", route("positive")));
        assert_eq!(spec(sides.target("skill")), prompted("passage: ", route("positive")));
    }

    #[test]
    fn a_query_that_is_on_a_side_of_its_own_stays_there_whatever_its_kind() {
        let sides = Sides::new(route("query"), vec![], route("document"));
        assert_eq!(sides.query(Some("skill")), sides.query(None));
        assert_ne!(sides.query(None), sides.target("skill"));
    }

    #[test]
    fn keys_tell_apart_whatever_sides_do() {
        let specs = [
            SideSpec::default(),
            route("a"),
            SideSpec { prompt: "a".into(), ..SideSpec::default() },
            SideSpec { prompt: "b".into(), ..route("a") },
            SideSpec { role: Some(Role::Query), ..route("a") },
            SideSpec { role: Some(Role::Document), ..route("a") },
        ];
        let keys: std::collections::HashSet<SideKey> = specs.iter().map(SideSpec::key).collect();
        assert_eq!(keys.len(), specs.len());
    }
}

//! The relations of a release, column by column so that they compress.

use rkyv::{Archive, Deserialize, Serialize};

use crate::ontology::{Relation, RelationKind};

/// Relations by concept positions in the order of the release's kinds, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct RelationColumns {
    from: Vec<u32>,
    to: Vec<u32>,
    /// Place in [`RelationKind::ALL`].
    kind: Vec<u8>,
}

impl RelationColumns {
    /// The columns of sorted relations.
    pub(crate) fn new(relations: &[Relation]) -> Self {
        Self {
            from: relations.iter().map(|r| r.from).collect(),
            to: relations.iter().map(|r| r.to).collect(),
            kind: relations.iter().map(|r| r.kind.code()).collect(),
        }
    }

    /// The relations; `None` when a column is short, a kind unknown or an end not among `n_concepts`.
    pub(crate) fn relations(&self, n_concepts: u32) -> Option<Vec<Relation>> {
        if self.to.len() != self.from.len() || self.kind.len() != self.from.len() {
            return None;
        }
        let ends = self.from.iter().zip(&self.to).zip(&self.kind);
        ends.map(|((&from, &to), &kind)| {
            let kind = RelationKind::from_code(kind)?;
            (from < n_concepts && to < n_concepts).then_some(Relation { from, to, kind })
        })
        .collect()
    }
}

//! A surface form as its segment has it.

use crate::late_interaction::breakdown::{Side, Vectors};
use crate::late_interaction::query::PreparedQuery;
use crate::storage::SpaceData;
use crate::storage::catalog::FormRef;
use crate::storage::segment::TextHash;

/// The master rows and the pooled vector of a surface form, rotated and of unit length.
pub(super) struct StoredForm {
    pub(super) text: TextHash,
    rows: Vec<f32>,
    norms: Vec<f32>,
    pooled: Vec<f32>,
    pooled_norm: [f32; 1],
}

impl StoredForm {
    /// Restores a form. `None` only for a place that opening the space would have refused.
    pub(super) fn read(space: &SpaceData, place: FormRef) -> Option<Self> {
        let segment = space.segment(place)?;
        let (tokens, pooled) = (segment.tokens(), segment.pooled());
        let (places, form) = (segment.rows_of(place.form), place.form as usize);
        let mut stored = Self {
            text: segment.text_hash(place.form),
            rows: Vec::new(),
            norms: places.clone().map(|row| tokens.norms.get(row).copied()).collect::<Option<_>>()?,
            pooled: Vec::new(),
            pooled_norm: [*pooled.norms.get(form)?],
        };
        let mut hi = Vec::new();
        tokens.restore(places, &mut hi, &mut stored.rows);
        pooled.restore(std::iter::once(form), &mut hi, &mut stored.pooled);
        Some(stored)
    }

    /// Number of token rows.
    pub(super) fn n_tokens(&self) -> usize {
        self.norms.len()
    }

    pub(super) fn side(&self) -> Side<'_> {
        Side {
            tokens: Vectors { rows: &self.rows, norms: &self.norms },
            pooled: Vectors { rows: &self.pooled, norms: &self.pooled_norm },
        }
    }
}

/// A query, as a side of a comparison.
pub(super) fn query_side<'a>(query: &'a PreparedQuery, pooled_norm: &'a [f32; 1]) -> Side<'a> {
    Side {
        tokens: Vectors { rows: query.rows(), norms: query.norms() },
        pooled: Vectors { rows: query.pooled(), norms: pooled_norm },
    }
}

//! The targets of a space: what a ranking needs of each concept.

use std::ops::Range;

use rkyv::{Archive, Deserialize, Serialize};

use super::texts::Texts;

/// Where the token matrix of a surface form is: a row of the segments table and a form in that segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Archive, Serialize, Deserialize)]
pub(crate) struct FormRef {
    pub(crate) segment: u32,
    pub(crate) form: u32,
}

impl FormRef {
    /// As the table of embeddings has it: the segment in the high half.
    pub(crate) fn packed(self) -> u64 {
        u64::from(self.segment) << 32 | u64::from(self.form)
    }

    /// The place that [`packed`](Self::packed) made a number of.
    pub(crate) fn unpacked(packed: u64) -> Self {
        Self { segment: (packed >> 32) as u32, form: packed as u32 }
    }
}

/// The targets of one space in order: ids, preferred labels, surface forms.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct TargetTable {
    pub(crate) ids: Texts,
    pub(crate) labels: Texts,
    /// Where the forms of each target end in `forms`; a target has at least one, its preferred label.
    form_ends: Vec<u32>,
    forms: Vec<FormRef>,
}

impl TargetTable {
    /// A table from its columns; `None` when they are too long for a u32.
    pub(crate) fn new(ids: Texts, labels: Texts, forms: impl Iterator<Item = Vec<FormRef>>) -> Option<Self> {
        let mut table = Self { ids, labels, form_ends: Vec::new(), forms: Vec::new() };
        for mut of_target in forms {
            table.forms.append(&mut of_target);
            table.form_ends.push(u32::try_from(table.forms.len()).ok()?);
        }
        Some(table)
    }

    /// How many targets.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The forms of a target, the preferred label's first; empty for a target that is not there.
    pub(crate) fn forms(&self, target: usize) -> &[FormRef] {
        self.forms.get(self.form_range(target)).unwrap_or_default()
    }

    /// Where a target's forms are in [`all_forms`](Self::all_forms).
    pub(crate) fn form_range(&self, target: usize) -> Range<usize> {
        let start = target.checked_sub(1).map_or(Some(0), |before| self.form_ends.get(before).copied());
        match (start, self.form_ends.get(target)) {
            (Some(start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        }
    }

    /// The forms of all targets.
    pub(crate) fn all_forms(&self) -> &[FormRef] {
        &self.forms
    }

    /// The forms of all targets, to be changed when segments are rewritten.
    pub(crate) fn all_forms_mut(&mut self) -> &mut [FormRef] {
        &mut self.forms
    }

    /// Whether the columns fit each other and every target has a form.
    pub(crate) fn is_sound(&self) -> bool {
        let n = self.len();
        let columns =
            self.labels.len() == n && self.form_ends.len() == n && self.ids.is_sound() && self.labels.is_sound();
        let grows = std::iter::once(0).chain(self.form_ends.iter().copied()).is_sorted_by(|a, b| a < b);
        columns && grows && self.form_ends.last().map_or(0, |&end| end as usize) == self.forms.len()
    }
}

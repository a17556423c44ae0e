//! One attribute of all targets of a space: a dictionary of values and each target's entries in it.

use std::collections::BTreeMap;

use rkyv::{Archive, Deserialize, Serialize};

/// A column: the values of one attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct AttributeColumn {
    /// Distinct values, sorted.
    values: Vec<String>,
    /// For each value entry of a target: the target and the value's place, sorted by target, in the target's order.
    entries: Vec<(u32, u32)>,
}

impl AttributeColumn {
    /// A column from the values of each target that has any.
    pub(crate) fn new<'a>(targets: impl Iterator<Item = (u32, &'a [String])> + Clone) -> Self {
        let distinct = targets.clone().flat_map(|(_, values)| values).map(|v| (v.as_str(), 0));
        let mut places: BTreeMap<&str, u32> = distinct.collect();
        for (place, at) in places.values_mut().zip(0..) {
            *place = at;
        }
        let entries = targets.flat_map(|(target, values)| values.iter().map(move |v| (target, v)));
        let entries = entries.map(|(target, value)| (target, places[value.as_str()])).collect();
        Self { values: places.keys().map(|v| v.to_string()).collect(), entries }
    }

    /// The targets with a value that `accepts` takes; a target may come more than once.
    pub(crate) fn targets(&self, accepts: impl Fn(&str) -> bool) -> impl Iterator<Item = u32> {
        let accepted: Vec<bool> = self.values.iter().map(|value| accepts(value)).collect();
        let taken = move |&&(_, value): &&(u32, u32)| accepted.get(value as usize) == Some(&true);
        self.entries.iter().filter(taken).map(|&(target, _)| target)
    }

    /// The values of one target.
    pub(crate) fn values_of(&self, target: u32) -> Vec<String> {
        let start = self.entries.partition_point(|&(t, _)| t < target);
        let of_target = self.entries[start..].iter().take_while(|&&(t, _)| t == target);
        of_target.filter_map(|&(_, value)| self.values.get(value as usize).cloned()).collect()
    }

    /// Whether entries are sorted and name targets and values that exist.
    pub(crate) fn is_sound(&self, n_targets: usize) -> bool {
        let in_range = |&(t, v): &(u32, u32)| (t as usize) < n_targets && (v as usize) < self.values.len();
        self.entries.is_sorted_by_key(|&(target, _)| target) && self.entries.iter().all(in_range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_target_and_by_value() {
        let rows = [(0, vec!["b".to_string(), "a".to_string()]), (2, vec!["b".to_string()])];
        let column = AttributeColumn::new(rows.iter().map(|(t, v)| (*t, v.as_slice())));
        assert!(column.is_sound(3) && !column.is_sound(2));
        assert_eq!(column.values_of(0), ["b", "a"]);
        assert!(column.values_of(1).is_empty() && column.values_of(9).is_empty());
        assert_eq!(column.targets(|v| v == "b").collect::<Vec<_>>(), [0, 2]);
    }
}

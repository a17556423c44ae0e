//! Which targets a text is a label of: the exact-match side of a space.

use crate::ontology::{Concept, fold_label};

/// A sorted list of (hash of a folded label, target), 8 bytes an entry.
///
/// The hash is 32 bits of blake3: a match is a candidate, to be compared with the concept's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AliasList(Vec<(u32, u32)>);

impl AliasList {
    /// The labels of all concepts of a space, in target order.
    pub(crate) fn new<'a>(concepts: impl Iterator<Item = &'a Concept>) -> Self {
        let entries = (0u32..).zip(concepts);
        let hashed = entries.flat_map(|(target, concept)| concept.surface_forms().map(move |l| (hash(l), target)));
        let mut list: Vec<(u32, u32)> = hashed.collect();
        list.sort_unstable();
        list.dedup();
        Self(list)
    }

    /// The targets that may have the label, in order.
    pub(crate) fn candidates(&self, label: &str) -> impl Iterator<Item = u32> {
        let wanted = hash(label);
        let start = self.0.partition_point(|&(hash, _)| hash < wanted);
        self.0[start..].iter().take_while(move |&&(hash, _)| hash == wanted).map(|&(_, target)| target)
    }

    /// As stored: pairs of little-endian u32.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|&(hash, target)| [hash.to_le_bytes(), target.to_le_bytes()]).flatten().collect()
    }

    /// From what is stored; `None` when it is no list of targets below `n_targets`, sorted.
    pub(crate) fn from_bytes(bytes: &[u8], n_targets: usize) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let (pairs, odd) = words.as_chunks::<2>();
        let list: Vec<_> = pairs.iter().map(|[h, t]| (u32::from_le_bytes(*h), u32::from_le_bytes(*t))).collect();
        let sound = rest.is_empty() && odd.is_empty() && list.is_sorted();
        (sound && list.iter().all(|&(_, target)| (target as usize) < n_targets)).then_some(Self(list))
    }
}

fn hash(label: &str) -> u32 {
    let bytes = blake3::hash(fold_label(label).as_bytes());
    let [a, b, c, d, ..] = *bytes.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ontology::Kind;

    #[test]
    fn labels_are_found_by_their_fold_and_shared_ones_by_all_targets() {
        let mut welder = Concept::new("1", Kind::SKILL, "arc welding");
        welder.alternative_labels = vec!["Welding".to_string()];
        let mut joiner = Concept::new("2", Kind::SKILL, "joining metal");
        joiner.alternative_labels = vec!["welding".to_string()];
        let list = AliasList::new([&welder, &joiner].into_iter());
        assert_eq!(list.candidates(" WELDING ").collect::<Vec<_>>(), [0, 1]);
        assert_eq!(list.candidates("joining").count(), 0);
        let bytes = list.to_bytes();
        assert_eq!(AliasList::from_bytes(&bytes, 2), Some(list));
        assert_eq!(AliasList::from_bytes(&bytes, 1), None);
        assert_eq!(AliasList::from_bytes(&bytes[1..], 2), None);
    }
}

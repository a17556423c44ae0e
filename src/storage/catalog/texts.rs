//! Many short texts in one allocation.

use rkyv::{Archive, Deserialize, Serialize};

/// A list of texts: their bytes one after the other, and where each ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct Texts {
    /// What all texts begin with, kept once.
    prefix: String,
    bytes: String,
    ends: Vec<u32>,
}

impl Texts {
    /// A list of the given texts; a prefix that all share is kept once.
    ///
    /// `None` when they are longer together than a u32 can count.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let prefix = common_prefix(texts.clone());
        let mut list = Texts { prefix: prefix.to_string(), ..Texts::default() };
        for text in texts {
            list.bytes.push_str(&text[prefix.len()..]);
            list.ends.push(u32::try_from(list.bytes.len()).ok()?);
        }
        Some(list)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text at a position; `None` beyond the end, or when the ends do not fit the bytes.
    pub(crate) fn get(&self, at: usize) -> Option<String> {
        Some(format!("{}{}", self.prefix, self.stem(at)?))
    }

    /// The text at a position without the prefix.
    fn stem(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start as usize..*self.ends.get(at)? as usize)
    }

    /// All texts in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = String> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Where a text is first.
    pub(crate) fn position(&self, text: &str) -> Option<usize> {
        let stem = text.strip_prefix(self.prefix.as_str())?;
        (0..self.len()).find(|&at| self.stem(at) == Some(stem))
    }

    /// Whether every text can be read.
    pub(crate) fn is_sound(&self) -> bool {
        (0..self.len()).all(|at| self.stem(at).is_some())
    }
}

/// The longest text that all begin with; empty for none.
fn common_prefix<'a>(mut texts: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(mut prefix) = texts.next() else { return "" };
    for text in texts {
        let shared = prefix.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        // Back to the start of a character: both texts agree on all bytes before `shared`.
        let end = (0..=shared).rev().find(|&end| prefix.is_char_boundary(end)).unwrap_or(0);
        prefix = &prefix[..end];
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shared_prefix_is_kept_once() {
        let ids = ["http://example.org/skill/a", "http://example.org/skill/bb", "http://example.org/skill/"];
        let texts = Texts::new(ids.iter().copied()).unwrap();
        assert_eq!(texts.bytes, "abb");
        assert_eq!(texts.iter().collect::<Vec<_>>(), ids);
        assert_eq!(texts.position("http://example.org/skill/bb"), Some(1));
        assert_eq!(texts.position("bb"), None);
        assert_eq!(texts.get(3), None);
    }

    proptest! {
        #[test]
        fn texts_survive(list in proptest::collection::vec("[a-bé漢]{0,6}", 0..20)) {
            let texts = Texts::new(list.iter().map(String::as_str)).unwrap();
            prop_assert!(texts.is_sound());
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), list);
        }
    }
}

//! When two labels are the same label: the comparison behind exact alias hits.

use unicode_normalization::UnicodeNormalization;

/// The comparison form of a label: compatibility-decomposed and recomposed (NFKC), lower case, runs of white space as
/// one space, nothing at the ends.
///
/// "  Data\u{a0}Engineer " and "data engineer" fold to the same string; "C" and "C++" do not.
pub(crate) fn fold_label(label: &str) -> String {
    let lower = label.nfkc().flat_map(char::to_lowercase).collect::<String>();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::fold_label;

    #[test]
    fn case_space_and_compatibility_forms_do_not_matter() {
        assert_eq!(fold_label("  Data\u{a0}ENGINEER\n"), "data engineer");
        assert_eq!(fold_label("ﬁtter"), "fitter");
        assert_eq!(fold_label("Cafe\u{301}"), fold_label("CAFÉ"));
        assert_ne!(fold_label("C"), fold_label("C++"));
        assert_eq!(fold_label(" \t "), "");
    }
}

//! Which texts of a concept are embedded.

use super::Concept;

/// Which texts of a concept are its surface forms.
///
/// A concept with several forms scores as the mean of its preferred label's score and its best form's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Forms {
    /// The preferred label only.
    #[default]
    Preferred,
    /// The preferred label and all alternative labels.
    All,
}

impl Forms {
    /// The surface forms of a concept, the preferred label first.
    pub fn of(self, concept: &Concept) -> impl Iterator<Item = &str> {
        let n = match self {
            Forms::Preferred => 1,
            Forms::All => usize::MAX,
        };
        concept.surface_forms().take(n)
    }

    /// The name, as printed and as the command line takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Forms::Preferred => "preferred",
            Forms::All => "all",
        }
    }
}

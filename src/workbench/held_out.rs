//! Which concepts are held out from training: every fifth, by a hash of their id, or of their ISCO group's.
//!
//! A concept is held out when SHA-1 of its id (the URI in ESCO, the code in O*NET), read as one big-endian number, is divisible by 5. So a
//! concept stays on its side from release to release, and whoever trains elsewhere can compute the same. A model that is judged on
//! held-out concepts must not have met an edge or a label of any of them.

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::ontology::{Concept, Kind};

/// One concept in so many is held out.
pub const ONE_IN: u32 = 5;

/// Whether the concept with an id is held out from training.
///
/// ```
/// use workindex::workbench::held_out;
/// let ids = (0..1000).map(|n| format!("http://data.europa.eu/esco/skill/{n}"));
/// assert!((150..250).contains(&ids.filter(|id| held_out::is_held_out(id)).count()));
/// ```
pub fn is_held_out(id: &str) -> bool {
    let digest = Sha1::digest(id.as_bytes());
    digest.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % ONE_IN) == 0
}

/// How concepts are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holdout {
    /// None is: a model that was trained so may be judged on nothing that it was trained on.
    None,
    /// Every fifth concept, by [`is_held_out`] of its id.
    Hash,
    /// Occupations of every fifth ISCO group, by [`is_held_out`] of the group's code, so that no sibling of a held-out occupation is trained on; all
    /// other concepts as with `Hash`.
    IscoGroup,
}

impl Holdout {
    /// Whether a concept is held out.
    pub fn holds_out(self, concept: &Concept) -> bool {
        match self {
            Holdout::None => false,
            Holdout::Hash => is_held_out(&concept.id),
            Holdout::IscoGroup => match concept.attributes.get("iscoGroup").and_then(|codes| codes.first()) {
                Some(code) if concept.kind == Kind::OCCUPATION => is_held_out(code),
                _ => is_held_out(&concept.id),
            },
        }
    }

    /// The rule in words, as results state it.
    pub(super) fn rule(self) -> String {
        let of = match self {
            Holdout::None => return "none".to_string(),
            Holdout::Hash => "the id",
            Holdout::IscoGroup => "the ISCO group's code (of what has none, of the id)",
        };
        format!("SHA-1 of {of} divisible by {ONE_IN}")
    }
}

#[cfg(test)]
mod tests {
    use super::is_held_out;

    /// Python: `int(hashlib.sha1(id.encode()).hexdigest(), 16) % 5 == 0`.
    #[test]
    fn it_is_what_other_programs_compute() {
        let ids =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "15-1252.00", "http://data.europa.eu/esco/skill/x"];
        let held: Vec<&str> = ids.into_iter().filter(|id| is_held_out(id)).collect();
        assert_eq!(held, PYTHON);
    }

    const PYTHON: [&str; 1] = ["b"];
}

//! Names of target spaces: `ontology[@version]/kind/language`.

use std::fmt;
use std::str::FromStr;

use super::{Kind, Release};
use crate::error::{Error, Result};

/// The name of a target space: all concepts of one kind in one release and language of an ontology.
///
/// Without a version it means the release ingested last.
///
/// ```
/// use workindex::SpaceName;
/// let name: SpaceName = "esco@1.1.0/skill/en".parse()?;
/// assert_eq!(name.ontology(), "esco");
/// assert_eq!(name.version(), Some("1.1.0"));
/// assert_eq!(name.kind().as_str(), "skill");
/// assert_eq!(name.language(), "en");
/// assert_eq!(name.to_string(), "esco@1.1.0/skill/en");
/// assert!("esco/skill".parse::<SpaceName>().is_err());
/// # Ok::<(), workindex::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceName {
    ontology: String,
    version: Option<String>,
    kind: Kind,
    language: String,
}

impl SpaceName {
    /// A name from its parts.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when a part is not well-formed.
    pub fn new(ontology: &str, version: Option<&str>, kind: Kind, language: &str) -> Result<Self> {
        check_ontology(ontology)?;
        version.map_or(Ok(()), check_version)?;
        check_language(language)?;
        Ok(Self {
            ontology: ontology.to_string(),
            version: version.map(str::to_string),
            kind,
            language: language.to_string(),
        })
    }

    /// The pinned name of one kind of a release, whose parts its builder has checked.
    pub(super) fn of_release(release: &Release, kind: Kind) -> Self {
        Self {
            ontology: release.ontology().to_string(),
            version: Some(release.version().to_string()),
            kind,
            language: release.language().to_string(),
        }
    }

    /// The ontology: lower-case letters, digits and hyphens.
    pub fn ontology(&self) -> &str {
        &self.ontology
    }

    /// The release, when the name pins one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The kind of its concepts.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The language, a BCP-47 code in lower case.
    pub fn language(&self) -> &str {
        &self.language
    }
}

impl fmt::Display for SpaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ontology)?;
        if let Some(version) = &self.version {
            write!(f, "@{version}")?;
        }
        write!(f, "/{}/{}", self.kind, self.language)
    }
}

impl FromStr for SpaceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        let &[head, kind, language] = parts.as_slice() else {
            return Err(invalid("space", name, "write ONTOLOGY/KIND/LANGUAGE, as in `esco/skill/en`"));
        };
        let (ontology, version) = match head.split_once('@') {
            Some((ontology, version)) => (ontology, Some(version)),
            None => (head, None),
        };
        Self::new(ontology, version, Kind::new(kind)?, language)
    }
}

/// An ontology's name is made like a kind's.
pub(super) fn check_ontology(name: &str) -> Result<()> {
    match Kind::new(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(
            "ontology name",
            name,
            "use 1 to 64 lower-case letters, digits and hyphens, beginning with a letter, as in `esco`",
        )),
    }
}

/// A version is 1 to 64 visible ASCII characters without `/` and `@`.
pub(super) fn check_version(version: &str) -> Result<()> {
    let valid =
        (1..=64).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'@');
    if valid {
        return Ok(());
    }
    Err(invalid("release", version, "use 1 to 64 visible ASCII characters without `/` and `@`, as in `1.1.1`"))
}

/// A language is 2 to 35 lower-case letters, digits and hyphens.
pub(super) fn check_language(language: &str) -> Result<()> {
    let valid = (2..=35).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid { Ok(()) } else { Err(invalid("language", language, "use a BCP-47 code in lower case, as in `en`")) }
}

fn invalid(what: &'static str, name: &str, problem: &str) -> Error {
    Error::InvalidName { what, name: name.to_string(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_names_are_refused() {
        for name in ["", "esco", "esco/skill", "esco/skill/en/x", "ESCO/skill/en", "esco@/skill/en", "esco/Skill/en"] {
            assert!(name.parse::<SpaceName>().is_err(), "{name}");
        }
        for name in ["esco/skill/e", "esco/skill/EN", "es co/skill/en", "../skill/en", "esco@1@2/skill/en"] {
            assert!(name.parse::<SpaceName>().is_err(), "{name}");
        }
    }

    #[test]
    fn names_survive_printing() {
        for name in ["esco/skill/en", "esco@1.1.1/occupation/en-us", "our-list@2026-11-23/item/nl"] {
            assert_eq!(name.parse::<SpaceName>().unwrap().to_string(), name);
        }
    }
}

//! Which file of the distribution is which, in which language and of which release.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::ontology::source::files::{InputFiles, given_twice};
use crate::ontology::source::version::{version_after, versions};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Skills,
    Occupations,
    IscoGroups,
    SkillGroups,
    BroaderOccupations,
    BroaderSkills,
    OccupationSkill,
    SkillSkill,
    Hierarchy,
    /// A thematic collection, by its name.
    Collection(String),
}

/// The files of one language.
#[derive(Debug)]
pub(super) struct Layout {
    /// The language that they are in, in lower case.
    pub(super) language: String,
    /// The names of the files that are not used.
    pub(super) unused: Vec<String>,
    files: BTreeMap<Role, usize>,
}

impl Layout {
    /// Sorts the files; `language` is the one wanted.
    pub(super) fn of(files: &InputFiles, language: Option<&str>) -> Result<Self> {
        let known: Vec<_> = files.files().iter().map(|file| role(&file.name)).collect();
        let found: BTreeSet<&str> = known.iter().flatten().filter_map(|(_, language)| language.as_deref()).collect();
        let language = chosen_language(language, &found)?;
        let mut layout = Self { language, unused: Vec::new(), files: BTreeMap::new() };
        for (at, (file, known)) in files.files().iter().zip(&known).enumerate() {
            let Some((role, _)) =
                known.as_ref().filter(|(_, its)| its.as_ref().is_none_or(|its| *its == layout.language))
            else {
                layout.unused.push(file.name.clone());
                continue;
            };
            if let Some(other) = layout.files.insert(role.clone(), at) {
                return Err(given_twice(&files.files()[other], file));
            }
        }
        Ok(layout)
    }

    /// Where the file of a role is.
    pub(super) fn get(&self, role: &Role) -> Option<usize> {
        self.files.get(role).copied()
    }

    pub(super) fn has(&self, role: &Role) -> bool {
        self.files.contains_key(role)
    }

    /// The thematic collections, by name.
    pub(super) fn collections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().filter_map(|(role, &at)| match role {
            Role::Collection(name) => Some((name.as_str(), at)),
            _ => None,
        })
    }

    /// Where all files are that are used.
    pub(super) fn positions(&self) -> Vec<usize> {
        self.files.values().copied().collect()
    }
}

/// The language wanted, or else the only one found.
fn chosen_language(wanted: Option<&str>, found: &BTreeSet<&str>) -> Result<String> {
    let list = found.iter().copied().collect::<Vec<_>>().join(", ");
    let wanted = wanted.map(str::to_lowercase);
    match (wanted, found.len()) {
        (Some(wanted), n) if n == 0 || found.contains(wanted.as_str()) => Ok(wanted),
        (Some(wanted), _) => Err(invalid("language", format!("one that the files are in: {list}"), wanted)),
        (None, 1) => Ok(list),
        (None, 0) => {
            let expected = "a language to be given, because no file name says it as `skills_en.csv` does".to_string();
            Err(invalid("language", expected, "none".to_string()))
        }
        (None, _) => Err(invalid("language", "files of one language, or one of them to be given".to_string(), list)),
    }
}

/// What a file holds by its name, and in which language.
fn role(file_name: &str) -> Option<(Role, Option<String>)> {
    let stem =
        file_name.get(..file_name.len().checked_sub(4)?).filter(|_| file_name.to_lowercase().ends_with(".csv"))?;
    let (stem, language) = match stem.rsplit_once('_') {
        Some((stem, suffix)) if is_language(suffix) => (stem, Some(suffix.to_lowercase())),
        _ => (stem, None),
    };
    let role = match stem.to_lowercase().as_str() {
        "skills" => Role::Skills,
        "occupations" => Role::Occupations,
        "iscogroups" => Role::IscoGroups,
        "skillgroups" => Role::SkillGroups,
        "broaderrelationsoccpillar" => Role::BroaderOccupations,
        "broaderrelationsskillpillar" => Role::BroaderSkills,
        "occupationskillrelations" => Role::OccupationSkill,
        "skillskillrelations" => Role::SkillSkill,
        "skillshierarchy" => Role::Hierarchy,
        _ => Role::Collection(collection_name(stem)?.to_string()),
    };
    Some((role, language))
}

/// "green" of `greenSkillsCollection`. The collections of skills and of occupations are told apart by their concepts,
/// but are two files: the pillar stays in the role's name.
fn collection_name(stem: &str) -> Option<&str> {
    stem.strip_suffix("Collection").filter(|name| !name.is_empty())
}

fn is_language(suffix: &str) -> bool {
    let mut parts = suffix.split('-');
    parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The release by the names of the files, archives and folders.
pub(super) fn version<P: AsRef<Path>>(files: &InputFiles, layout: &Layout, paths: &[P]) -> Result<String> {
    let used = layout.files.values().filter_map(|&at| files.files().get(at)).map(|file| file.path.as_path());
    let found = versions(used, paths, |name| version_after(name, "v", &['.']));
    let list = found.iter().cloned().collect::<Vec<_>>().join(", ");
    match found.len() {
        1 => Ok(list),
        0 => {
            let expected =
                "a release to be given, because no file or folder name says it as `ESCO … v1.1.1 ….zip` does";
            Err(invalid("release", expected.to_string(), "none".to_string()))
        }
        _ => Err(invalid("release", "files of one release, or the release to be given".to_string(), list)),
    }
}

fn invalid(option: &'static str, expected: String, got: String) -> Error {
    Error::InvalidOption { option, expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        let known = |name: &str| role(name).map(|(role, language)| (role, language.unwrap_or_default()));
        assert_eq!(known("skills_en.csv"), Some((Role::Skills, "en".into())));
        assert_eq!(known("skills_en-US.CSV"), Some((Role::Skills, "en-us".into())));
        assert_eq!(known("ISCOGroups_de.csv"), Some((Role::IscoGroups, "de".into())));
        assert_eq!(known("occupationSkillRelations.csv"), Some((Role::OccupationSkill, String::new())));
        assert_eq!(known("occupationSkillRelations_en.csv"), Some((Role::OccupationSkill, "en".into())));
        assert_eq!(known("greenSkillsCollection_en.csv"), Some((Role::Collection("greenSkills".into()), "en".into())));
        for name in
            ["conceptSchemes_en.csv", "Collection_en.csv", "skills_en.txt", "csv", "", "ü.csv", "dictionary_en.csv"]
        {
            assert_eq!(known(name), None, "{name}");
        }
    }

    #[test]
    fn a_language_is_needed_and_only_one() {
        assert_eq!(chosen_language(None, &BTreeSet::from(["en"])).unwrap(), "en");
        assert_eq!(chosen_language(Some("DE"), &BTreeSet::from(["de", "en"])).unwrap(), "de");
        assert_eq!(chosen_language(Some("de"), &BTreeSet::new()).unwrap(), "de");
        for (wanted, found) in [(None, vec![]), (None, vec!["de", "en"]), (Some("fr"), vec!["de"])] {
            let error = chosen_language(wanted, &found.into_iter().collect()).unwrap_err();
            assert!(matches!(error, Error::InvalidOption { option: "language", .. }), "{error}");
        }
    }
}

//! The small ontology that is built in: some hundred concepts, written for this project in ESCO's format.

use std::path::Path;

use workindex::{Kind, Release, ReleaseBuilder, esco};

use crate::console::Console;
use crate::failure::{Failure, Outcome};

/// Its name; it is not ESCO, and must not be taken for it.
pub const NAME: &str = "mini-esco";
pub const VERSION: &str = "1.1.0";
pub const LANGUAGE: &str = "en";

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("../../../../fixtures/mini-esco/1.1.0/", $name)).as_slice())),+]
    };
}

const FILES: [(&str, &[u8]); 9] = files![
    "ISCOGroups_en.csv",
    "broaderRelationsOccPillar.csv",
    "broaderRelationsSkillPillar.csv",
    "digitalSkillsCollection_en.csv",
    "occupationSkillRelations.csv",
    "occupations_en.csv",
    "skillGroups_en.csv",
    "skillSkillRelations.csv",
    "skills_en.csv",
];

/// The pinned name of one of its spaces.
pub fn space(kind: &Kind) -> String {
    format!("{NAME}@{VERSION}/{kind}/{LANGUAGE}")
}

/// Reads it, as a download would be read.
pub fn read(console: &Console) -> Outcome<Release> {
    let folder = tempfile::tempdir().map_err(|error| Failure::plain(format!("cannot make a folder: {error}")))?;
    for (name, content) in FILES {
        let path = folder.path().join(name);
        std::fs::write(&path, content)
            .map_err(|error| Failure::plain(format!("cannot write {}: {error}", path.display())))?;
    }
    read_from(folder.path(), console)
}

fn read_from(folder: &Path, console: &Console) -> Outcome<Release> {
    let options = esco::Options { version: Some(VERSION.to_string()), language: Some(LANGUAGE.to_string()) };
    let (release, _) = esco::read(&[folder], &options, &console.silent_monitor())?;
    renamed(&release)
}

/// The release under its own name, and without ESCO's attribution, which is not owed for it.
fn renamed(release: &Release) -> Outcome<Release> {
    let mut builder = ReleaseBuilder::new(NAME, release.version(), release.language())?;
    for concept in release.concepts() {
        builder.add(concept.clone(), NAME, 0);
    }
    let concept = |at: u32| release.concepts().get(at as usize).map(|concept| (&concept.kind, concept.id.as_str()));
    for relation in release.relations() {
        if let (Some(from), Some(to)) = (concept(relation.from), concept(relation.to)) {
            builder.relate(from, relation.kind, to, NAME, 0);
        }
    }
    Ok(builder.finish().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use workindex::CancelToken;

    #[test]
    fn it_is_whole_under_its_own_name() {
        let release = read(&Console::new(true, CancelToken::new())).unwrap();
        let of_kind = |kind: &Kind| release.concepts().iter().filter(|concept| &concept.kind == kind).count();
        // As fixtures/mini-esco/expected.json has them.
        assert_eq!((of_kind(&Kind::SKILL), of_kind(&Kind::OCCUPATION)), (278, 82));
        assert_eq!(release.relations().len(), 1607);
        assert_eq!(release.space_name(&Kind::SKILL).to_string(), space(&Kind::SKILL));
        assert_eq!(release.attribution(), None);
    }
}

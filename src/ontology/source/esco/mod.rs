//! Reads the official CSV distribution of ESCO: any 1.x release, any language.
//!
//! The distribution is a folder or two zip archives ("classification" and "relations"); every file of it is known by
//! its name, with or without the language in it (`skills_en.csv`, `occupationSkillRelations.csv`). Release and language are
//! read from the names of archives, folders and files, because no column holds either; they can be given instead.
//!
//! | file | becomes |
//! |---|---|
//! | `skills`, `occupations`, `ISCOGroups`, `skillGroups` | concepts, in this order |
//! | `broaderRelationsOccPillar`, `broaderRelationsSkillPillar` | [`Broader`](crate::RelationKind::Broader), from the narrower concept |
//! | `occupationSkillRelations`, `skillSkillRelations` | [`Essential`](crate::RelationKind::Essential) and [`Optional`](crate::RelationKind::Optional) |
//! | `skillsHierarchy` | [`Broader`](crate::RelationKind::Broader) for groups to which the relation files give no broader one; its other rows repeat them |
//! | `…SkillsCollection`, `…OccupationsCollection` | the attribute `collection`, with the collection's name (`green`, `digComp`) as a value |
//!
//! Of the columns, `conceptUri` is the id and `altLabels` the alternative labels. `description` is the description, or
//! where it is empty `definition`. `skillType`, `reuseLevel`, `iscoGroup`, `code`, `status`, `definition`,
//! `scopeNote` and `regulatedProfessionNote` are attributes of the same name where they say something; so is
//! `hiddenLabels`, with one value a label: ESCO keeps these to find a concept by, not to show them, and some of them
//! name another occupation. Left out are `conceptType` (the file says it), `inScheme` (the collections say it) and
//! `modifiedDate` (which changes where nothing else does).
//!
//! An occupation to which the broader relations give nothing broader is put under the ISCO group of its `iscoGroup`.

mod concepts;
mod layout;
mod relations;

use std::path::Path;

use self::layout::{Layout, Role};
use super::files::InputFiles;
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{ReadReport, Release, ReleaseBuilder};

const ATTRIBUTION: &str = "This service uses the ESCO classification of the European Commission.";

/// What the names of the files do not say, or say wrongly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The release, such as "1.1.1"; `None` takes it from the names of the archives or folders.
    pub version: Option<String>,
    /// The language, such as "en"; `None` takes it from the names of the files. Files of other languages are not used.
    pub language: Option<String>,
}

/// Reads a release of ESCO from folders, zip archives and single files together.
///
/// At least the skills or the occupations must be among them; everything else adds to the release where it is there.
/// The ontology is called `esco`.
///
/// # Errors
/// [`Error::InvalidOption`] when the version or the language is in no name, or in several; [`Error::Input`] when a file
/// cannot be read as what its name says or is given twice; [`Error::Io`]; [`Error::Cancelled`].
pub fn read<P: AsRef<Path>>(paths: &[P], options: &Options, monitor: &Monitor) -> Result<(Release, ReadReport)> {
    let mut files = InputFiles::gather(paths, monitor)?;
    let layout = Layout::of(&files, options.language.as_deref())?;
    let version = match &options.version {
        Some(version) => version.clone(),
        None => layout::version(&files, &layout, paths)?,
    };
    if !layout.has(&Role::Skills) && !layout.has(&Role::Occupations) {
        let first = paths.first().map(|path| path.as_ref().to_path_buf()).unwrap_or_default();
        let problem = format!(
            "no `skills_{0}.csv` and no `occupations_{0}.csv` here; is it the ESCO classification as CSV?",
            layout.language
        );
        return Err(Error::Input { path: first, row: None, column: None, problem });
    }
    let mut builder = ReleaseBuilder::new("esco", &version, &layout.language)?;
    builder.attribution(ATTRIBUTION);
    builder.report().unused_files.clone_from(&layout.unused);
    files.expect(&layout.positions());
    concepts::read(&mut files, &layout, &mut builder)?;
    relations::read(&mut files, &layout, &mut builder)?;
    Ok(builder.finish())
}

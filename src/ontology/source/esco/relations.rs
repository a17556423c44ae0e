//! The relations of ESCO: what is broader, and which skills are essential or optional to what.

use std::collections::{HashMap, HashSet};

use super::layout::{Layout, Role};
use crate::error::Result;
use crate::ontology::source::files::InputFiles;
use crate::ontology::source::records::{Dialect, Records, Row};
use crate::ontology::{DefectKind, Kind, RelationKind, ReleaseBuilder};

const OCCUPATION_PILLAR: [Kind; 2] = [Kind::OCCUPATION, Kind::ISCO_GROUP];
const SKILL_PILLAR: [Kind; 2] = [Kind::SKILL, Kind::SKILL_GROUP];

/// Reads all relation files whose concepts were read; the others are noted as not used.
pub(super) fn read(files: &mut InputFiles, layout: &Layout, builder: &mut ReleaseBuilder) -> Result<()> {
    let occupations = layout.has(&Role::Occupations);
    let skills = layout.has(&Role::Skills);
    let occupation_pillar = occupations || layout.has(&Role::IscoGroups);
    let skill_pillar = skills || layout.has(&Role::SkillGroups);
    let mut parents = Parents::default();
    let mut open = |role: Role, wanted: bool, builder: &mut ReleaseBuilder, read: &mut Reader| match layout.get(&role) {
        Some(at) if wanted => read(files.records(at, Dialect::Comma)?, builder),
        Some(at) => {
            let name = files.files().get(at).map(|file| file.name.clone());
            builder.report().unused_files.extend(name);
            Ok(())
        }
        None => Ok(()),
    };
    open(Role::BroaderOccupations, occupation_pillar, builder, &mut |records, builder| {
        read_broader(records, &OCCUPATION_PILLAR, &mut parents, builder)
    })?;
    open(Role::BroaderSkills, skill_pillar, builder, &mut |records, builder| {
        read_broader(records, &SKILL_PILLAR, &mut parents, builder)
    })?;
    open(Role::Hierarchy, skill_pillar, builder, &mut |records, builder| read_hierarchy(records, &parents, builder))?;
    open(Role::OccupationSkill, occupations && skills, builder, &mut |records, builder| {
        let columns = ("occupationUri", Some("skillType"), "skillUri");
        read_needs(records, &Kind::OCCUPATION, columns, builder)
    })?;
    open(Role::SkillSkill, skills, builder, &mut |records, builder| {
        // Of its two columns of skill types one is wrong nearly everywhere; neither is read.
        read_needs(records, &Kind::SKILL, ("originalSkillUri", None, "relatedSkillUri"), builder)
    })?;
    place_under_isco_groups(&parents, builder);
    Ok(())
}

type Reader<'r> = dyn FnMut(Records, &mut ReleaseBuilder) -> Result<()> + 'r;

/// The positions of the concepts to which the relation files give a broader one.
#[derive(Default)]
struct Parents(HashSet<u32>);

/// The kind under which a concept of a pillar was read.
fn kind_of<'k>(pillar: &'k [Kind; 2], id: &str, builder: &ReleaseBuilder) -> &'k Kind {
    pillar.iter().find(|kind| builder.position(kind, id).is_some()).unwrap_or(&pillar[0])
}

fn read_broader(
    mut records: Records,
    pillar: &[Kind; 2],
    parents: &mut Parents,
    builder: &mut ReleaseBuilder,
) -> Result<()> {
    let (narrower, broader) = (records.column("conceptUri")?, records.column("broaderUri")?);
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (from, to) = (row.get(narrower), row.get(broader));
        let kind = kind_of(pillar, from, builder);
        if builder.relate((kind, from), RelationKind::Broader, (kind_of(pillar, to, builder), to), &file, row.line) {
            parents.0.extend(builder.position(kind, from));
        }
    }
    Ok(())
}

/// Reads rows of which each names the concepts on the way from the top of the skills hierarchy to one group.
fn read_hierarchy(mut records: Records, parents: &Parents, builder: &mut ReleaseBuilder) -> Result<()> {
    let levels = (0..4).filter_map(|level| records.optional(&format!("Level {level} URI"))).collect::<Vec<_>>();
    records.column("Level 0 URI")?;
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let path: Vec<&str> = levels.iter().map(|&level| row.get(level)).filter(|id| !id.is_empty()).collect();
        let &[.., to, from] = path.as_slice() else { continue };
        let (kind, to_kind) = (kind_of(&SKILL_PILLAR, from, builder), kind_of(&SKILL_PILLAR, to, builder));
        if builder.position(kind, from).is_none_or(|position| !parents.0.contains(&position)) {
            builder.relate((kind, from), RelationKind::Broader, (to_kind, to), &file, row.line);
        }
    }
    Ok(())
}

/// Reads essential and optional skills.
fn read_needs(
    mut records: Records,
    from_kind: &Kind,
    (from, skill_type, to): (&str, Option<&str>, &str),
    builder: &mut ReleaseBuilder,
) -> Result<()> {
    let (from, to, relation) = (records.column(from)?, records.column(to)?, records.column("relationType")?);
    let skill_type = skill_type.and_then(|name| records.optional(name));
    let file = records.name();
    while let Some(row) = records.next(builder.report())? {
        let (from, to) = (row.get(from), row.get(to));
        if skill_type.is_some_and(|column| row.get(column).is_empty()) {
            let what = format!("the skill of {from} and {to} has no type");
            builder.report().note(&file, DefectKind::UnknownValue, row.line, what);
        }
        match relation_kind(&row, relation) {
            Some(kind) => _ = builder.relate((from_kind, from), kind, (&Kind::SKILL, to), &file, row.line),
            None => {
                let what = format!("`{}` between {from} and {to}", row.get(relation));
                builder.report().note(&file, DefectKind::UnknownRelation, row.line, what);
            }
        }
    }
    Ok(())
}

fn relation_kind(row: &Row, column: usize) -> Option<RelationKind> {
    match row.get(column) {
        "essential" => Some(RelationKind::Essential),
        "optional" => Some(RelationKind::Optional),
        _ => None,
    }
}

/// Puts each occupation that has nothing broader under the ISCO group with its `iscoGroup` as code.
fn place_under_isco_groups(parents: &Parents, builder: &mut ReleaseBuilder) {
    let groups: HashMap<String, u32> = builder
        .of_kind(&Kind::ISCO_GROUP)
        .filter_map(|(position, group)| Some((group.attributes.get("code")?.first()?.clone(), position)))
        .collect();
    let edges: Vec<(u32, u32)> = builder
        .of_kind(&Kind::OCCUPATION)
        .filter(|(position, _)| !parents.0.contains(position))
        .filter_map(|(position, occupation)| {
            Some((position, *groups.get(occupation.attributes.get("iscoGroup")?.first()?)?))
        })
        .collect();
    for (from, to) in edges {
        builder.relate_positions(from, RelationKind::Broader, to);
    }
}

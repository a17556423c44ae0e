//! What a release must fit into, asked before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::MAX_RAW;
use super::details::BLOCK;
use super::write::by_kind;
use crate::error::{Error, Result};
use crate::ontology::{Concept, Forms, Kind, Release};

/// The largest archive of a space: offsets inside an archive are signed and of 32 bits.
const MAX_ARCHIVE: usize = i32::MAX as usize;
/// More than an archive spends on a text beside its bytes: its place and length, and what aligns it.
const PER_TEXT: usize = 16;
/// More than the root of an archive and its padding take.
const ROOT: usize = 64;
/// More than the archive of a space spends on a concept beside its texts: the ends of id, label and forms.
const PER_CONCEPT: usize = 12;
/// Bytes of a reference to a form.
const PER_FORM: usize = 8;
/// Bytes of an alias: a hash and a target.
const PER_ALIAS: usize = 8;
/// Bytes of a relation: two ends and a kind.
const PER_RELATION: usize = 9;

/// Refuses a release that a catalog cannot hold, so that a writer which has begun to enter it need not give up half-way.
///
/// # Errors
/// [`Error::InvalidOption`] that says which of its parts is too large.
pub(crate) fn check_fits(release: &Release, forms: Forms) -> Result<()> {
    // Every archive has a root, and padding, besides what is counted.
    let limits = Limits { archive: MAX_ARCHIVE - ROOT, compressed: MAX_RAW - ROOT };
    limits.check(release, forms)
}

struct Limits {
    archive: usize,
    compressed: usize,
}

impl Limits {
    fn check(&self, release: &Release, forms: Forms) -> Result<()> {
        for (kind, concepts) in by_kind(release) {
            let concepts: Vec<&Concept> = concepts.into_iter().map(|(_, concept)| concept).collect();
            let space = sum(concepts.iter().map(|c| space_bytes(c, forms)));
            within(space, self.archive, kind, "ids, labels and surface forms")?;
            let labels = sum(concepts.iter().map(|c| c.surface_forms().count()));
            within(labels.saturating_mul(PER_ALIAS), self.archive, kind, "places of labels")?;
            let details = concepts.chunks(BLOCK).map(|block| sum(block.iter().map(|c| details_bytes(c))));
            let largest = details.max().unwrap_or(0);
            within(largest, self.compressed, kind, "alternative labels and descriptions of 64 concepts")?;
            let column = attribute_columns(&concepts).into_values().max().unwrap_or(0);
            within(column, self.compressed, kind, "values of one attribute")?;
        }
        let relations = release.relations().len().saturating_mul(PER_RELATION);
        refuse_beyond(relations, self.compressed, || "relations".to_string())
    }
}

fn within(bytes: usize, limit: usize, kind: &Kind, what: &str) -> Result<()> {
    refuse_beyond(bytes, limit, || format!("{what} of kind {kind}"))
}

fn refuse_beyond(bytes: usize, limit: usize, what: impl Fn() -> String) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    Err(Error::InvalidOption {
        option: "release",
        expected: format!("at most {limit} bytes of {}", what()),
        got: format!("{bytes}; split the release into several ontologies, or shorten its texts"),
    })
}

fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}

/// Ids and labels are counted whole: the prefix that they share is taken off when they are stored.
fn space_bytes(concept: &Concept, forms: Forms) -> usize {
    let n_forms = forms.of(concept).count();
    sum([concept.id.len(), concept.label.len(), PER_CONCEPT, n_forms.saturating_mul(PER_FORM)].into_iter())
}

fn details_bytes(concept: &Concept) -> usize {
    let labels = concept.alternative_labels.iter().map(|label| label.len() + PER_TEXT);
    let description = concept.description.as_ref().map_or(0, String::len) + 2 * PER_TEXT;
    sum(labels.chain([description]))
}

/// The size of each attribute's column: its distinct values, and an entry for each that a concept has.
fn attribute_columns<'a>(concepts: &[&'a Concept]) -> BTreeMap<&'a str, usize> {
    let mut distinct: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, values) in concepts.iter().flat_map(|concept| &concept.attributes) {
        let (seen, column) = (distinct.entry(name).or_default(), columns.entry(name).or_default());
        for value in values {
            let text = if seen.insert(value) { value.len() + PER_TEXT } else { 0 };
            *column = sum([*column, text, PER_FORM].into_iter());
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ontology::ReleaseBuilder;

    fn release() -> Release {
        let mut builder = ReleaseBuilder::new("list", "1", "en").unwrap();
        for n in 0..200 {
            let mut concept = Concept::new(format!("id-{n}"), Kind::SKILL, format!("label {n}"));
            concept.alternative_labels = vec![format!("alternative {n}")];
            concept.attributes.insert("level".to_string(), vec![format!("level {}", n % 3)]);
            builder.add(concept, "list", n + 1);
        }
        builder.finish().0
    }

    fn refused(limits: Limits) -> String {
        match limits.check(&release(), Forms::All) {
            Err(Error::InvalidOption { option: "release", expected, .. }) => expected,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_too_large_is_named_before_anything_is_written() {
        check_fits(&release(), Forms::All).unwrap();
        assert!(refused(Limits { archive: 4_000, compressed: 1 << 20 }).contains("surface forms of kind skill"));
        assert!(refused(Limits { archive: 1 << 20, compressed: 2_000 }).contains("alternative labels"));
        let block = 64 * (details_bytes(&release().concepts()[199]));
        let column = attribute_columns(&release().concepts().iter().collect::<Vec<_>>())["level"];
        assert!(column < block, "{column} {block}");
        assert_eq!(column, 3 * (7 + PER_TEXT) + 200 * PER_FORM);
    }

    #[test]
    fn what_is_counted_is_no_less_than_what_is_stored() {
        use super::super::codec::to_archive;
        use super::super::details::Details;
        let release = release();
        let of_block: Vec<&Concept> = release.concepts().iter().take(BLOCK).collect();
        let details = |c: &&Concept| Details {
            alternative_labels: c.alternative_labels.clone(),
            description: c.description.clone(),
        };
        let stored = to_archive(&of_block.iter().map(details).collect::<Vec<_>>()).unwrap().len();
        assert!(stored <= sum(of_block.iter().map(|c| details_bytes(c))) + 2 * PER_TEXT, "{stored}");
    }
}

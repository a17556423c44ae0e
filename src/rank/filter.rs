//! Which targets of a space take part in a ranking.

use std::collections::{HashMap, HashSet, VecDeque};

use roaring::RoaringBitmap;

use crate::error::Result;
use crate::ontology::RelationKind;
use crate::storage::catalog::CatalogRead;
use crate::storage::{Snapshot, SpaceData};

/// A condition on the targets of a space. A filter that no target fulfils gives an empty ranking, not an error.
///
/// ```
/// use workindex::Filter;
/// // Transversal skills, or any that stand below a group:
/// let filter = Filter::any([Filter::attribute("reuseLevel", "transversal"), Filter::below("http://example.org/group/S1")]);
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// The attribute has the value, exactly.
    Attribute {
        /// The attribute's name, as the publisher spells it.
        name: String,
        /// The value.
        value: String,
    },
    /// The attribute has a value that begins like this: ISCO or SOC codes by their first digits.
    Prefix {
        /// The attribute's name, as the publisher spells it.
        name: String,
        /// The first characters of the value.
        prefix: String,
    },
    /// The concept stands below the one with this id in the ontology's hierarchy, at any depth, or is it.
    Below(String),
    /// The concept's id is one of these.
    Ids(Vec<String>),
    /// All of these conditions hold.
    All(Vec<Filter>),
    /// At least one of these conditions holds.
    Any(Vec<Filter>),
    /// The condition does not hold.
    Not(Box<Filter>),
}

impl Filter {
    /// The attribute has the value, exactly.
    pub fn attribute(name: impl Into<String>, value: impl Into<String>) -> Self {
        Filter::Attribute { name: name.into(), value: value.into() }
    }

    /// The attribute has a value that begins like this.
    pub fn prefix(name: impl Into<String>, prefix: impl Into<String>) -> Self {
        Filter::Prefix { name: name.into(), prefix: prefix.into() }
    }

    /// The concept is the one with this id or stands below it, at any depth.
    pub fn below(id: impl Into<String>) -> Self {
        Filter::Below(id.into())
    }

    /// The concept's id is one of these.
    pub fn ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Filter::Ids(ids.into_iter().map(Into::into).collect())
    }

    /// All of these conditions hold.
    pub fn all(filters: impl IntoIterator<Item = Filter>) -> Self {
        Filter::All(filters.into_iter().collect())
    }

    /// At least one of these conditions holds.
    pub fn any(filters: impl IntoIterator<Item = Filter>) -> Self {
        Filter::Any(filters.into_iter().collect())
    }
}

impl std::ops::Not for Filter {
    type Output = Filter;

    fn not(self) -> Filter {
        Filter::Not(Box::new(self))
    }
}

/// The targets of a space that a filter lets through.
pub(crate) fn targets(filter: &Filter, snapshot: &Snapshot, space: &SpaceData) -> Result<RoaringBitmap> {
    let n = space.targets.len();
    let by_value = |name: &str, accepts: &dyn Fn(&str) -> bool| {
        let column = snapshot.catalog().attribute(space.release, &space.kind, name, n)?;
        Ok(column.targets(accepts).collect())
    };
    match filter {
        Filter::Attribute { name, value } => by_value(name, &|found| found == value),
        Filter::Prefix { name, prefix } => by_value(name, &|found| found.starts_with(prefix.as_str())),
        Filter::Below(id) => below(id, snapshot, space),
        Filter::Ids(ids) => Ok(with_ids(ids, space)),
        Filter::All(filters) => {
            filters.iter().try_fold(everything(n), |kept, filter| Ok(kept & targets(filter, snapshot, space)?))
        }
        Filter::Any(filters) => {
            filters.iter().try_fold(RoaringBitmap::new(), |kept, filter| Ok(kept | targets(filter, snapshot, space)?))
        }
        Filter::Not(filter) => Ok(everything(n) - targets(filter, snapshot, space)?),
    }
}

fn everything(n: usize) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..n as u32);
    all
}

fn with_ids(ids: &[String], space: &SpaceData) -> RoaringBitmap {
    let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let found = (0u32..).zip(space.targets.ids.iter()).filter(|(_, id)| wanted.contains(id.as_str()));
    found.map(|(target, _)| target).collect()
}

/// Walks the hierarchy downwards, breadth first; a cycle in it ends where it began.
fn below(id: &str, snapshot: &Snapshot, space: &SpaceData) -> Result<RoaringBitmap> {
    let catalog = snapshot.catalog();
    // Concepts are numbered kind after kind; the roots are those with the id, whatever their kind.
    let (mut roots, mut first_of_kind, mut first) = (Vec::new(), 0, 0u32);
    for (kind, n) in &space.record.kinds {
        let position = match *kind == space.kind {
            true => space.targets.ids.position(id),
            false => catalog.targets(space.release, kind)?.ids.position(id),
        };
        roots.extend(position.map(|position| first.saturating_add(position as u32)));
        if *kind == space.kind {
            first_of_kind = first;
        }
        first = first.saturating_add(*n);
    }
    let mut narrower: HashMap<u32, Vec<u32>> = HashMap::new();
    for relation in catalog.relations(space.release, &space.record)? {
        if relation.kind == RelationKind::Broader {
            narrower.entry(relation.to).or_default().push(relation.from);
        }
    }
    let mut seen: RoaringBitmap = roots.iter().copied().collect();
    let mut waiting = VecDeque::from(roots);
    while let Some(concept) = waiting.pop_front() {
        for &child in narrower.get(&concept).into_iter().flatten() {
            if seen.insert(child) {
                waiting.push_back(child);
            }
        }
    }
    let of_kind = first_of_kind..first_of_kind.saturating_add(space.targets.len() as u32);
    Ok(seen.into_iter().filter(|concept| of_kind.contains(concept)).map(|concept| concept - of_kind.start).collect())
}

//! `--where`: conditions on concepts.

use std::collections::BTreeMap;

use workindex::{Filter, Space};

use crate::failure::{Failure, Outcome};

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The attribute has the value.
    Equal { key: String, value: String },
    /// A value of the attribute begins like this.
    Prefix { key: String, prefix: String },
    /// The concept stands below the one with this id.
    Below(String),
    /// The concept has this id.
    Id(String),
}

/// Reads one condition.
pub fn parse(text: &str) -> Result<Condition, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, as in `reuseLevel=transversal`")?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return Err("the key or the value is empty; expected KEY=VALUE, as in `reuseLevel=transversal`".to_string());
    }
    Ok(match (key, value.strip_suffix('*')) {
        ("below", _) => Condition::Below(value.to_string()),
        ("id", _) => Condition::Id(value.to_string()),
        (_, Some(prefix)) => Condition::Prefix { key: key.to_string(), prefix: prefix.to_string() },
        (_, None) => Condition::Equal { key: key.to_string(), value: value.to_string() },
    })
}

impl Condition {
    fn key(&self) -> &str {
        match self {
            Condition::Equal { key, .. } | Condition::Prefix { key, .. } => key,
            Condition::Below(_) => "below",
            Condition::Id(_) => "id",
        }
    }

    fn filter(&self) -> Filter {
        match self {
            Condition::Equal { key, value } => Filter::attribute(key, value),
            Condition::Prefix { key, prefix } => Filter::prefix(key, prefix),
            Condition::Below(id) => Filter::below(id),
            Condition::Id(id) => Filter::ids([id]),
        }
    }
}

/// Conditions on the same key: any of them; on different keys: all of them.
pub fn filter(conditions: &[Condition]) -> Filter {
    let mut by_key: BTreeMap<&str, Vec<Filter>> = BTreeMap::new();
    for condition in conditions {
        by_key.entry(condition.key()).or_default().push(condition.filter());
    }
    Filter::all(by_key.into_values().map(Filter::any))
}

/// Refuses an attribute that the space does not have, which no concept could ever fulfil.
pub fn check(conditions: &[Condition], space: &Space) -> Outcome {
    let attributes = space.attributes()?;
    let is_attribute = |condition: &&Condition| !matches!(condition, Condition::Below(_) | Condition::Id(_));
    let unknown = |condition: &&Condition| !attributes.iter().any(|name| name == condition.key());
    match conditions.iter().filter(is_attribute).find(unknown) {
        None => Ok(()),
        Some(condition) => Err(Failure::new(
            format!("no attribute `{}` in {}", condition.key(), space.name()),
            match attributes.is_empty() {
                true => "its concepts have no attributes; `below=ID` and `id=ID` work".to_string(),
                false => format!("it has {}; `below=ID` and `id=ID` work too", attributes.join(", ")),
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(key: &str, value: &str) -> Condition {
        Condition::Equal { key: key.to_string(), value: value.to_string() }
    }

    #[test]
    fn conditions_are_read() {
        assert_eq!(parse("reuseLevel=transversal"), Ok(equal("reuseLevel", "transversal")));
        assert_eq!(parse(" skillType = skill/competence "), Ok(equal("skillType", "skill/competence")));
        assert_eq!(parse("url=https://x.org/?a=b"), Ok(equal("url", "https://x.org/?a=b")));
        let prefix = Condition::Prefix { key: "iscoGroup".to_string(), prefix: "25".to_string() };
        assert_eq!(parse("iscoGroup=25*"), Ok(prefix));
        assert_eq!(parse("below=http://x/S1"), Ok(Condition::Below("http://x/S1".to_string())));
        assert_eq!(parse("id=a*"), Ok(Condition::Id("a*".to_string())));
        assert!(["", "reuseLevel", "=x", "x=", " = "].iter().all(|text| parse(text).is_err()));
    }

    #[test]
    fn the_same_key_is_any_and_different_keys_are_all() {
        let conditions = [parse("a=1"), parse("b=2*"), parse("a=3")].map(Result::unwrap);
        let expected = Filter::all([
            Filter::any([Filter::attribute("a", "1"), Filter::attribute("a", "3")]),
            Filter::any([Filter::prefix("b", "2")]),
        ]);
        assert_eq!(filter(&conditions), expected);
    }
}

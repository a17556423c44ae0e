//! Tables written as JSON lines: one object a line, with the keys of `columns.rs`.

use serde_json::{Map, Value};

use super::columns::{ALTERNATIVE_LABELS, DESCRIPTION, ID, KIND, LABEL, fold_header, split_labels};
use super::plain::TextLines;
use crate::error::Result;
use crate::ontology::source::records::MAX_COLUMNS;
use crate::ontology::{Concept, Kind, ReleaseBuilder, SpaceName};

/// A key and what is wrong with its value.
type Problem = (String, String);

/// Reads one concept a line.
pub(super) fn read(mut lines: TextLines, space: &SpaceName, builder: &mut ReleaseBuilder) -> Result<()> {
    let file = lines.name();
    while let Some((number, line)) = lines.next(builder.report())? {
        let object = match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(object) => object,
            Err(error) => return Err(lines.error(None, format!("not a JSON object on one line: {error}"))),
        };
        if object.len() > MAX_COLUMNS {
            return Err(lines.error(None, format!("{} keys; at most {MAX_COLUMNS}", object.len())));
        }
        match concept(object, space.kind()) {
            Ok(concept) => _ = builder.add(concept, &file, number),
            Err((key, problem)) => return Err(lines.error(Some(&key), problem)),
        }
    }
    Ok(())
}

fn concept(mut object: Map<String, Value>, kind: &Kind) -> Result<Concept, Problem> {
    let Some(label) = take_text(&mut object, &LABEL)? else {
        let keys = object.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(("label".to_string(), format!("no such key; the object has: {keys}")));
    };
    let id = take_id(&mut object)?.unwrap_or_else(|| label.clone());
    let kind = match take_text(&mut object, &KIND)? {
        Some(name) => Kind::new(&name).map_err(|error| ("kind".to_string(), error.to_string()))?,
        None => kind.clone(),
    };
    let mut concept = Concept::new(id, kind, label);
    concept.description = take_text(&mut object, &DESCRIPTION)?;
    concept.alternative_labels = match take(&mut object, &ALTERNATIVE_LABELS) {
        Some((_, Value::String(field))) => split_labels(&field),
        Some((key, value)) => texts(&key, value)?,
        None => Vec::new(),
    };
    for (key, value) in object {
        let values = texts(&key, value)?;
        if !values.is_empty() {
            concept.attributes.insert(key, values);
        }
    }
    Ok(concept)
}

/// Takes the first of the keys that is there, read as headers are.
fn take(object: &mut Map<String, Value>, names: &[&str]) -> Option<(String, Value)> {
    let key = names.iter().find_map(|name| object.keys().find(|key| fold_header(key) == *name).cloned())?;
    object.remove_entry(&key)
}

/// Takes the id. A number that is not whole could be two ids written alike, once it is read as a number.
fn take_id(object: &mut Map<String, Value>) -> Result<Option<String>, Problem> {
    let id = take(object, &ID);
    if let Some((key, Value::Number(number))) = &id
        && number.is_f64()
    {
        return Err((key.clone(), format!("expected a text or a whole number, found {number}; put it between quotes")));
    }
    match id {
        Some((key, value)) => single_text(key, value),
        None => Ok(None),
    }
}

/// Takes a single value; `None` when it is missing, null or empty.
fn take_text(object: &mut Map<String, Value>, names: &[&str]) -> Result<Option<String>, Problem> {
    match take(object, names) {
        Some((key, value)) => single_text(key, value),
        None => Ok(None),
    }
}

fn single_text(key: String, value: Value) -> Result<Option<String>, Problem> {
    if value.is_array() {
        return Err((key, "expected one value, found an array".to_string()));
    }
    Ok(texts(&key, value)?.pop())
}

/// A value or an array of values, stripped, without the empty ones.
fn texts(key: &str, value: Value) -> Result<Vec<String>, Problem> {
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    let texts = values.into_iter().map(|value| text(key, value)).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

fn text(key: &str, value: Value) -> Result<String, Problem> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.trim().to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            Err((key.to_string(), "expected a text, a number or an array of them, found a nested value".to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Concept, Problem> {
        concept(serde_json::from_str(json).unwrap(), &Kind::SKILL)
    }

    #[test]
    fn an_id_that_two_spellings_could_share_is_refused() {
        for id in ["1.10", "1e3", "99999999999999999999999"] {
            let (key, problem) = read(&format!(r#"{{"id": {id}, "label": "weld"}}"#)).unwrap_err();
            assert!(key == "id" && problem.contains("between quotes"), "{id}: {problem}");
            assert_eq!(read(&format!(r#"{{"id": "{id}", "label": "weld"}}"#)).unwrap().id, id);
        }
    }

    #[test]
    fn keys_mean_what_columns_mean() {
        let concept = read(
            r#"{"id": 7, "preferredLabel": " weld ", "altLabels": ["a|b", "c"], "kind": "tool", "tags": ["x", 2, null], "on": true}"#,
        )
        .unwrap();
        assert_eq!((concept.id.as_str(), concept.label.as_str(), concept.kind.as_str()), ("7", "weld", "tool"));
        assert_eq!(concept.alternative_labels, ["a|b", "c"]);
        assert_eq!(concept.attributes["tags"], ["x", "2"]);
        assert_eq!(concept.attributes["on"], ["true"]);
        assert_eq!(read(r#"{"name": "weld", "id": null}"#).unwrap().id, "weld");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (json, key) in [
            (r#"{"id": "1"}"#, "label"),
            (r#"{"label": ["a", "b"]}"#, "label"),
            (r#"{"label": "a", "x": {"y": 1}}"#, "x"),
            (r#"{"label": "a", "x": [[1]]}"#, "x"),
            (r#"{"label": "a", "kind": "No Kind"}"#, "kind"),
        ] {
            assert_eq!(read(json).unwrap_err().0, key, "{json}");
        }
    }
}

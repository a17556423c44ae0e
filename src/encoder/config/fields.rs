//! The fields of a config.json: each read with the limits it has to keep, and named in every error.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// What is wrong with a field, beginning with its name.
pub(super) type Problem = String;

/// The object in a config.json. A field that is `null` counts as one that is left out.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value) -> Result<Self, Problem> {
        value.as_object().map(Self).ok_or_else(|| format!("expected an object, found {}", excerpt(value)))
    }

    /// Whether the field is there and `null`.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A whole number from 1 to `limit`.
    pub(super) fn size(&self, name: &str, limit: usize) -> Result<usize, Problem> {
        self.whole(name, 1..=limit)?.ok_or_else(|| format!("{name}: missing; expected 1 to {limit}"))
    }

    /// The same, or `default` where the field is left out.
    pub(super) fn size_or(&self, name: &str, limit: usize, default: usize) -> Result<usize, Problem> {
        Ok(self.whole(name, 1..=limit)?.unwrap_or(default))
    }

    /// A whole number in `range`, if the field is there.
    pub(super) fn whole(&self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| range.contains(n)) {
            Some(n) => Ok(Some(n)),
            None => Err(format!("{name}: expected {} to {}, found {}", range.start(), range.end(), excerpt(value))),
        }
    }

    /// A number above `low` and below `high`, or `default` where the field is left out.
    pub(super) fn number_or(&self, name: &str, (low, high): (f64, f64), default: f64) -> Result<f64, Problem> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.as_f64().filter(|number| *number > low && *number < high);
        number.ok_or_else(|| format!("{name}: expected a value between {low} and {high}, found {}", excerpt(value)))
    }

    /// True or false; false where the field is left out.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let Some(value) = self.get(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| format!("{name}: expected true or false, found {}", excerpt(value)))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| format!("{name}: expected a text, found {}", excerpt(value)))
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&'a [Value]>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let list = value.as_array().map(Vec::as_slice);
        list.map(Some).ok_or_else(|| format!("{name}: expected a list, found {}", excerpt(value)))
    }

    /// Refuses every value but `only`, for a field whose other values mean a model that is not read.
    pub(super) fn only(&self, name: &str, only: &Value) -> Result<(), Problem> {
        match self.get(name) {
            Some(value) if value != only => {
                Err(format!("{name}: {} is not supported; expected {only}", excerpt(value)))
            }
            _ => Ok(()),
        }
    }
}

/// The start of a value, for messages.
pub(super) fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

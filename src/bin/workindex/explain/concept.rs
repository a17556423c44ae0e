//! Which concept is meant.

use workindex::{Error, Space};

use crate::failure::{Failure, Outcome};

/// How many ids a complaint lists.
const LISTED: usize = 5;

/// The id that is meant: the text itself if a concept has it as its id, else the id of the one concept with that label.
pub fn resolve(space: &Space, text: &str) -> Outcome<String> {
    if space.position(text).is_some() {
        return Ok(text.to_string());
    }
    let mut ids = Vec::new();
    for target in space.positions_of_label(text) {
        ids.extend(space.concept(target)?.map(|concept| concept.id));
    }
    match ids.as_slice() {
        [] => Err(Error::UnknownConcept { id: text.to_string(), space: space.name().to_string() }.into()),
        [_] => Ok(ids.remove(0)),
        _ => Err(ambiguous(space, text, &ids)),
    }
}

fn ambiguous(space: &Space, label: &str, ids: &[String]) -> Failure {
    let listed = ids.iter().take(LISTED).map(|id| format!("\n       {id}")).collect::<String>();
    let more = match ids.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n       and {more} more"),
    };
    let problem = format!("{} concepts of {} are called `{label}`:{listed}{more}", ids.len(), space.name());
    Failure::new(problem, "give the id of the one you mean")
}

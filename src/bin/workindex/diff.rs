//! `workindex diff`: what changed in a space between two releases.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Value, json};
use workindex::{ChangedConcept, LabelsChanged, Relabelled, RelationsChanged, ReleaseDiff, SpaceName, WorkIndex};

use crate::console::{Console, print};
use crate::failure::Outcome;
use crate::{json, layout, units};

const EXAMPLES: &str = "\
Examples:
  workindex diff work.index esco/skill/en 1.1.0 1.1.1
  workindex diff work.index esco/skill/en 1.1.0 1.1.1 --json | jq '.relabelled[] | .old_label + \" -> \" + .label'";

/// Compare a space in two releases that the index has: concepts added, removed, relabelled, or changed otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index.
    index: PathBuf,
    /// The space, without a release: esco/skill/en.
    #[arg(value_parser = unpinned)]
    space: SpaceName,
    /// The older release.
    #[arg(value_name = "RELEASE")]
    old: String,
    /// The newer release.
    #[arg(value_name = "RELEASE")]
    new: String,
    /// How many changes of each sort to list; `all` for all of them.
    #[arg(long, value_name = "N", default_value = "10", value_parser = limit)]
    list: usize,
    /// Print JSON, with all changes.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &Console) -> Outcome {
    let index = WorkIndex::open(&args.index)?;
    let diff = index.diff(&args.space.to_string(), &args.old, &args.new)?;
    match args.json {
        true => json::print(&as_json(args, &diff))?,
        false => print(as_text(args, &diff))?,
    }
    if let Some(attribution) = index.space(&args.space.to_string())?.attribution() {
        console.note(attribution);
    }
    Ok(())
}

fn unpinned(text: &str) -> Result<SpaceName, String> {
    let name: SpaceName = text.parse().map_err(|error: workindex::Error| error.to_string())?;
    match name.version() {
        None => Ok(name),
        Some(_) => {
            Err(format!("the releases come after it: `{}/{}/{}`", name.ontology(), name.kind(), name.language()))
        }
    }
}

fn limit(text: &str) -> Result<usize, String> {
    match text {
        "all" => Ok(usize::MAX),
        _ => text.parse().map_err(|_| "expected a number, or `all`".to_string()),
    }
}

fn as_text(args: &Args, diff: &ReleaseDiff) -> String {
    let mut text = format!("{} from {} to {}", args.space, args.old, args.new);
    if diff.is_empty() && diff.reordered.is_empty() {
        let _ = write!(text, "\n  nothing changed: {} concepts", units::count(diff.unchanged as u64));
        return text;
    }
    let label = |concept: &ChangedConcept| format!("{}  {}", concept.label, concept.id);
    let mut list = |what: &str, lines: Vec<String>| section(&mut text, what, &lines, args.list);
    list("added", diff.added.iter().map(label).collect());
    list("removed", diff.removed.iter().map(label).collect());
    list("relabelled", diff.relabelled.iter().map(relabelled).collect());
    list("other alternative labels", diff.alternative_labels.iter().map(labels_changed).collect());
    list("another description", diff.descriptions.iter().map(label).collect());
    let attributes = diff.attributes.iter().map(|c| format!("{}: {}", c.concept.label, c.names.join(", ")));
    list("other attributes", attributes.collect());
    let _ = write!(text, "\n\n{} alike", units::counted(diff.unchanged, "concept"));
    if !diff.reordered.is_empty() {
        let n = units::count(diff.reordered.len() as u64);
        let _ = write!(text, "; {n} with their alternative labels in another order");
    }
    if !diff.relations.is_empty() {
        let _ = write!(text, "\n\nrelations with these concepts\n{}", layout::lines(&relations(diff), " "));
    }
    text
}

fn section(text: &mut String, what: &str, lines: &[String], limit: usize) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(text, "\n\n{what}: {}", units::count(lines.len() as u64));
    for line in lines.iter().take(limit) {
        let _ = write!(text, "\n  {}", line.replace(['\n', '\r'], " "));
    }
    if lines.len() > limit {
        let _ = write!(text, "\n  … and {} more (--list all)", units::count((lines.len() - limit) as u64));
    }
}

fn relabelled(change: &Relabelled) -> String {
    format!("{} → {}", change.old_label, change.concept.label)
}

fn labels_changed(change: &LabelsChanged) -> String {
    let signed =
        |sign: &'static str, labels: &[String]| labels.iter().map(|label| format!("{sign}{label}")).collect::<Vec<_>>();
    let changes = [signed("+", &change.added), signed("−", &change.removed)].concat();
    format!("{}: {}", change.concept.label, changes.join(", "))
}

fn relations(diff: &ReleaseDiff) -> comfy_table::Table {
    let mut table = layout::table(&["from", "relation", "to", "added", "removed", "in both"], None);
    for change in &diff.relations {
        let RelationsChanged { from, relation, to, added, removed, in_common } = change;
        let numbers = [added.len(), removed.len(), *in_common].map(|n| units::count(n as u64));
        let names = [from.to_string(), relation.to_string(), to.to_string()];
        layout::add(&mut table, names.into_iter().chain(numbers));
    }
    layout::align_right(&mut table, &[3, 4, 5]);
    table
}

fn as_json(args: &Args, diff: &ReleaseDiff) -> Value {
    let concept = |c: &ChangedConcept| json!({"id": c.id, "label": c.label});
    let concepts = |list: &[ChangedConcept]| list.iter().map(concept).collect::<Value>();
    json!({
        "space": args.space.to_string(),
        "old": args.old,
        "new": args.new,
        "added": concepts(&diff.added),
        "removed": concepts(&diff.removed),
        "relabelled": diff.relabelled.iter().map(|c| {
            json!({"id": c.concept.id, "label": c.concept.label, "old_label": c.old_label})
        }).collect::<Value>(),
        "alternative_labels": diff.alternative_labels.iter().map(|c| {
            json!({"id": c.concept.id, "label": c.concept.label, "added": c.added, "removed": c.removed})
        }).collect::<Value>(),
        "reordered": concepts(&diff.reordered),
        "descriptions": concepts(&diff.descriptions),
        "attributes": diff.attributes.iter().map(|c| {
            json!({"id": c.concept.id, "label": c.concept.label, "names": c.names})
        }).collect::<Value>(),
        "relations": diff.relations.iter().map(relations_json).collect::<Value>(),
        "unchanged": diff.unchanged,
    })
}

fn relations_json(change: &RelationsChanged) -> Value {
    let pairs = |pairs: &[(String, String)]| pairs.iter().map(|(from, to)| json!([from, to])).collect::<Value>();
    json!({
        "from": change.from.as_str(),
        "relation": change.relation.as_str(),
        "to": change.to.as_str(),
        "added": pairs(&change.added),
        "removed": pairs(&change.removed),
        "in_both": change.in_common,
    })
}

//! One set of a task, ready to be judged on: queries, their positives, and the targets that are ranked for each.
//!
//! As in WorkRB, texts are stripped, equal targets are one, and equal queries are one, with the positives of all of them. Queries
//! without positives are left out and counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::task::{SetName, Split};
use crate::ontology::{Kind, fold_label};

/// A text that targets are ranked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The text, stripped and not empty.
    pub text: String,
    /// Positions of the targets that are right for it: rising, each once, at least one.
    pub positives: Vec<u32>,
}

/// A text that is ranked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The text, stripped, not empty and unique in its set: a preferred label.
    pub label: String,
    /// The alternative labels of the concepts of this label, where there are any.
    pub alternative_labels: Vec<String>,
}

/// Where a set comes from, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Files and folders below the data folder.
    pub files: Vec<String>,
    /// The release that targets are of: `esco 1.1.1 en`.
    pub release: Option<String>,
    /// Where labels were written for another release: which, and how they were mapped.
    pub mapping: Option<String>,
    /// Which of the queries were taken, where not all.
    pub selection: Option<String>,
    /// What was left out or merged, by reason.
    pub left_out: BTreeMap<String, usize>,
}

/// A set of queries of one task. Made by [`Data`](super::Data), or by hand through [`DatasetBuilder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    name: SetName,
    split: Split,
    query_kind: String,
    target_kind: Kind,
    queries: Vec<Query>,
    targets: Vec<Target>,
    origin: Origin,
    labels_are_queries: bool,
}

impl Dataset {
    /// Its task, and which of the task's sets it is.
    pub fn name(&self) -> &SetName {
        &self.name
    }

    /// Which part of the set.
    pub fn split(&self) -> Split {
        self.split
    }

    /// What the queries are: `occupation` (a job title), `skill`, `sentence`, …
    pub fn query_kind(&self) -> &str {
        &self.query_kind
    }

    /// What the targets are.
    pub fn target_kind(&self) -> &Kind {
        &self.target_kind
    }

    /// The queries.
    pub fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// The targets; sorted by label where WorkBench has them so. Equal scores rank in this order.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether alternative labels of the targets are the queries (or the targets), so that embedding them would be answering.
    pub fn labels_are_queries(&self) -> bool {
        self.labels_are_queries
    }

    /// Positives of all queries.
    pub fn n_positives(&self) -> usize {
        self.queries.iter().map(|query| query.positives.len()).sum()
    }

    /// For each query, whether it is a label, preferred or alternative, of any target: but for case, white space and Unicode
    /// compatibility forms.
    pub fn queries_that_are_labels(&self) -> Vec<bool> {
        let forms = |target: &'_ Target| -> Vec<String> {
            std::iter::once(&target.label).chain(&target.alternative_labels).map(|form| fold_label(form)).collect()
        };
        let labels: HashSet<String> = self.targets.iter().flat_map(forms).collect();
        self.queries.iter().map(|query| labels.contains(&fold_label(&query.text))).collect()
    }

    /// Identifies queries, positives and targets: equal hashes mean that results are comparable query by query.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(&self.targets.len().to_string());
        for target in &self.targets {
            text(&target.label);
            target.alternative_labels.iter().for_each(|label| text(label));
            text("");
        }
        for query in &self.queries {
            text(&query.text);
            query.positives.iter().for_each(|positive| text(&positive.to_string()));
            text("");
        }
        hasher.finalize().to_hex()[..32].to_string()
    }

    /// One query in `one_in`, spread over the set; for a quick look.
    pub fn sampled(mut self, one_in: usize) -> Self {
        if one_in > 1 {
            let n = self.queries.len();
            self.queries = self.queries.into_iter().step_by(one_in).collect();
            let selection = format!("every {one_in}th of {n} queries");
            self.origin.selection = Some(match self.origin.selection.take() {
                Some(before) => format!("{before}; {selection}"),
                None => selection,
            });
        }
        self
    }
}

/// Makes a [`Dataset`].
///
/// ```
/// use workindex::Kind;
/// use workindex::workbench::{DatasetBuilder, SetName, Split, Task};
/// let mut builder = DatasetBuilder::new(SetName::of(Task::SkillSimilarity), Split::Test, "skill", Kind::SKILL);
/// let welding = builder.target("arc welding", ["SMAW"]);
/// builder.target("baking", []);
/// builder.query(" TIG welding", [welding]);
/// let set = builder.finish();
/// assert_eq!((set.queries().len(), set.targets().len()), (1, 2));
/// ```
#[derive(Debug)]
pub struct DatasetBuilder {
    set: Dataset,
    targets: HashMap<String, u32>,
    queries: HashMap<String, usize>,
}

impl DatasetBuilder {
    /// An empty set.
    pub fn new(name: SetName, split: Split, query_kind: &str, target_kind: Kind) -> Self {
        let set = Dataset {
            name,
            split,
            query_kind: query_kind.to_string(),
            target_kind,
            queries: Vec::new(),
            targets: Vec::new(),
            origin: Origin::default(),
            labels_are_queries: false,
        };
        Self { set, targets: HashMap::new(), queries: HashMap::new() }
    }

    /// Adds a target unless there is one with this label, which then gets the alternative labels too; returns its position.
    pub fn target<'a>(&mut self, label: &str, alternative_labels: impl IntoIterator<Item = &'a str>) -> u32 {
        let label = label.trim();
        let at = *self.targets.entry(label.to_string()).or_insert(self.set.targets.len() as u32);
        if at as usize == self.set.targets.len() {
            self.set.targets.push(Target { label: label.to_string(), alternative_labels: Vec::new() });
        }
        let alternatives = &mut self.set.targets[at as usize].alternative_labels;
        for other in alternative_labels.into_iter().map(str::trim) {
            if !other.is_empty() && other != label && !alternatives.iter().any(|known| known == other) {
                alternatives.push(other.to_string());
            }
        }
        at
    }

    /// The position of the target with a label.
    pub fn position(&self, label: &str) -> Option<u32> {
        self.targets.get(label.trim()).copied()
    }

    /// How many targets there are.
    pub fn n_targets(&self) -> usize {
        self.set.targets.len()
    }

    /// Adds a query, or positives to one that is there. Empty texts are left out.
    pub fn query(&mut self, text: &str, positives: impl IntoIterator<Item = u32>) {
        let text = text.trim();
        if text.is_empty() {
            return self.leave_out("empty queries", 1);
        }
        let at = *self.queries.entry(text.to_string()).or_insert(self.set.queries.len());
        match self.set.queries.get_mut(at) {
            Some(query) => query.positives.extend(positives),
            None => {
                let positives = positives.into_iter().collect();
                self.set.queries.push(Query { text: text.to_string(), positives });
            }
        }
    }

    /// Says that alternative labels of targets are queries or targets.
    pub fn labels_are_queries(&mut self) -> &mut Self {
        self.set.labels_are_queries = true;
        self
    }

    /// Counts something that was left out.
    pub fn leave_out(&mut self, reason: &str, n: usize) {
        if n > 0 {
            *self.set.origin.left_out.entry(reason.to_string()).or_default() += n;
        }
    }

    /// Where the set comes from.
    pub fn origin(&mut self) -> &mut Origin {
        &mut self.set.origin
    }

    /// The set.
    pub fn finish(mut self) -> Dataset {
        let n_targets = self.set.targets.len() as u32;
        for query in &mut self.set.queries {
            query.positives.retain(|&positive| positive < n_targets);
            query.positives.sort_unstable();
            query.positives.dedup();
        }
        let before = self.set.queries.len();
        self.set.queries.retain(|query| !query.positives.is_empty());
        self.leave_out("queries without a positive", before - self.set.queries.len());
        self.set
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::Task;
    use super::*;

    fn builder() -> DatasetBuilder {
        DatasetBuilder::new(SetName::of(Task::SkillSimilarity), Split::Test, "skill", Kind::SKILL)
    }

    #[test]
    fn equal_texts_are_merged_and_stripped() {
        let mut builder = builder();
        assert_eq!(builder.target("a ", ["x", " a", "x"]), 0);
        assert_eq!(builder.target("b", []), 1);
        assert_eq!(builder.target("a", ["y"]), 0);
        builder.query("q", [1]);
        builder.query(" q\n", [0, 1]);
        builder.query("none", []);
        builder.query("  ", [0]);
        builder.query("beyond", [7]);
        let set = builder.finish();
        assert_eq!(set.queries(), [Query { text: "q".into(), positives: vec![0, 1] }]);
        assert_eq!(set.targets()[0].alternative_labels, ["x", "y"]);
        assert_eq!(
            set.origin().left_out,
            [("empty queries".into(), 1), ("queries without a positive".into(), 2)].into()
        );
    }

    #[test]
    fn the_hash_is_of_what_is_judged() {
        let make = |labels: [&'static str; 2], text: &str, positive| {
            let mut builder = builder();
            labels.iter().for_each(|label| _ = builder.target(label, []));
            builder.query(text, [positive]);
            builder.finish().hash()
        };
        let one = make(["a", "b"], "q", 0);
        assert_eq!(one, make(["a", "b"], " q", 0));
        assert!(
            [make(["b", "a"], "q", 0), make(["a", "b"], "r", 0), make(["a", "b"], "q", 1)].iter().all(|h| *h != one)
        );
    }

    #[test]
    fn queries_that_are_labels_are_known() {
        let mut builder = builder();
        builder.target("Data  engineer", ["ETL developer"]);
        ["data engineer", "etl DEVELOPER", "engineer"].iter().for_each(|text| builder.query(text, [0]));
        assert_eq!(builder.finish().queries_that_are_labels(), [true, true, false]);
    }

    #[test]
    fn a_sample_is_spread_and_said() {
        let mut builder = builder();
        builder.target("a", []);
        (0..10).for_each(|n| builder.query(&n.to_string(), [0]));
        let set = builder.finish().sampled(4);
        assert_eq!(set.queries().iter().map(|query| query.text.as_str()).collect::<Vec<_>>(), ["0", "4", "8"]);
        assert_eq!(set.origin().selection.as_deref(), Some("every 4th of 10 queries"));
    }
}

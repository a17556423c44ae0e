//! Datasets are WorkRB's, from the real releases and annotations (real data).

use std::collections::BTreeSet;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use workindex::workbench::{Data, DataOptions, Dataset, Split};

use crate::data;
use crate::support::{golden, judgements, load, set_name, whole};

#[derive(Deserialize)]
struct Golden {
    sets: Vec<GoldenSet>,
}

#[derive(Deserialize)]
struct GoldenSet {
    name: String,
    split: String,
    esco: Option<String>,
    queries: usize,
    targets: usize,
    positives: usize,
    sha256: String,
}

impl GoldenSet {
    fn set(&self) -> Option<&'static str> {
        set_name(&self.name)
    }
}

/// As `fixtures/workbench/make_real_counts.py` hashes WorkRB's datasets.
fn sha256(dataset: &Dataset) -> String {
    let mut hasher = Sha256::new();
    for (query, positives) in judgements(dataset) {
        let positives: Vec<String> = positives.into_iter().collect();
        hasher.update(format!("{query}\t{}\n", positives.join("\t")));
    }
    hasher.update("--\n");
    let targets: BTreeSet<&str> = dataset.targets().iter().map(|target| target.label.as_str()).collect();
    targets.iter().for_each(|target| hasher.update(format!("{target}\n")));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn datasets_of_the_real_data_are_workrb_s() {
    let Some(root) = data::path("workbench") else { return };
    let root = root.parent().unwrap();
    let golden: Golden = golden("real.json");
    let mut compared = 0;
    for expected in &golden.sets {
        let Some(set) = expected.set() else { continue };
        let options = DataOptions { esco: expected.esco.clone(), ..DataOptions::default() };
        let split = if expected.split == "val" { Split::Validation } else { Split::Test };
        let dataset = match (set, split) {
            // WorkBench has no validation part of these.
            ("job2skill" | "skill2job", Split::Validation) => continue,
            _ => load(&Data::open(root, options).unwrap(), set, whole(split)),
        };
        let what = format!("{set} {split} {:?}", expected.esco);
        let found = (dataset.queries().len(), dataset.targets().len(), dataset.n_positives());
        // The alternative labels that equal the preferred label but for white space around that one: WorkRB compares them with it
        // before it is stripped, and keeps them.
        if set == "skill-normalisation" {
            let more = expected.queries - found.0;
            assert!(
                more <= 2 && expected.positives - found.2 == more && found.1 == expected.targets,
                "{what}: {found:?}"
            );
        } else {
            assert_eq!(found, (expected.queries, expected.targets, expected.positives), "{what}");
            assert_eq!(sha256(&dataset), expected.sha256, "{what}");
        }
        compared += 1;
    }
    assert!(compared >= 18, "{compared}");
}

//! Annotations name concepts by the preferred labels of one release of ESCO; targets may be of another.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Job, of_kind};
use crate::error::Result;
use crate::ontology::{Kind, Release};

/// The language that all annotations are in.
const LANGUAGE: &str = "en";

/// From the labels that annotations use to those of the targets.
pub(super) struct LabelMap {
    labels: HashMap<String, String>,
    /// How they are mapped, where not as they are.
    pub(super) how: Option<String>,
}

impl LabelMap {
    /// For annotations made in English with the release `original`: through URIs where that release is there, as they are where it is the targets'
    /// own, or where it is missing.
    pub(super) fn new(job: &Job<'_>, original: &str, targets: &Arc<Release>, kind: &Kind) -> Result<Self> {
        let own = || of_kind(targets, kind).map(|concept| (concept.label.clone(), concept.label.clone())).collect();
        if targets.version() == original && targets.language() == LANGUAGE {
            return Ok(Self { labels: own(), how: None });
        }
        if !job.data.versions("esco").iter().any(|version| version == original) {
            let how = format!("labels of ESCO {original}, which is not there, taken as they are");
            return Ok(Self { labels: own(), how: Some(how) });
        }
        let older = job.data.esco_in(LANGUAGE, original, job.monitor)?;
        let of_uri: HashMap<&str, &str> =
            of_kind(targets, kind).map(|concept| (concept.id.as_str(), concept.label.as_str())).collect();
        let map =
            |concept: &crate::Concept| Some((concept.label.clone(), of_uri.get(concept.id.as_str())?.to_string()));
        let labels = of_kind(&older, kind).filter_map(map).collect();
        Ok(Self { labels, how: Some(format!("labels of ESCO {original} mapped through URIs")) })
    }

    /// The target's label for one in an annotation.
    pub(super) fn get(&self, label: &str) -> Option<&str> {
        self.labels.get(label.trim()).map(String::as_str)
    }
}

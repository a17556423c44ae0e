//! One set and what is judged on it: which systems, by which rules, and the ranks that come out.

use std::time::Instant;

use rayon::prelude::*;

use super::dataset::Dataset;
use super::evaluate::Evaluation;
use super::lexical::Baseline;
use super::ranks;
use super::record::{Head, JudgedSystem, Record, Seconds, VERSION, key};
use super::system::System;
use super::target_index::TargetIndex;
use crate::encoder::Encoder;
use crate::error::Result;
use crate::index::Space;
use crate::late_interaction::Rule;
use crate::monitor::{Monitor, Stage};
use crate::ontology::Forms;

/// Queries that a baseline scores at a time.
const LEXICAL_PART: usize = 64;

/// A set and what is judged on it.
pub(super) struct Plan<'a> {
    evaluation: &'a Evaluation<'a>,
    dataset: &'a Dataset,
    systems: Vec<JudgedSystem>,
    /// The rule of each system that is judged and has one.
    rules: Vec<Option<Rule>>,
    pub(super) key: String,
}

impl<'a> Plan<'a> {
    pub(super) fn new(evaluation: &'a Evaluation<'a>, dataset: &'a Dataset) -> Result<Self> {
        let (mut systems, mut rules) = (Vec::new(), Vec::new());
        for system in &evaluation.systems {
            let rule = evaluation.encoder.map(|encoder| rule_of(system, encoder, dataset)).transpose()?.flatten();
            let description = match (system, rule) {
                (System::Lexical(baseline), _) => baseline.to_string(),
                (_, Some(rule)) => rule.to_string(),
                (_, None) => String::new(),
            };
            systems.push(JudgedSystem { id: system.to_string(), description, not_judged: not_judged(system, dataset) });
            rules.push(rule);
        }
        let fingerprint = evaluation.encoder.map(|encoder| encoder.fingerprint().to_string()).unwrap_or_default();
        let hash = dataset.hash();
        let selection = format!("{:?} {:?}", evaluation.selection, dataset.origin());
        let mut parts = vec![env!("CARGO_PKG_VERSION"), &selection, &hash, &fingerprint];
        systems.iter().for_each(|system| parts.extend([&system.id, &system.description].map(String::as_str)));
        let key = key(&parts);
        Ok(Self { evaluation, dataset, systems, rules, key })
    }

    fn judged(&self) -> impl Iterator<Item = (usize, &System)> {
        let judged = |(at, _): &(usize, &System)| self.systems[*at].not_judged.is_none();
        self.evaluation.systems.iter().enumerate().filter(judged)
    }

    pub(super) fn judge(&self, index: &mut Option<TargetIndex>, monitor: &Monitor) -> Result<Record> {
        let dataset = self.dataset;
        let n_systems = self.evaluation.systems.len();
        let mut ranks: Vec<Vec<u32>> = vec![Vec::new(); n_systems];
        let (mut seconds, mut unembedded) = (Seconds::default(), 0);
        if self.judged().any(|(_, system)| system.needs_encoder()) {
            unembedded = self.late_interaction(index, &mut ranks, &mut seconds, monitor)?;
        }
        let start = Instant::now();
        for (at, system) in self.judged() {
            if let System::Lexical(baseline) = system {
                ranks[at] = self.lexical(*baseline, monitor)?;
            }
        }
        seconds.lexical = start.elapsed().as_secs_f64();
        let judged = self.judged().map(|(at, _)| std::mem::take(&mut ranks[at])).collect();
        let head = Head {
            set: dataset.name().clone(),
            split: dataset.split(),
            query_kind: dataset.query_kind().to_string(),
            target_kind: dataset.target_kind().to_string(),
            origin: dataset.origin().clone(),
            hash: dataset.hash(),
            queries: dataset.queries().len(),
            targets: dataset.targets().len(),
            positives: dataset.n_positives(),
            unembedded,
            systems: self.systems.clone(),
            seconds,
            key: self.key.clone(),
            version: VERSION,
        };
        let counts: Vec<usize> = dataset.queries().iter().map(|query| query.positives.len()).collect();
        Ok(Record::new(head, &counts, dataset.queries_that_are_labels(), judged))
    }

    /// Ranks by late interaction, every query encoded once; returns how many had nothing to embed.
    fn late_interaction(
        &self,
        index: &mut Option<TargetIndex>,
        ranks: &mut [Vec<u32>],
        seconds: &mut Seconds,
        monitor: &Monitor,
    ) -> Result<usize> {
        let Some(encoder) = self.evaluation.encoder else { return Ok(0) };
        let index = match index {
            Some(index) => index,
            None => index.insert(self.evaluation.target_index(encoder)?),
        };
        let (dataset, start) = (self.dataset, Instant::now());
        let (mut spaces, mut systems): (Vec<(Space, Vec<Rule>)>, Vec<usize>) = Default::default();
        for forms in [Forms::Preferred, Forms::All] {
            let of_forms = || self.judged().filter(|(_, system)| system.needs_encoder() && system.forms() == forms);
            let rules: Vec<Rule> = of_forms().filter_map(|(at, _)| self.rules[at]).collect();
            if !rules.is_empty() {
                spaces.push((index.space(dataset.targets(), dataset.target_kind(), forms, monitor)?, rules));
                systems.extend(of_forms().map(|(at, _)| at));
            }
        }
        seconds.targets = start.elapsed().as_secs_f64();
        let (start, mut unembedded) = (Instant::now(), 0);
        let queries = dataset.queries();
        let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
        let summarise = |query: usize, _, _, scores: Vec<f32>| ranks::of(&scores, &queries[query].positives);
        index.score_each(&spaces, &texts, Some(dataset.query_kind()), monitor, summarise, |query, made| {
            let Some(made) = made else {
                unembedded += 1;
                let last = last_ranks(dataset.targets().len(), queries[query].positives.len());
                systems.iter().for_each(|&system| ranks[system].extend(&last));
                return Ok(());
            };
            systems.iter().zip(made).for_each(|(&system, made)| ranks[system].extend(made));
            Ok(())
        })?;
        seconds.ranking = start.elapsed().as_secs_f64();
        Ok(unembedded)
    }

    /// Ranks by a baseline.
    fn lexical(&self, baseline: Baseline, monitor: &Monitor) -> Result<Vec<u32>> {
        let labels: Vec<&str> = self.dataset.targets().iter().map(|target| target.label.as_str()).collect();
        let (index, queries) = (baseline.prepare(&labels), self.dataset.queries());
        let mut ranks = Vec::with_capacity(self.dataset.n_positives());
        for (part, of_part) in queries.chunks(LEXICAL_PART).enumerate() {
            monitor.check()?;
            let made: Vec<Vec<u32>> =
                of_part.par_iter().map(|query| ranks::of(&index.scores(&query.text), &query.positives)).collect();
            made.iter().for_each(|made| ranks.extend(made));
            let done = part * LEXICAL_PART + of_part.len();
            monitor.report(Stage::Ranking, done as u64, Some(queries.len() as u64));
        }
        Ok(ranks)
    }
}

/// The rule of a system on a set.
fn rule_of(system: &System, encoder: &Encoder, dataset: &Dataset) -> Result<Option<Rule>> {
    match system {
        System::LateInteraction { rule: Some(rule), .. } => Ok(Some(*rule)),
        System::LateInteraction { rule: None, .. } => {
            crate::index::encoder_rule(encoder, Some(dataset.query_kind())).map(Some)
        }
        System::Lexical(_) => Ok(None),
    }
}

/// Why a system is not judged on a set, if it is not.
fn not_judged(system: &System, dataset: &Dataset) -> Option<String> {
    if system.forms() == Forms::Preferred {
        return None;
    }
    if dataset.labels_are_queries() {
        return Some("alternative labels are what is asked for here".to_string());
    }
    let none = dataset.targets().iter().all(|target| target.alternative_labels.is_empty());
    none.then(|| "its targets have no alternative labels".to_string())
}

/// The last ranks of all.
fn last_ranks(targets: usize, positives: usize) -> Vec<u32> {
    (targets.saturating_sub(positives) as u32 + 1..=targets as u32).collect()
}

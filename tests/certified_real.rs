//! On a real ontology and with a real encoder, the best ten with a certificate are the head of the ranking of everything, bit
//! for bit, for titles, labels and sentences, under six rules. Prints how many targets were rescored. Skipped without the data.

mod common;
mod data;

use std::path::PathBuf;
use std::sync::OnceLock;

use common::*;
use workindex::{
    Concept, Direction, Encoder, Monitor, RankOptions, RankedTargets, Release, Rule, Space, TokenMatrix, Weights,
    WorkIndex, esco,
};

/// ESCO 1.1.1 under the pretrained encoder.
struct Esco {
    space: Space,
    release: Release,
    encoder: Encoder,
    _folder: tempfile::TempDir,
}

/// Ingested once for all tests; none without the data.
fn esco() -> Option<&'static Esco> {
    static ESCO: OnceLock<Option<Esco>> = OnceLock::new();
    let make = || {
        let (data, encoder) = (data::path("esco/1.1.1")?, pretrained()?);
        let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        let zips: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "zip")).collect();
        let release = esco::read(&zips, &esco::Options::default(), &Monitor::silent()).unwrap().0;
        let (folder, path) = scratch();
        let mut writer = WorkIndex::create(&path, &encoder).unwrap();
        ingest(&mut writer, &release);
        let space = WorkIndex::open(&path).unwrap().space("esco/skill/en").unwrap();
        Some(Esco { space, release, encoder, _folder: folder })
    };
    ESCO.get_or_init(make).as_ref()
}

impl Esco {
    fn concepts(&self, kind: &str) -> Vec<&Concept> {
        self.release.concepts().iter().filter(|concept| concept.kind.as_str() == kind).collect()
    }

    /// A hundred each of job titles, alternative labels of skills, and sentences about skills.
    fn queries(&self) -> [(&'static str, Vec<&str>); 3] {
        let (occupations, skills) = (self.concepts("occupation"), self.concepts("skill"));
        let titles = occupations.iter().map(|concept| concept.label.as_str()).collect();
        let labels =
            skills.iter().filter_map(|concept| concept.alternative_labels.first().map(String::as_str)).collect();
        let texts = skills.iter().filter_map(|concept| concept.description.as_deref());
        let sentences = texts.filter_map(|text| text.split_inclusive('.').next()).map(str::trim);
        let sentences = sentences.filter(|text| text.len() > 10).collect();
        [("titles", titles), ("alternative labels", labels), ("sentences", sentences)]
            .map(|(name, texts)| (name, a_hundred(texts)))
    }

    fn matrices(&self, texts: &[&str]) -> Vec<TokenMatrix> {
        let encoded = self.encoder.encode_batch(texts, &Monitor::silent()).unwrap();
        encoded.into_iter().map(|encoded| encoded.matrix).collect()
    }
}

/// Spread over the list.
fn a_hundred(texts: Vec<&str>) -> Vec<&str> {
    let step = texts.len() / 100;
    assert!(step > 0, "{} texts", texts.len());
    texts.into_iter().step_by(step).take(100).collect()
}

fn six_rules() -> [Rule; 6] {
    [
        Rule::default(),
        Rule { direction: Direction::Query, ..Rule::soft(0.5) },
        Rule { direction: Direction::Target, weights: Weights::Raw, ..Rule::soft(5.0) },
        Rule::max_sim(),
        Rule::context_match(),
        Rule::mean_pool(),
    ]
}

#[test]
fn the_best_ten_are_the_head_of_everything() {
    let Some(esco) = esco() else { return };
    for (name, texts) in esco.queries() {
        let matrices = esco.matrices(&texts);
        for rule in six_rules() {
            let mut full: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
            let head = |ranking: &RankedTargets| {
                let scores = ranking.scores.iter().take(10).map(|score| score.to_bits()).collect();
                (ranking.targets[..10].to_vec(), scores)
            };
            let all = RankOptions::full().rule(rule);
            esco.space.rank_each_matrix(&matrices, &all, &Monitor::silent(), |_, r| full.push(head(&r))).unwrap();
            let mut rescored = Vec::new();
            // One by one: another path through the engine than the batch.
            for ((matrix, full), text) in matrices.iter().zip(&full).zip(&texts) {
                let top = esco.space.rank_matrix(matrix, &RankOptions::top(10).rule(rule)).unwrap();
                let got: (Vec<u32>, Vec<u32>) = top.iter().map(|hit| (hit.target as u32, hit.score.to_bits())).unzip();
                assert_eq!(&got, full, "{rule}: {text}");
                assert!(top.certificate.certified && top.certificate.targets == esco.space.len());
                rescored.push(top.certificate.rescored);
            }
            rescored.sort_unstable();
            let (median, p90, most) = (rescored[50], rescored[90], rescored[99]);
            eprintln!(
                "{name}, {rule}: rescored {median} (median), {p90} (90 %), {most} (most) of {}",
                esco.space.len()
            );
            assert!(rule != Rule::default() || median < esco.space.len() / 20, "{name}: {rescored:?}");
        }
    }
}

#[test]
fn rules_asked_together_answer_as_alone() {
    let Some(esco) = esco() else { return };
    for (_, texts) in esco.queries() {
        for text in texts.into_iter().step_by(20) {
            let together = esco.space.rank_rules(text, &RankOptions::top(10), &six_rules()).unwrap();
            for (ranking, rule) in together.iter().zip(six_rules()) {
                assert_eq!(
                    ranking,
                    &esco.space.rank(text, &RankOptions::top(10).rule(rule)).unwrap(),
                    "{rule}: {text}"
                );
            }
        }
    }
}

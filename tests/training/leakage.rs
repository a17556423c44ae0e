//! No edge, label, alias, description or sentence of a held-out concept is learned from.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use workindex::train::{Corpus, Graph, Sampler, Skill};
use workindex::workbench::held_out::{self, Holdout};
use workindex::{Concept, Kind, Monitor, Release, onet};

use crate::common::{fixture, mini_esco};

fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mini_onet() -> Release {
    let options = onet::Options { version: Some("29.0".to_string()) };
    onet::read(&[fixture("mini-onet/29.0")], &options, &Monitor::silent()).unwrap().0
}

/// Sentences with labels of skills, some of them held out.
fn sentences(release: &Release) -> Vec<(String, Vec<&str>)> {
    let skills: Vec<&Concept> = release.concepts().iter().filter(|concept| concept.kind == Kind::SKILL).collect();
    let pair = |pair: &[&'_ Concept]| -> String { format!("You will {} and {}.", pair[0].label, pair[1].label) };
    skills.chunks_exact(2).map(|two| (pair(two), vec![two[0].label.as_str(), two[1].label.as_str(), "UNK"])).collect()
}

fn corpus(split: Holdout) -> (Corpus, Vec<Release>) {
    let (esco, onet) = (mini_esco("1.1.0"), mini_onet());
    let mut corpus = Corpus::default();
    let held = |concept: &Concept| split.holds_out(concept);
    [&esco, &onet].into_iter().for_each(|release| corpus.forbid(release, &held));
    corpus.add_esco(&esco, &held);
    let sentences = sentences(&esco);
    corpus.add_sentences(sentences.iter().map(|(text, labels)| (text.as_str(), labels.clone())), &esco, &held);
    corpus.add_onet(&onet, &held);
    (corpus, vec![esco, onet])
}

/// The labels of held-out concepts of the kinds that are learned from.
fn forbidden(releases: &[Release], split: Holdout) -> HashSet<String> {
    let kinds = [Kind::SKILL, Kind::OCCUPATION, Kind::ACTIVITY, Kind::TECHNOLOGY, Kind::TASK];
    let held = releases
        .iter()
        .flat_map(|release| release.concepts())
        .filter(|concept| kinds.contains(&concept.kind) && split.holds_out(concept));
    held.flat_map(Concept::surface_forms).map(folded).collect()
}

#[test]
fn nothing_held_out_reaches_a_batch() {
    for split in [Holdout::Hash, Holdout::IscoGroup] {
        let (corpus, releases) = corpus(split);
        let forbidden = forbidden(&releases, split);
        assert!(forbidden.len() > 50 && corpus.skills.len() > 100 && corpus.n_edges() > 300);
        for text in corpus.texts() {
            assert!(!forbidden.contains(&folded(text)), "{split:?}: {text}");
        }
        // No sentence asks for a held-out skill.
        for sentence in corpus.sentences.iter().filter(|sentence| sentence.text.starts_with("You will")) {
            assert!(
                forbidden.iter().all(|label| !folded(&sentence.text).contains(&format!("will {label} and"))),
                "{sentence:?}"
            );
        }
        let allowed: HashSet<&str> = corpus.texts().collect();
        let sampler = Sampler { skills: 40, partners: 40, sentences: 30, padded: 0.5, ..Sampler::default() };
        for step in 0..60 {
            let batch = sampler.batch(&corpus, step);
            assert!(batch.graphs.len() == 4, "{split:?} {step}");
            for text in &batch.texts {
                // Itself, or two texts of the corpus with a space between them.
                let whole = allowed.contains(text.as_str());
                let spaces = text.match_indices(' ').map(|(at, _)| at);
                let mut halves =
                    spaces.filter(|&at| allowed.contains(&text[..at]) && allowed.contains(&text[at + 1..]));
                assert!(whole || halves.next().is_some(), "{split:?} {step}: {text}");
                assert!(!forbidden.contains(&folded(text)), "{split:?} {step}: {text}");
            }
        }
    }
}

#[test]
fn what_is_held_out_is_counted_and_with_no_split_nothing_is() {
    let (some, _) = corpus(Holdout::Hash);
    let (all, releases) = corpus(Holdout::None);
    assert!(some.left_out.concepts > 50 && some.left_out.edges > 100 && some.left_out.sentences > 0);
    assert_eq!((all.left_out.concepts, all.left_out.aliases, all.left_out.sentences), (0, 0, 0));
    let concepts = |kind: &Kind| {
        releases.iter().flat_map(|release| release.concepts()).filter(|concept| concept.kind == *kind).count()
    };
    assert_eq!(all.jobs.len(), concepts(&Kind::OCCUPATION));
    assert_eq!(all.skills.len(), concepts(&Kind::SKILL) + concepts(&Kind::ACTIVITY) + concepts(&Kind::TECHNOLOGY));
    // A held-out ISCO group takes all of its occupations with it.
    let esco = mini_esco("1.1.0");
    let mut groups: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for concept in esco.concepts().iter().filter(|concept| concept.kind == Kind::OCCUPATION) {
        let code = concept.attributes["iscoGroup"][0].as_str();
        assert_eq!(Holdout::IscoGroup.holds_out(concept), held_out::is_held_out(code));
        groups.entry(code).or_default().insert(Holdout::IscoGroup.holds_out(concept));
    }
    assert!(groups.values().all(|sides| sides.len() == 1) && groups.values().flatten().any(|held| *held));
}

#[test]
fn positives_are_the_edges_of_the_corpus() {
    let (corpus, _) = corpus(Holdout::Hash);
    let skill = |label: &str| corpus.skills.iter().position(|skill| skill.label == label);
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    let all = corpus.skills.iter().map(|skill| &skill.label).chain(corpus.jobs.iter().map(|job| &job.label));
    all.for_each(|label| *labels.entry(label).or_default() += 1);
    let sampler = Sampler { skills: 60, partners: 50, sentences: 50, renamed: 0.0, padded: 0.0, ..Sampler::default() };
    let (mut edges, mut aliases, mut asked) = (0, 0, 0);
    for step in 0..30 {
        for graph in sampler.batch(&corpus, step).graphs.iter().map(|graph| (graph, sampler.batch(&corpus, step).texts))
        {
            let (graph, texts) = graph;
            assert!(graph.left.len() <= 60 && graph.right.len() <= 50, "{:?}", graph.graph);
            let positives: BTreeSet<(u32, u32)> = graph.positives.iter().copied().collect();
            for (l, left) in (0..).zip(&graph.left) {
                for (r, right) in (0..).zip(&graph.right) {
                    let (left, right) = (&texts[*left as usize], &texts[*right as usize]);
                    let belongs = match graph.graph {
                        // Labels that two concepts share are told apart by neither side.
                        Graph::SkillJob => corpus
                            .skills
                            .iter()
                            .filter(|s| s.label == *left)
                            .any(|s| s.jobs.iter().any(|job| corpus.jobs[*job as usize].label == *right)),
                        Graph::SkillAlias => {
                            corpus.skills.iter().any(|s| s.label == *left && s.aliases.contains(right))
                        }
                        Graph::JobAlias => corpus.jobs.iter().any(|j| j.label == *left && j.aliases.contains(right)),
                        Graph::SkillSentence => {
                            let at = skill(left).unwrap() as u32;
                            corpus.sentences.iter().any(|s| s.text == *right && s.skills.contains(&at))
                                || corpus.skills[at as usize].description.as_ref() == Some(right)
                        }
                    };
                    let positive = positives.contains(&(l, r));
                    // Of two concepts of one label only one may be in the batch.
                    let one = labels[left.as_str()] == 1;
                    assert!(positive == belongs || !one && belongs, "{:?}: {left} × {right}", graph.graph);
                    match graph.graph {
                        Graph::SkillJob => edges += usize::from(belongs),
                        Graph::SkillSentence => asked += usize::from(belongs),
                        _ => aliases += usize::from(belongs),
                    }
                }
            }
        }
    }
    assert!(edges > 1000 && aliases > 1000 && asked > 500, "{edges} {aliases} {asked}");
}

#[test]
fn a_seed_and_a_step_fix_a_batch() {
    let (corpus, _) = corpus(Holdout::Hash);
    let sampler = Sampler { skills: 30, ..Sampler::default() };
    let other = Sampler { seed: 2, ..sampler.clone() };
    assert_eq!(sampler.batch(&corpus, 7), sampler.batch(&corpus, 7));
    assert_ne!(sampler.batch(&corpus, 7), sampler.batch(&corpus, 8));
    assert_ne!(sampler.batch(&corpus, 7), other.batch(&corpus, 7));
    assert_ne!(sampler.batch(&corpus, 7), sampler.batch(&corpus, 7 + (1 << 32)));
    // Whatever is asked of a corpus that has little, batches come out.
    let mut tiny = Corpus::default();
    let alone = |skill: &Skill| Skill { jobs: vec![], sentences: vec![], ..skill.clone() };
    tiny.skills = corpus.skills[..2].iter().map(alone).collect();
    for step in 0..20 {
        assert!(sampler.batch(&tiny, step).graphs.iter().all(|graph| graph.graph != Graph::SkillJob));
    }
    assert!(sampler.batch(&Corpus::default(), 0).texts.is_empty());
}

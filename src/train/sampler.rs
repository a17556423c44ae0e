//! Batches: skills drawn from a corpus, and for each graph partners of theirs.
//!
//! A batch is a function of seed and step alone. Skills are drawn by random edges to jobs, evenly, and among those that annotated
//! sentences ask for; jobs, aliases and sentences are partners of the skills, so that edges exist between the two sides. Every edge of the
//! corpus between texts of a batch is a positive.

use std::collections::{BTreeSet, HashMap, HashSet};

use rand_mt::Mt;

use super::corpus::{Corpus, Job};

/// A graph that is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Graph {
    /// Skills and the jobs that need them.
    SkillJob,
    /// Skills and sentences that ask for them.
    SkillSentence,
    /// Skills and their other labels.
    SkillAlias,
    /// Jobs and their other labels.
    JobAlias,
}

impl Graph {
    /// All of them.
    pub const ALL: [Graph; 4] = [Graph::SkillJob, Graph::SkillSentence, Graph::SkillAlias, Graph::JobAlias];

    /// The name, as in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Graph::SkillJob => "skill-job",
            Graph::SkillSentence => "skill-sentence",
            Graph::SkillAlias => "skill-alias",
            Graph::JobAlias => "job-alias",
        }
    }
}

/// How batches are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    /// The seed.
    pub seed: u32,
    /// Skills of a batch.
    pub skills: usize,
    /// Partners of each graph, at most.
    pub partners: usize,
    /// Sentences, at most.
    pub sentences: usize,
    /// The share of skills that are drawn by a random edge to a job.
    pub from_edges: f64,
    /// The share that are drawn among those with annotated sentences.
    pub from_sentences: f64,
    /// The probability that a skill's sentence is an annotated one where it has one, and not its description.
    pub annotated: f64,
    /// The probability that another sentence is put beside a sentence.
    pub padded: f64,
    /// The probability that a job stands in the skill–job graph by one of its other labels.
    pub renamed: f64,
    /// The graphs of which batches are made.
    pub graphs: Vec<Graph>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self {
            seed: 1,
            skills: 128,
            partners: 128,
            sentences: 64,
            from_edges: 0.4,
            from_sentences: 0.35,
            annotated: 0.85,
            padded: 0.3,
            renamed: 0.3,
            graphs: Graph::ALL.to_vec(),
        }
    }
}

/// Texts of a batch, and the pairs that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Different texts.
    pub texts: Vec<String>,
    /// The graphs that have a positive.
    pub graphs: Vec<BatchGraph>,
}

/// One graph of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchGraph {
    /// Which.
    pub graph: Graph,
    /// Its left side (skills; jobs in job–alias), by places among the texts, each once.
    pub left: Vec<u32>,
    /// Its right side.
    pub right: Vec<u32>,
    /// Edges, by places in `left` and `right`, rising.
    pub positives: Vec<(u32, u32)>,
}

impl Sampler {
    /// The batch of a step.
    pub fn batch(&self, corpus: &Corpus, step: u64) -> Batch {
        let mut draw = Draw(Mt::new_with_key([self.seed, step as u32, (step >> 32) as u32]));
        let mut batch = Builder::default();
        let (skills, wanted_jobs) = self.draw_skills(corpus, &mut draw);
        let has = |graph| self.graphs.contains(&graph);
        if has(Graph::SkillJob) || has(Graph::JobAlias) {
            let jobs = self.draw_jobs(corpus, &skills, wanted_jobs, &mut draw);
            if has(Graph::SkillJob) {
                self.skill_job(corpus, &skills, &jobs, &mut draw, &mut batch);
            }
            if has(Graph::JobAlias) {
                let labels =
                    jobs.iter().map(|&job| (&corpus.jobs[job as usize].label, &corpus.jobs[job as usize].aliases));
                self.aliases(Graph::JobAlias, labels.collect(), &mut draw, &mut batch);
            }
        }
        if has(Graph::SkillAlias) {
            let of = |&skill: &u32| (&corpus.skills[skill as usize].label, &corpus.skills[skill as usize].aliases);
            self.aliases(Graph::SkillAlias, skills.iter().map(of).collect(), &mut draw, &mut batch);
        }
        if has(Graph::SkillSentence) {
            self.skill_sentence(corpus, &skills, &mut draw, &mut batch);
        }
        batch.finish()
    }

    /// Different skills, rising, and the jobs of the edges by which some were drawn.
    fn draw_skills(&self, corpus: &Corpus, draw: &mut Draw) -> (Vec<u32>, Vec<u32>) {
        let with_jobs: Vec<u32> =
            (0..).zip(&corpus.jobs).filter(|(_, j)| !j.skills.is_empty()).map(|(at, _)| at).collect();
        let annotated: Vec<u32> =
            (0..).zip(&corpus.skills).filter(|(_, s)| !s.sentences.is_empty()).map(|(at, _)| at).collect();
        let edges: Vec<u64> = with_jobs
            .iter()
            .scan(0, |sum, &job| {
                *sum += corpus.jobs[job as usize].skills.len() as u64;
                Some(*sum)
            })
            .collect();
        let (mut skills, mut jobs) = (BTreeSet::new(), Vec::new());
        let wanted = self.skills.min(corpus.skills.len());
        // Few skills may be reached by one way alone; the others are then drawn evenly.
        for _ in 0..wanted * 20 {
            if skills.len() == wanted {
                break;
            }
            let way = draw.share();
            if way < self.from_edges && !edges.is_empty() {
                let edge = draw.below(edges.last().copied().unwrap_or(1) as usize) as u64;
                let at = edges.partition_point(|end| *end <= edge);
                let job = with_jobs[at];
                let start = if at == 0 { 0 } else { edges[at - 1] };
                skills.insert(corpus.jobs[job as usize].skills[(edge - start) as usize]);
                jobs.push(job);
            } else if way < self.from_edges + self.from_sentences && !annotated.is_empty() {
                skills.insert(annotated[draw.below(annotated.len())]);
            } else if !corpus.skills.is_empty() {
                skills.insert(draw.below(corpus.skills.len()) as u32);
            }
        }
        (skills.into_iter().collect(), jobs)
    }

    /// Different jobs of the skills, rising.
    fn draw_jobs(&self, corpus: &Corpus, skills: &[u32], wanted: Vec<u32>, draw: &mut Draw) -> Vec<u32> {
        let mut jobs: BTreeSet<u32> = wanted.into_iter().take(self.partners).collect();
        for &skill in skills {
            let of_skill = &corpus.skills[skill as usize].jobs;
            if jobs.len() < self.partners && !of_skill.is_empty() {
                jobs.insert(of_skill[draw.below(of_skill.len())]);
            }
        }
        jobs.into_iter().collect()
    }

    fn skill_job(&self, corpus: &Corpus, skills: &[u32], jobs: &[u32], draw: &mut Draw, batch: &mut Builder) {
        let mut edges = GraphBuilder::new(Graph::SkillJob);
        skills.iter().for_each(|&skill| _ = edges.left(batch.text(&corpus.skills[skill as usize].label)));
        for &job in jobs {
            let Job { label, aliases, .. } = &corpus.jobs[job as usize];
            let renamed = !aliases.is_empty() && draw.share() < self.renamed;
            let name = if renamed { &aliases[draw.below(aliases.len())] } else { label };
            let right = edges.right(batch.text(name));
            for skill in skills.iter().filter(|skill| corpus.jobs[job as usize].skills.binary_search(skill).is_ok()) {
                let left = edges.left(batch.text(&corpus.skills[*skill as usize].label));
                edges.positive(left, right);
            }
        }
        batch.graphs.push(edges);
    }

    /// A label and one of its aliases each; every pair of a label and an alias that it has is a positive.
    fn aliases(&self, graph: Graph, labels: Vec<(&String, &Vec<String>)>, draw: &mut Draw, batch: &mut Builder) {
        let mut edges = GraphBuilder::new(graph);
        let mut drawn: Vec<&String> = Vec::new();
        for (_, aliases) in labels.iter().filter(|(_, aliases)| !aliases.is_empty()) {
            let alias = &aliases[draw.below(aliases.len())];
            if drawn.len() < self.partners && !drawn.contains(&alias) {
                drawn.push(alias);
            }
        }
        for (label, aliases) in labels.iter().filter(|(_, aliases)| !aliases.is_empty()) {
            let left = edges.left(batch.text(label));
            for alias in drawn.iter().filter(|alias| aliases.contains(alias)) {
                let right = edges.right(batch.text(alias));
                edges.positive(left, right);
            }
        }
        batch.graphs.push(edges);
    }

    fn skill_sentence(&self, corpus: &Corpus, skills: &[u32], draw: &mut Draw, batch: &mut Builder) {
        let mut edges = GraphBuilder::new(Graph::SkillSentence);
        let in_batch: HashSet<u32> = skills.iter().copied().collect();
        let mut order: Vec<u32> = skills.to_vec();
        draw.shuffle(&mut order);
        let mut made = 0;
        skills.iter().for_each(|&skill| _ = edges.left(batch.text(&corpus.skills[skill as usize].label)));
        for skill in order {
            if made == self.sentences {
                break;
            }
            let of_skill = &corpus.skills[skill as usize];
            let annotated =
                !of_skill.sentences.is_empty() && (draw.share() < self.annotated || of_skill.description.is_none());
            let (text, asked) = match (annotated, &of_skill.description) {
                (true, _) => {
                    let sentence = &corpus.sentences[of_skill.sentences[draw.below(of_skill.sentences.len())] as usize];
                    (sentence.text.as_str(), sentence.skills.as_slice())
                }
                (false, Some(description)) => (description.as_str(), std::slice::from_ref(&skill)),
                (false, None) => continue,
            };
            let (text, more) = self.beside(corpus, text, draw);
            let right = edges.right(batch.text(&text));
            let asked: BTreeSet<u32> =
                asked.iter().chain(more).copied().filter(|skill| in_batch.contains(skill)).collect();
            for skill in asked {
                let left = edges.left(batch.text(&corpus.skills[skill as usize].label));
                edges.positive(left, right);
            }
            made += 1;
        }
        batch.graphs.push(edges);
    }

    /// The sentence, or it and another one; what the other asks for is asked for, too.
    fn beside<'c>(&self, corpus: &'c Corpus, text: &str, draw: &mut Draw) -> (String, &'c [u32]) {
        if corpus.sentences.is_empty() || draw.share() >= self.padded {
            return (text.to_string(), &[]);
        }
        let other = &corpus.sentences[draw.below(corpus.sentences.len())];
        match draw.share() < 0.5 {
            true => (format!("{text} {}", other.text), &other.skills),
            false => (format!("{} {text}", other.text), &other.skills),
        }
    }
}

/// Numbers in the order of a seed.
struct Draw(Mt);

impl Draw {
    /// Below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// In 0…1.
    fn share(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

#[derive(Default)]
struct Builder {
    texts: Vec<String>,
    places: HashMap<String, u32>,
    graphs: Vec<GraphBuilder>,
}

impl Builder {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(&at) = self.places.get(text) {
            return at;
        }
        let at = self.texts.len() as u32;
        self.places.insert(text.to_string(), at);
        self.texts.push(text.to_string());
        at
    }

    fn finish(self) -> Batch {
        let graphs = self.graphs.into_iter().map(GraphBuilder::finish).filter(|graph| !graph.positives.is_empty());
        Batch { texts: self.texts, graphs: graphs.collect() }
    }
}

struct GraphBuilder {
    graph: Graph,
    left: Vec<u32>,
    right: Vec<u32>,
    lefts: HashMap<u32, u32>,
    rights: HashMap<u32, u32>,
    positives: BTreeSet<(u32, u32)>,
}

impl GraphBuilder {
    fn new(graph: Graph) -> Self {
        let (left, right, lefts, rights, positives) = Default::default();
        Self { graph, left, right, lefts, rights, positives }
    }

    fn left(&mut self, text: u32) -> u32 {
        place(&mut self.left, &mut self.lefts, text)
    }

    fn right(&mut self, text: u32) -> u32 {
        place(&mut self.right, &mut self.rights, text)
    }

    fn positive(&mut self, left: u32, right: u32) {
        self.positives.insert((left, right));
    }

    fn finish(self) -> BatchGraph {
        BatchGraph {
            graph: self.graph,
            left: self.left,
            right: self.right,
            positives: self.positives.into_iter().collect(),
        }
    }
}

/// The place of a text on a side, where it is put if it is not there.
fn place(side: &mut Vec<u32>, places: &mut HashMap<u32, u32>, text: u32) -> u32 {
    *places.entry(text).or_insert_with(|| {
        side.push(text);
        side.len() as u32 - 1
    })
}

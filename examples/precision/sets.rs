//! The validation sets: which queries, and which concepts are right for each.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::path::Path;

use csv::ReaderBuilder;
use serde::de::DeserializeOwned;
use workindex::{Concept, Kind, Monitor, Release, ReleaseBuilder, SpaceName, esco};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The set of which a sample is ranked.
pub const NORMALISATION: &str = "job normalisation";

/// Of the vacancy titles one in so many is ranked.
pub const ONE_TITLE_IN: usize = 5;

/// What annotators wrote instead of a label: that ESCO has none, that several would do, that nothing is asked for.
const MARKERS: [&str; 3] = ["LABEL NOT PRESENT", "UNDERSPECIFIED", "UNK"];

/// A text and the ids of the concepts that are right for it.
#[derive(Default)]
pub struct Query {
    pub text: String,
    pub positives: BTreeSet<String>,
}

/// Queries with positives, and the space that is ranked for them.
pub struct ValidationSet {
    pub name: &'static str,
    pub space: SpaceName,
    /// The kind of the queries, where they are of one.
    pub query_kind: Option<Kind>,
    pub queries: Vec<Query>,
    /// Different texts without a positive, which are not ranked.
    pub without: usize,
    /// Judgements that name a concept which the space lacks.
    pub unknown: usize,
}

/// Reads the releases that are ranked, and the sets.
pub fn read(data: &Path) -> Result<(Vec<Release>, Vec<ValidationSet>)> {
    let esco = |version: &str| -> Result<Release> {
        let folder = data.join("esco").join(version);
        Ok(esco::read(&[folder], &esco::Options::default(), &Monitor::silent())?.0)
    };
    let (older, newer, folder) = (esco("1.1.0")?, esco("1.1.1")?, data.join("workbench"));
    let titles = title_corpus(&folder.join("title_similarity/corpus_elements"))?;
    let skills = older.space_name(&Kind::SKILL);
    let labels: Gold = concepts(&older, Kind::SKILL).map(|concept| (&*concept.label, &*concept.id)).collect();
    let extraction = folder.join("skill_extraction");
    let set = |name, file: &str, read: fn(&Path, &Gold) -> Result<Judgements>| -> Result<ValidationSet> {
        Ok(read(&extraction.join(file), &labels)?.into_set(name, skills.clone(), None))
    };
    let sets = vec![
        normalisation(&folder.join("job_normalization/titles_validation.csv"), &newer)?,
        set("skill extraction, house", "house_validation_annotations.csv", annotations)?,
        set("skill extraction, tech", "tech_validation_annotations.csv", annotations)?,
        set("skill extraction, SkillSkape", "skillskape_dev.csv", skillskape)?,
        similarity(&folder.join("title_similarity"), &titles)?,
    ];
    Ok((vec![older, newer, titles], sets))
}

/// The ids of the concepts, by what a file calls them: their label, or the id itself.
type Gold<'a> = HashMap<&'a str, &'a str>;

/// What a file says: equal texts are one query, with the positives of all of them.
#[derive(Default)]
struct Judgements {
    places: HashMap<String, usize>,
    queries: Vec<Query>,
    unknown: usize,
}

impl Judgements {
    /// Adds what is right for a text. It can be nothing; empty texts are left out.
    fn add<'a>(&mut self, text: &str, right: impl IntoIterator<Item = &'a str>, gold: &Gold) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let at = *self.places.entry(text.to_string()).or_insert(self.queries.len());
        if at == self.queries.len() {
            self.queries.push(Query { text: text.to_string(), ..Query::default() });
        }
        for name in right.into_iter().map(str::trim).filter(|name| !MARKERS.contains(name)) {
            match gold.get(name) {
                Some(id) => _ = self.queries[at].positives.insert(id.to_string()),
                None => self.unknown += 1,
            }
        }
    }

    fn into_set(self, name: &'static str, space: SpaceName, query_kind: Option<Kind>) -> ValidationSet {
        let (queries, without): (Vec<Query>, Vec<Query>) =
            self.queries.into_iter().partition(|query| !query.positives.is_empty());
        ValidationSet { name, space, query_kind, queries, without: without.len(), unknown: self.unknown }
    }
}

/// Vacancy titles, each with the URI of an occupation.
fn normalisation(path: &Path, release: &Release) -> Result<ValidationSet> {
    let (gold, mut judgements) = (ids(release), Judgements::default());
    for (_, title, uri) in rows::<(String, String, String)>(path, b',', true)?.iter().step_by(ONE_TITLE_IN) {
        judgements.add(title, [uri.as_str()], &gold);
    }
    let space = release.space_name(&Kind::OCCUPATION);
    Ok(judgements.into_set(NORMALISATION, space, Some(Kind::OCCUPATION)))
}

/// Sentences with one span and its label in a row.
fn annotations(path: &Path, gold: &Gold) -> Result<Judgements> {
    let mut judgements = Judgements::default();
    for (sentence, _, _, label) in rows::<(String, String, String, String)>(path, b',', true)? {
        judgements.add(&sentence, [label.as_str()], gold);
    }
    Ok(judgements)
}

/// Sentences with all their labels in a row.
fn skillskape(path: &Path, gold: &Gold) -> Result<Judgements> {
    let mut judgements = Judgements::default();
    for (number, sentence, labels) in rows::<(String, String, String)>(path, b',', true)? {
        let labels = quoted(&labels).ok_or_else(|| format!("{}: sentence {number}: {labels}", path.display()))?;
        judgements.add(&sentence, labels.iter().map(String::as_str), gold);
    }
    Ok(judgements)
}

/// The strings of a list as Python prints it: `['C#', "company's goals"]`. `None` when a string does not end.
fn quoted(list: &str) -> Option<Vec<String>> {
    let (mut strings, mut characters) = (Vec::new(), list.chars());
    while let Some(quote) = characters.find(|c| matches!(c, '\'' | '"')) {
        let mut string = String::new();
        loop {
            match characters.next()? {
                '\\' => string.push(characters.next()?),
                c if c == quote => break,
                c => string.push(c),
            }
        }
        strings.push(string);
    }
    Some(strings)
}

/// Titles, and the titles of a corpus that mean the same.
fn similarity(folder: &Path, corpus: &Release) -> Result<ValidationSet> {
    let titles = rows::<(String, String)>(&folder.join("queries"), b'\t', true)?;
    let (gold, path, mut judgements) = (ids(corpus), folder.join("qrels.tsv"), Judgements::default());
    titles.iter().for_each(|(_, title)| judgements.add(title, [], &gold));
    let titles: HashMap<String, String> = titles.into_iter().collect();
    for (query, _, target, relevance) in rows::<(String, String, String, u32)>(&path, b'\t', false)? {
        let title = titles.get(&query).ok_or_else(|| format!("{}: no query {query}", path.display()))?;
        judgements.add(title, (relevance > 0).then_some(target.as_str()), &gold);
    }
    let space = corpus.space_name(&Kind::OCCUPATION);
    Ok(judgements.into_set("title similarity", space, Some(Kind::OCCUPATION)))
}

/// The corpus of job titles as a release.
fn title_corpus(path: &Path) -> Result<Release> {
    let mut builder = ReleaseBuilder::new("job-titles", "1", "en")?;
    for (row, (id, title)) in (2..).zip(rows::<(String, String)>(path, b'\t', true)?) {
        builder.add(Concept::new(id, Kind::OCCUPATION, title), "corpus_elements", row);
    }
    Ok(builder.finish().0)
}

fn concepts(release: &Release, kind: Kind) -> impl Iterator<Item = &Concept> {
    release.concepts().iter().filter(move |concept| concept.kind == kind)
}

fn ids(release: &Release) -> Gold<'_> {
    concepts(release, Kind::OCCUPATION).map(|concept| (&*concept.id, &*concept.id)).collect()
}

/// The rows of a table. Only with commas between them are fields quoted.
fn rows<T: DeserializeOwned>(path: &Path, delimiter: u8, header: bool) -> Result<Vec<T>> {
    let mut options = ReaderBuilder::new();
    options.delimiter(delimiter).has_headers(header).quoting(delimiter == b',');
    let rows = options.from_path(path).and_then(|reader| reader.into_deserialize().collect());
    rows.map_err(|error: csv::Error| format!("{}: {error}", path.display()).into())
}

//! Query texts and options, through tokenizer, encoder and ranking, on an index of the mini ontology.
#![no_main]

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use workindex::{Direction, Filter, Interaction, RankOptions, Rule, Space, Weights, WorkIndex};
use workindex_fuzz::{abort_on_own_panics, mini_index, new_folder};

#[derive(Debug, Arbitrary)]
struct Query<'a> {
    top: u32,
    rule: Option<(u8, u8, bool, f32)>,
    kind: Option<&'a str>,
    filter: Option<Condition<'a>>,
    dutch: bool,
    explain: bool,
    /// How often the text stands after itself.
    times: u8,
    text: &'a str,
}

#[derive(Debug, Arbitrary)]
enum Condition<'a> {
    Attribute(&'a str, &'a str),
    Prefix(&'a str, &'a str),
    Below(&'a str),
    Ids(Vec<&'a str>),
    All(Vec<Condition<'a>>),
    Any(Vec<Condition<'a>>),
}

impl Condition<'_> {
    fn filter(&self) -> Filter {
        match self {
            Condition::Attribute(name, value) => Filter::attribute(*name, *value),
            Condition::Prefix(name, value) => Filter::prefix(*name, *value),
            Condition::Below(id) => Filter::below(*id),
            Condition::Ids(ids) => Filter::ids(ids.iter().copied()),
            Condition::All(conditions) => Filter::all(conditions.iter().map(Condition::filter)),
            Condition::Any(conditions) => Filter::any(conditions.iter().map(Condition::filter)),
        }
    }
}

impl Query<'_> {
    fn options(&self) -> RankOptions {
        let mut options = if self.top == u32::MAX { RankOptions::full() } else { RankOptions::top(self.top as usize) };
        if let Some((interaction, direction, raw, temperature)) = self.rule {
            let interaction =
                [Interaction::Soft, Interaction::MaxSim, Interaction::ContextMatch, Interaction::MeanPool]
                    [usize::from(interaction % 4)];
            let direction = [Direction::Query, Direction::Target, Direction::Both][usize::from(direction % 3)];
            let weights = if raw { Weights::Raw } else { Weights::Cosine };
            options = options.rule(Rule { interaction, direction, weights, temperature });
        }
        if let Some(kind) = self.kind {
            options = options.query_kind(kind);
        }
        match &self.filter {
            Some(condition) => options.filter(condition.filter()),
            None => options,
        }
    }
}

fn spaces() -> &'static [Space; 2] {
    static SPACES: OnceLock<([Space; 2], tempfile::TempDir)> = OnceLock::new();
    let (spaces, _) = SPACES.get_or_init(|| {
        let folder = new_folder();
        let path = folder.path().join("work.index");
        mini_index(&path);
        let index = WorkIndex::open(&path).unwrap().with_threads(1).unwrap();
        (["esco/skill/en", "esco/skill/nl"].map(|name| index.space(name).unwrap()), folder)
    });
    spaces
}

/// What takes time is made before inputs are timed.
fn prepare() {
    abort_on_own_panics();
    let _ = spaces();
}

fuzz_target!(init: prepare(), |query: Query| {
    let space = &spaces()[usize::from(query.dutch)];
    let options = query.options();
    let text = query.text.repeat(1 + usize::from(query.times));
    if let Ok(ranking) = space.rank(&text, &options) {
        assert!(ranking.len() <= space.len());
        assert!(ranking.iter().all(|hit| hit.score.is_finite()));
        assert!(ranking.iter().zip(1..).all(|(hit, rank)| hit.rank == rank));
        assert!(ranking.iter().zip(ranking.iter().skip(1)).all(|(a, b)| a.score >= b.score));
        if query.explain
            && let Some(hit) = ranking.first()
        {
            let explanation = space.explain_with(&text, &hit.id, &options);
            assert!(explanation.is_ok(), "{:?}", explanation.err());
        }
    }
});

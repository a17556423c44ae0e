//! What is done to an index, chosen at random and shrunk by proptest.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use workindex::{
    Concept, Direction, Filter, Forms, Interaction, Kind, RelationKind, Release, ReleaseBuilder, Rule, Weights,
};

/// Few texts, so that releases share many, and concepts some. The tiny encoder knows all of them in parts.
pub const TEXTS: [&str; 20] = [
    "nurse",
    "Nurse",
    "weld metal",
    "weld",
    "braze metal",
    "teach mathematics",
    "teach",
    "care for patients",
    "patients",
    "drive a lorry",
    "lorry driver",
    "data engineer",
    "engineer data",
    "Python",
    "SQL",
    "sing",
    "manage a team",
    "team",
    "use a lathe",
    "care",
];
const LEVELS: [&str; 4] = ["1", "12", "13", "2"];
const KINDS: [Kind; 2] = [Kind::SKILL, Kind::OCCUPATION];

/// A release, before it is one.
#[derive(Debug, Clone)]
pub struct Draft {
    pub ontology: &'static str,
    pub version: u8,
    pub language: &'static str,
    pub all_forms: bool,
    attributed: bool,
    concepts: Vec<DraftConcept>,
    /// Positions, modulo the number of concepts.
    relations: Vec<(u8, u8, bool)>,
}

#[derive(Debug, Clone)]
struct DraftConcept {
    kind: usize,
    id: u8,
    label: usize,
    alternative: Vec<usize>,
    level: Option<usize>,
    described: bool,
}

impl Draft {
    pub fn release(&self) -> Release {
        let mut builder = ReleaseBuilder::new(self.ontology, &self.version.to_string(), self.language).unwrap();
        if self.attributed {
            builder.attribution("by the publisher");
        }
        let mut ends = Vec::new();
        for (draft, row) in self.concepts.iter().zip(2..) {
            let mut concept = Concept::new(format!("id-{}", draft.id), KINDS[draft.kind].clone(), TEXTS[draft.label]);
            concept.alternative_labels = draft.alternative.iter().map(|&at| TEXTS[at].to_string()).collect();
            concept.description = draft.described.then(|| format!("what {} means", TEXTS[draft.label]));
            let level = draft.level.map(|at| ("level".to_string(), vec![LEVELS[at].to_string()]));
            concept.attributes = level.into_iter().collect();
            ends.push((concept.kind.clone(), concept.id.clone()));
            builder.add(concept, "draft", row);
        }
        for (from, to, broader) in self.relations.iter().filter(|_| !ends.is_empty()) {
            let kind = if *broader { RelationKind::Broader } else { RelationKind::Essential };
            let (from, to) = (&ends[usize::from(*from) % ends.len()], &ends[usize::from(*to) % ends.len()]);
            builder.relate((&from.0, &from.1), kind, (&to.0, &to.1), "draft", 1);
        }
        builder.finish().0
    }

    pub fn forms(&self) -> Forms {
        if self.all_forms { Forms::All } else { Forms::Preferred }
    }
}

/// A target space, not necessarily one that there is.
#[derive(Debug, Clone)]
pub struct Name {
    pub ontology: &'static str,
    pub version: Option<u8>,
    pub kind: Kind,
    pub language: &'static str,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.version.map(|version| format!("@{version}")).unwrap_or_default();
        write!(f, "{}{version}/{}/{}", self.ontology, self.kind, self.language)
    }
}

/// What is asked of a space.
#[derive(Debug, Clone)]
pub struct Question {
    pub text: &'static str,
    /// In other letters and with other white space, which makes no other label of it.
    pub disguised: bool,
    pub rule: Rule,
    pub k: Option<usize>,
    pub filter: Option<Filter>,
}

#[derive(Debug, Clone)]
pub enum Operation {
    Ingest(Draft),
    /// The same release again, or with other forms.
    IngestAgain {
        which: usize,
        other_forms: bool,
    },
    Drop(usize),
    DropUnknown,
    Commit,
    Abort,
    Collect,
    Compact,
    ReopenWriter,
    ReopenReader,
    Refresh,
    /// Opens a space and asks it.
    Ask(Name, Question),
    /// Opens a space and keeps it.
    Pin(Name),
    /// Asks a space that was kept.
    AskPinned(usize, Question),
    /// Compares all that the reader can be asked about its releases.
    Inspect,
    Diff(Name, u8, u8),
    Verify,
}

/// An index, and what is done to it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Whether its token matrices are made elsewhere.
    pub declared: bool,
    pub operations: Vec<Operation>,
}

pub fn case() -> impl Strategy<Value = Case> {
    (any::<bool>(), vec(operation(), 1..40)).prop_map(|(declared, operations)| Case { declared, operations })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => draft().prop_map(Operation::Ingest),
        2 => (0..8usize, any::<bool>()).prop_map(|(which, other_forms)| Operation::IngestAgain { which, other_forms }),
        3 => (0..8usize).prop_map(Operation::Drop),
        1 => Just(Operation::DropUnknown),
        5 => Just(Operation::Commit),
        2 => Just(Operation::Abort),
        2 => Just(Operation::Collect),
        2 => Just(Operation::Compact),
        1 => Just(Operation::ReopenWriter),
        1 => Just(Operation::ReopenReader),
        4 => Just(Operation::Refresh),
        8 => (name(), question()).prop_map(|(name, question)| Operation::Ask(name, question)),
        2 => name().prop_map(Operation::Pin),
        3 => (0..8usize, question()).prop_map(|(which, question)| Operation::AskPinned(which, question)),
        2 => Just(Operation::Inspect),
        1 => (name(), 0..3u8, 0..3u8).prop_map(|(name, old, new)| Operation::Diff(name, old, new)),
        1 => Just(Operation::Verify),
    ]
}

/// Mostly of one line, so that releases replace and follow each other.
fn ontology() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("list"), 1 => Just("other")]
}

fn language() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("en"), 1 => Just("nl")]
}

fn draft() -> impl Strategy<Value = Draft> {
    let name = (ontology(), 0..3u8, language(), any::<bool>(), any::<bool>());
    // Mostly hierarchy, several levels of it.
    let relations = vec((any::<u8>(), any::<u8>(), prop::bool::weighted(0.8)), 0..12);
    (name, vec(concept(), 0..9), relations).prop_map(|(name, concepts, relations)| {
        let (ontology, version, language, all_forms, attributed) = name;
        Draft { ontology, version, language, all_forms, attributed, concepts, relations }
    })
}

fn concept() -> impl Strategy<Value = DraftConcept> {
    let text = 0..TEXTS.len();
    let parts = (0..KINDS.len(), 0..8u8, text.clone(), vec(text, 0..4), option::of(0..LEVELS.len()), any::<bool>());
    parts.prop_map(|(kind, id, label, alternative, level, described)| DraftConcept {
        kind,
        id,
        label,
        alternative,
        level,
        described,
    })
}

fn name() -> impl Strategy<Value = Name> {
    let version = prop_oneof![2 => Just(None), 1 => (0..3u8).prop_map(Some)];
    (ontology(), version, prop::sample::select(KINDS.to_vec()), language())
        .prop_map(|(ontology, version, kind, language)| Name { ontology, version, kind, language })
}

fn question() -> impl Strategy<Value = Question> {
    let k = prop_oneof![Just(None), (0..7usize).prop_map(Some)];
    (prop::sample::select(TEXTS.to_vec()), any::<bool>(), rule(), k, option::of(filter()))
        .prop_map(|(text, disguised, rule, k, filter)| Question { text, disguised, rule, k, filter })
}

fn rule() -> impl Strategy<Value = Rule> {
    use Interaction::{ContextMatch, MaxSim, MeanPool, Soft};
    let interaction = prop::sample::select(vec![Soft, MaxSim, ContextMatch, MeanPool]);
    let direction = prop::sample::select(vec![Direction::Both, Direction::Query, Direction::Target]);
    // Dot products at a small temperature say nothing that could be compared: they are large, and so are their errors.
    let weights = prop::sample::select(vec![(Weights::Cosine, 0.1), (Weights::Cosine, 0.5), (Weights::Raw, 1.0)]);
    (interaction, direction, weights).prop_map(|(interaction, direction, (weights, temperature))| Rule {
        interaction,
        direction,
        weights,
        temperature,
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let id = || (0..8u8).prop_map(|id| format!("id-{id}"));
    let leaf = prop_oneof![
        1 => prop::sample::select(LEVELS.to_vec()).prop_map(|level| Filter::attribute("level", level)),
        1 => Just(Filter::prefix("level", "1")),
        1 => Just(Filter::attribute("colour", "red")),
        2 => id().prop_map(Filter::below),
        1 => vec(id(), 0..6).prop_map(Filter::ids),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Filter::all),
            vec(inner.clone(), 0..3).prop_map(Filter::any),
            inner.prop_map(|filter| !filter),
        ]
    })
}

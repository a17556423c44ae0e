//! Does the same to an index and to its model, and compares them at every step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use workindex::{
    Error, IndexWriter, IngestOptions, IngestReport, Kind, Monitor, RankOptions, Ranking, Release, ReleaseDiff, Space,
    TokenMatrix, WorkIndex,
};

use crate::common::{assert_intact, ingest_list, list_index, matrix_of, scratch, segment_names, tiny_encoder};
use crate::model::{Ingested, Model, State, Stored};
use crate::operations::{Case, Draft, Name, Operation, Question};
use crate::oracle;

pub struct Machine {
    declared: bool,
    model: Model,
    drafts: Vec<Draft>,
    /// None only while it is reopened.
    writer: Option<IndexWriter>,
    reader: WorkIndex,
    pinned: Vec<(Space, Rc<Stored>, Kind)>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Machine {
    pub fn run(case: &Case) {
        let mut machine = Self::new(case.declared);
        for operation in &case.operations {
            machine.step(operation);
        }
        machine.finish();
    }

    fn new(declared: bool) -> Self {
        let (folder, path) = scratch();
        let writer = match declared {
            true => list_index(&path),
            false => WorkIndex::create(&path, &tiny_encoder()).unwrap(),
        };
        let reader = WorkIndex::open(&path).unwrap();
        let (model, drafts, pinned) = Default::default();
        Self { declared, model, drafts, writer: Some(writer), reader, pinned, path, _folder: folder }
    }

    fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Ingest(draft) => self.ingest(draft.clone()),
            Operation::IngestAgain { which, other_forms } => {
                let Some(draft) = self.drafts.get(which % self.drafts.len().max(1)) else { return };
                let mut again = draft.clone();
                again.all_forms ^= other_forms;
                self.ingest(again);
            }
            Operation::Drop(which) => self.drop_release(*which),
            Operation::DropUnknown => {
                let unknown = self.writer().drop_release("list@9/skill/en");
                assert!(matches!(unknown, Err(Error::UnknownSpace { .. })), "{unknown:?}");
            }
            Operation::Commit => assert_eq!(self.writer().commit().unwrap(), self.model.commit()),
            Operation::Abort => {
                self.writer().abort();
                self.model.abort();
            }
            Operation::Collect => {
                self.writer().collect().unwrap();
                self.model.collect();
                self.assert_files();
            }
            Operation::Compact => {
                self.writer().compact(&Monitor::silent()).unwrap();
                self.model.compact();
                self.assert_files();
            }
            Operation::ReopenWriter => {
                self.writer = None;
                self.writer = Some(WorkIndex::writer(&self.path).unwrap());
                self.model.abort();
            }
            Operation::ReopenReader => {
                self.reader = WorkIndex::open(&self.path).unwrap();
                self.model.refresh();
            }
            Operation::Refresh => assert_eq!(self.reader.refresh().unwrap(), self.model.refresh()),
            Operation::Ask(name, question) => {
                if let Some((space, stored)) = self.open(name) {
                    self.ask(&space, &stored, &name.kind, question);
                }
            }
            Operation::Pin(name) => {
                let opened = self.open(name);
                self.pinned.extend(opened.map(|(space, stored)| (space, stored, name.kind.clone())));
            }
            Operation::AskPinned(which, question) => {
                if let Some((space, stored, kind)) = self.pinned.get(which % self.pinned.len().max(1)) {
                    self.ask(space, stored, kind, question);
                }
            }
            Operation::Inspect => self.inspect(),
            Operation::Diff(name, old, new) => self.diff(name, *old, *new),
            Operation::Verify => assert_intact(&self.reader),
        }
    }

    fn writer(&mut self) -> &mut IndexWriter {
        self.writer.as_mut().expect("reopened at once")
    }

    fn ingest(&mut self, mut draft: Draft) {
        // Matrices made elsewhere are of preferred labels.
        draft.all_forms &= !self.declared;
        let release = draft.release();
        let (forms, declared) = (draft.forms(), self.declared);
        let report = match declared {
            true => ingest_list(self.writer(), &release),
            false => self
                .writer()
                .ingest(&release, &IngestOptions { forms, ..Default::default() }, &Monitor::silent())
                .unwrap(),
        };
        assert_eq!(summary(report), self.model.ingest(Stored::new(&release, forms)));
        self.drafts.push(draft);
    }

    fn drop_release(&mut self, which: usize) {
        let releases = &self.model.working.releases;
        if releases.is_empty() {
            return;
        }
        let at = which % releases.len();
        let release = &releases[at].release;
        // One without concepts has no name; it goes when it is replaced.
        let Some(concept) = release.concepts().first() else { return };
        let name = release.space_name(&concept.kind).to_string();
        self.writer().drop_release(&name).unwrap();
        self.model.drop_release(at);
    }

    /// Opens a space. A reader whose segments are gone moves on to the newest state by itself, and so does its model.
    fn open(&mut self, name: &Name) -> Option<(Space, Rc<Stored>)> {
        let opened = self.reader.space(&name.to_string());
        let generation = self.reader.info().unwrap().generation;
        if generation != self.model.seen.generation {
            let (seen, newest) = (&self.model.seen, &self.model.committed);
            assert!(generation == newest.generation && seen.removals < newest.removals, "moved on without a reason");
            self.model.refresh();
        }
        match (opened, self.model.seen.find(name)) {
            (Ok(space), Some(stored)) => Some((space, Rc::clone(stored))),
            (Err(Error::UnknownSpace { .. }), None) => None,
            (opened, expected) => panic!("{name}: {opened:?} instead of {expected:?}"),
        }
    }

    fn ask(&self, space: &Space, stored: &Stored, kind: &Kind, question: &Question) {
        assert_eq!(*space.name(), stored.release.space_name(kind));
        let ranking = self.rank(space, question);
        let matrix: &dyn Fn(&str) -> TokenMatrix = if self.declared { &matrix_of } else { &embedded };
        oracle::check(stored, kind, question, !self.declared, &ranking, matrix);
        let concepts = stored.space(kind);
        assert_eq!((space.len(), space.attribution()), (concepts.len(), stored.release.attribution()));
        for (at, concept) in concepts.into_iter().enumerate() {
            assert_eq!(space.concept(at).unwrap().as_ref(), Some(concept));
            assert_eq!(space.position(&concept.id), Some(at));
        }
    }

    fn rank(&self, space: &Space, question: &Question) -> Ranking {
        let options = question.k.map_or(RankOptions::full(), RankOptions::top).rule(question.rule);
        let options = question.filter.iter().fold(options, |options, filter| options.filter(filter.clone()));
        if self.declared {
            return space.rank_matrix(&matrix_of(question.text), &options).unwrap();
        }
        // The encoder's vocabulary is of lower case, so that a disguise changes nothing of the embedding.
        let disguise = || format!(" {}\t", question.text.to_uppercase().replace(' ', "  "));
        let text = if question.disguised { disguise() } else { question.text.to_string() };
        space.rank(&text, &options).unwrap()
    }

    /// The files are those of the committed segments and no others.
    fn assert_files(&self) {
        assert_eq!(segment_names(&self.path).len(), self.model.committed.segments.len());
    }

    fn inspect(&self) {
        let (seen, info) = (&self.model.seen, self.reader.info().unwrap());
        assert_eq!(info.generation, seen.generation);
        let n_texts = seen.surface_forms();
        assert_eq!((info.segments, info.surface_forms), (seen.segments.len() as u64, n_texts as u64));
        assert_eq!(info.dead_surface_forms, (n_texts - seen.live().len()) as u64);
        assert_eq!(info.token_rows, seen.texts().map(|text| self.matrix(text).n_tokens() as u64).sum::<u64>());
        assert_eq!(info.releases.len(), seen.releases.len());
        for (found, stored) in info.releases.iter().zip(&seen.releases) {
            let release = &stored.release;
            let of_info = (found.ontology.as_str(), found.version.as_str(), found.language.as_str());
            assert_eq!(of_info, (release.ontology(), release.version(), release.language()));
            let of_info = (found.forms.as_str(), found.attribution.as_deref(), found.relations as usize);
            assert_eq!(of_info, (stored.forms.as_str(), release.attribution(), release.relations().len()));
            let spaces = found.spaces.iter().map(|space| (space.name.clone(), space.concepts as usize));
            let kinds = stored.kinds();
            let expected = kinds.iter().map(|kind| (release.space_name(kind).to_string(), stored.space(kind).len()));
            assert!(spaces.eq(expected), "{found:?}");
            if let Some(kind) = kinds.first() {
                let name = release.space_name(kind).to_string();
                assert_eq!(self.reader.release(&name).unwrap(), *release);
            }
        }
    }

    fn diff(&self, name: &Name, old: u8, new: u8) {
        let found = self.reader.diff(&name.to_string(), &old.to_string(), &new.to_string());
        let release = |version| {
            let pinned = Name { version: Some(version), ..name.clone() };
            self.model.seen.find(&pinned).map(|stored| &stored.release)
        };
        let expected = |(old, new): (&Release, &Release)| ReleaseDiff::between_kind(old, new, &name.kind);
        match (found, release(old).zip(release(new)).map(expected)) {
            (Ok(found), Some(expected)) => assert_eq!(found, expected),
            (Err(Error::UnknownSpace { .. }), None) => {}
            (found, expected) => panic!("{name}: {found:?} instead of {expected:?}"),
        }
    }

    fn matrix(&self, text: &str) -> TokenMatrix {
        if self.declared { matrix_of(text) } else { embedded(text) }
    }

    /// A state is left that verifies, that a new reader sees, and in which every space answers.
    fn finish(mut self) {
        self.writer = None;
        self.reader = WorkIndex::open(&self.path).unwrap();
        self.model.refresh();
        self.inspect();
        assert_intact(&self.reader);
        let state: Rc<State> = Rc::clone(&self.model.seen);
        let question = Question { text: "nurse", disguised: false, rule: Default::default(), k: Some(3), filter: None };
        for stored in &state.releases {
            for kind in stored.kinds() {
                let name = stored.release.space_name(kind).to_string();
                self.ask(&self.reader.space(&name).unwrap(), stored, kind, &question);
            }
        }
    }
}

/// The tiny encoder's matrix of a text, made once.
fn embedded(text: &str) -> TokenMatrix {
    thread_local!(static MADE: RefCell<HashMap<String, TokenMatrix>> = RefCell::default());
    let known = MADE.with_borrow(|made| made.get(text).cloned());
    known.unwrap_or_else(|| {
        let matrix = tiny_encoder().encode(text).unwrap().matrix;
        MADE.with_borrow_mut(|made| made.insert(text.to_string(), matrix.clone()));
        matrix
    })
}

fn summary(report: IngestReport) -> Ingested {
    let kinds = report.kinds.into_iter();
    let kinds = kinds.map(|k| (k.kind.to_string(), (k.concepts, k.added, k.removed, k.relabelled)));
    let (texts, embedded) = (report.texts, report.embedded);
    Ingested { unchanged: report.unchanged, previous: report.previous, texts, embedded, kinds: kinds.collect() }
}

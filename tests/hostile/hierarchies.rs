//! Hierarchies as deep as they are long, and cycles, through everything that an index does with them: nothing recurses.

use workindex::{
    Concept, DeclaredEncoder, Filter, Kind, Monitor, RankOptions, RelationKind, Release, ReleaseBuilder, ReleaseDiff,
    Rule, TokenMatrix, WorkIndex,
};

use crate::common::scratch;

const DEPTH: usize = 100_000;
/// Far less than any main thread has, and enough for what does not recurse.
const STACK: usize = 256 << 10;

/// A chain of concepts, the last one of which stands above the first: everything is below everything.
fn ring(version: &str, length: usize) -> Release {
    let mut builder = ReleaseBuilder::new("list", version, "en").unwrap();
    for at in 0..length {
        builder.add(Concept::new(format!("u:{at}"), Kind::SKILL, format!("skill {at}")), "list", at as u64 + 1);
    }
    for at in 0..length {
        let (below, above) = (format!("u:{}", (at + 1) % length), format!("u:{at}"));
        assert!(builder.relate((&Kind::SKILL, &below), RelationKind::Broader, (&Kind::SKILL, &above), "list", 1));
    }
    builder.finish().0
}

fn small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_ring_of_a_hundred_thousand_concepts_is_stored_ranked_compared_and_checked_on_a_small_stack() {
    small_stack(|| {
        let (_folder, path) = scratch();
        let encoder = DeclaredEncoder::new("made-by-hand", 4).unwrap();
        let mut writer = WorkIndex::create_declared(&path, &encoder).unwrap();
        let matrix = |at: usize| TokenMatrix::new(4, vec![1.0, at as f32, (at % 7) as f32, 1.0]).unwrap();
        for (version, length) in [("1", DEPTH), ("2", DEPTH - 1)] {
            let release = ring(version, length);
            let matrices: Vec<TokenMatrix> = (0..length).map(matrix).collect();
            writer.ingest_matrices(&release, &matrices, &Monitor::silent()).unwrap();
        }
        writer.commit().unwrap();
        let index = WorkIndex::open(&path).unwrap();
        let space = index.space("list@1/skill/en").unwrap();
        let below = RankOptions::top(3).filter(Filter::below("u:77"));
        assert_eq!(space.rank_matrix(&matrix(5), &below).unwrap().len(), 3);
        let all = space.rank_matrix(&matrix(5), &RankOptions::full().filter(Filter::below("u:77"))).unwrap();
        assert_eq!(all.len(), DEPTH);
        assert_eq!(space.explain_matrix(&matrix(5), "u:99999", &Rule::default()).unwrap().id, "u:99999");
        let stored = index.release("list@1/skill/en").unwrap();
        assert_eq!(stored.relations(), ring("1", DEPTH).relations());
        let diff = index.diff("list/skill/en", "1", "2").unwrap();
        assert_eq!(diff, ReleaseDiff::between_kind(&ring("1", DEPTH), &ring("2", DEPTH - 1), &Kind::SKILL));
        assert_eq!((diff.removed.len(), diff.added.len()), (1, 0));
        assert!(index.verify(&Monitor::silent()).unwrap().is_intact());
        writer.drop_release("list@1/skill/en").unwrap();
        writer.compact(&Monitor::silent()).unwrap();
        index.refresh().unwrap();
        assert_eq!(index.space("list/skill/en").unwrap().len(), DEPTH - 1);
        assert!(index.verify(&Monitor::silent()).unwrap().is_intact());
    });
}

//! Whatever is done to an index, in whatever order, it is what a list in memory would be: the same releases, the same
//! rankings as an f64 brute force, the same counts of segments and forms, for its writer, its readers and the spaces they hold.

#[path = "../common/mod.rs"]
mod common;
mod machine;
mod model;
mod operations;
mod oracle;

use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use machine::Machine;

/// Histories that are tried: this many, always the same ones; `WORKINDEX_TEST_CASES` of other ones when that is set.
const CASES: u32 = 500;

#[test]
fn an_index_is_what_a_list_in_memory_would_be() {
    let asked = std::env::var("WORKINDEX_TEST_CASES").ok().and_then(|n| n.parse().ok());
    // A failure is printed in its shortest form; no file of it is kept.
    let config = Config { cases: asked.unwrap_or(CASES), failure_persistence: None, ..Config::default() };
    let rng = match asked {
        Some(_) => TestRng::from_seed(
            RngAlgorithm::ChaCha,
            blake3::hash(&RandomState::new().hash_one(0).to_le_bytes()).as_bytes(),
        ),
        None => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    };
    let result = TestRunner::new_with_rng(config, rng).run(&operations::case(), |case| {
        Machine::run(&case);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

//! What the benches share: where their data comes from, what is kept between runs, and how many threads they use.
//!
//! | file | what |
//! |---|---|
//! | `sources.rs` | [`Sources`]: the releases, lists and encoder that are read |
//! | `large_model.rs` | [`mpnet_base`]: a random model of that size |
//! | `lists.rs` | texts out of releases and table columns |
//! | `targets.rs` | [`targets::nested`]: the texts of the target spaces, from small to large |
//! | `queries.rs` | [`Queries`]: different titles and sentences of equal length |
//! | `cache.rs` | [`Cache`]: token matrices and indexes kept below `target/`, addressed by content |
//! | `sets.rs` | [`TargetSet`]: an indexed target space and the f32 rows it was made of |
//! | `threads.rs` | pools of one and of all threads |

// Each bench is a crate of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

mod cache;
mod large_model;
mod lists;
mod queries;
mod sets;
mod sources;
mod targets;
mod threads;

pub use cache::Cache;
pub use large_model::mpnet_base;
pub use queries::Queries;
pub use sets::{Rows, TargetSet, unit_rows};
pub use sources::Sources;
pub use threads::{Pool, pools};

use std::time::Instant;

use workindex::Encoder;

/// Everything that scanning is measured on.
pub struct ScanSetup {
    pub sets: Vec<TargetSet>,
    pub queries: Queries,
}

impl ScanSetup {
    /// Reads, encodes and indexes what is not kept from an earlier run; says what takes long.
    pub fn prepare() -> Self {
        let sources = Sources::find();
        let encoder = Encoder::open(&sources.encoder).expect("a model directory");
        let cache = Cache::new(&encoder);
        let start = Instant::now();
        let queries = Queries::choose(&sources, &encoder, &cache);
        let sets = TargetSet::prepare_all(&targets::nested(&sources, &queries), &encoder, &cache);
        eprintln!("prepared in {:.1?}; kept in {}", start.elapsed(), cache.root().display());
        Self { sets, queries }
    }
}

/// Whether the bench only has to show that it works (`cargo bench -- --test`).
pub fn is_smoke_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

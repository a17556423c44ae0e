//! An index survives crashes, kills and faults at any operation on files: reopened, it is in the old state or in the new one,
//! intact, and collecting leaves nothing that no commit names.
//!
//! | file | what |
//! |---|---|
//! | `scenario.rs` | changes to an index, step by step |
//! | `oracle.rs` | which states an index may be in, and that it is sound |
//! | `crash_images.rs` | the machine stops: what was not synchronised is there, torn, or not |
//! | `order.rs` | what has to be synchronised is, before what relies on it |
//! | `faults.rs` | the operating system refuses the n-th operation |
//! | `readers.rs` | the operating system refuses a reader's n-th operation |
//! | `kills.rs` | the process is killed at the n-th operation, and at the n-th system call |
//!
//! A sample is tried in each run; `WORKINDEX_TEST_ONE_IN=1` tries all. `WORKINDEX_TEST_SUBSETS` says how many random crashes are
//! made up at each operation.

mod crash_images;
mod faults;
mod kills;
mod oracle;
mod order;
mod readers;
mod scenario;

/// One in so many crashes, faults or kills is tried: the default, or what the environment says.
fn one_in(default: usize) -> usize {
    of_environment("WORKINDEX_TEST_ONE_IN", default)
}

/// A positive number that the environment may say.
fn of_environment(name: &str, default: usize) -> usize {
    let said = std::env::var(name).ok().and_then(|n| n.parse().ok());
    said.filter(|&n| n > 0).unwrap_or(default)
}

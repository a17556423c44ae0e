//! Hostile sources, queries and surroundings end in typed errors with a place, or do no harm: in bounded memory, on small stacks,
//! with few descriptors, and in time.

#[path = "../common/mod.rs"]
mod common;

mod archives;
mod ceilings;
mod hierarchies;
mod queries;
mod tables;

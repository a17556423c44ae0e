//! Crashes, faults and kills for tests: a file system that does what the operating system does, and asks a [`Gate`] before
//! each operation.
//!
//! | file | what |
//! |---|---|
//! | `operation.rs` | an operation on files, and what a gate may say to it |
//! | `gated.rs` | the file system that asks |
//! | `trace.rs` | a gate that records |
//! | `fault.rs` | a gate that refuses, or kills the process |
//! | `medium.rs` | a recorded trace as what a medium may hold after a crash in the middle of it |
//! | `image.rs` | choosing such crashes |

mod fault;
mod gated;
mod image;
mod medium;
mod operation;
mod trace;

pub(crate) use fault::{Fault, FaultAt, Kill};
pub(crate) use gated::gated;
pub(crate) use image::{Image, Images};
pub(crate) use medium::Medium;
pub(crate) use operation::Operation;
pub(crate) use trace::Trace;

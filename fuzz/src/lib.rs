//! What the fuzz targets share.
//!
//! | file | what |
//! |---|---|
//! | `panics.rs` | which panics end a target: all but those of dependencies that the library catches |
//! | `bundle.rs` | several files in one input, as text that libFuzzer can mutate and people can read |
//! | `patch.rs` | bytes put over others |
//! | `scratch.rs` | folders in memory |
//! | `indexes.rs` | sound little indexes, and asking them everything |

mod bundle;
mod indexes;
mod panics;
mod patch;
mod scratch;

pub use bundle::Bundle;
pub use indexes::{DIM, ask, fixture, list_index, list_release, matrix_of, mini_index, round_trip};
pub use panics::abort_on_own_panics;
pub use patch::Patch;
pub use scratch::{copy_folder, new_folder};

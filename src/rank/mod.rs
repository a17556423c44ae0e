//! Query execution over a snapshot.

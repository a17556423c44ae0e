//! The user's cache folder: fetched encoders and the quickstart's index.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::failure::{Failure, Outcome};

/// `~/.cache/workindex`, or as `XDG_CACHE_HOME` says. Not created.
pub fn folder() -> Outcome<PathBuf> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::new(format!("there is no home directory to keep a cache in: {error}"), "set HOME or XDG_CACHE_HOME")
    })?;
    Ok(strategy.cache_dir().join("workindex"))
}

/// Where a fetched encoder is kept: `encoders/all-MiniLM-L6-v2`, `encoders/org/name`.
pub fn encoder(name: &str) -> Outcome<PathBuf> {
    Ok(folder()?.join("encoders").join(name))
}

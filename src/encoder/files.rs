//! Reading the files of a model directory: bounded, and with errors that name them.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The configuration files of published models are some kilobytes.
const MAX_JSON_BYTES: u64 = 16 << 20;

/// An error about the file or folder `path` of a model.
pub(crate) fn encoder_error(path: &Path, problem: impl Into<String>) -> Error {
    Error::Encoder { path: path.to_path_buf(), problem: problem.into() }
}

/// Reads a JSON file of a model.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_limited(path, MAX_JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|e| encoder_error(path, format!("not the JSON that is expected: {e}")))
}

/// Reads a whole file of at most `limit` bytes; a file that is not there is an [`Error::Encoder`].
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let length = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(encoder_error(path, "not a file")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(encoder_error(path, "missing")),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    if length > limit {
        return Err(encoder_error(path, format!("{length} bytes; at most {limit} are expected")));
    }
    fs::read(path).map_err(Error::io("read", path))
}

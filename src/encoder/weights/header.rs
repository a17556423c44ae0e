//! Which tensors a safetensors file has and where their numbers are.

use std::collections::HashMap;
use std::ops::Range;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::encoder::files::encoder_error;
use crate::error::Result;
use crate::mapped_file::MappedFile;

/// Bytes of the length that a safetensors file starts with.
const LENGTH_BYTES: usize = 8;
/// Headers have some 100 bytes per tensor, and no published model has 20,000 tensors in one file. The format allows 100 MB,
/// of which the parser would make gigabytes.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// A tensor as the header describes it.
#[derive(Debug)]
pub(super) struct Entry {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Where its numbers are in the file, as many bytes as type and shape say.
    pub range: Range<usize>,
}

/// The tensors of a file by name.
///
/// # Errors
/// [`Error::Encoder`](crate::Error::Encoder) when it is no safetensors file or a damaged one.
pub(super) fn read(file: &MappedFile) -> Result<HashMap<String, Entry>> {
    let fault = |problem: String| encoder_error(file.path(), format!("not a usable safetensors file: {problem}"));
    let (start, metadata) = parse(file.bytes()).map_err(fault)?;
    let entry = |(name, info): (String, &TensorInfo)| {
        let (from, to) = info.data_offsets;
        // Both are at most the bytes behind the header, so neither sum is beyond the file.
        (name, Entry { dtype: info.dtype, shape: info.shape.clone(), range: start + from..start + to })
    };
    Ok(metadata.tensors().into_iter().map(entry).collect())
}

/// Where the numbers begin in the bytes of a safetensors file, and what its header says of them. The header is proven to be
/// consistent: the tensors fill what is behind it without gaps, and each has the bytes that its type and shape need.
pub(crate) fn parse(bytes: &[u8]) -> Result<(usize, Metadata), String> {
    let (header, data) = split(bytes)?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(|e| format!("its header: {e}"))?;
    // `SafeTensors::deserialize` compares these too, by a sum that a hostile header makes overflow.
    if metadata.data_len() != data {
        let expected = metadata.data_len();
        return Err(format!("its header describes {expected} bytes of numbers, and {data} follow it"));
    }
    Ok((LENGTH_BYTES + header.len(), metadata))
}

/// The header's bytes, and how many follow it.
fn split(bytes: &[u8]) -> Result<(&[u8], usize), String> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(format!("it has {} bytes", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(format!("a header of {length} bytes; at most {MAX_HEADER_BYTES} are expected"));
    }
    // At most MAX_HEADER_BYTES, which every usize holds.
    let header = rest.get(..length as usize);
    let header = header.ok_or_else(|| format!("a header of {length} bytes in a file of {}", bytes.len()))?;
    Ok((header, rest.len() - header.len()))
}

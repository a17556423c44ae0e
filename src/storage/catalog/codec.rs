//! Values of the catalog as bytes: rkyv archives, validated when read; texts compressed besides.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error as RkyvError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

/// Why a value could not be made or read; the caller adds the file.
pub(crate) type CodecError = String;

/// The largest value after decompression. A release of a million concepts stays far below it.
pub(super) const MAX_RAW: usize = 1 << 30;
/// zstd's default: texts shrink to about two fifths, at hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// Archives a value.
pub(crate) fn to_archive<T>(value: &T) -> Result<AlignedVec, CodecError>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, RkyvError>>,
{
    rkyv::to_bytes::<RkyvError>(value).map_err(|error| error.to_string())
}

/// Reads a value from an archive at any alignment.
pub(crate) fn from_archive<T>(bytes: &[u8]) -> Result<T, CodecError>
where
    T: Archive,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, RkyvError>> + Deserialize<T, HighDeserializer<RkyvError>>,
{
    let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    rkyv::from_bytes::<T, RkyvError>(&aligned).map_err(|error| error.to_string())
}

/// Archives and compresses a value: the archive's length (u32, little-endian), then one zstd frame.
pub(crate) fn to_compressed<T>(value: &T) -> Result<Vec<u8>, CodecError>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, RkyvError>>,
{
    let archive = to_archive(value)?;
    if archive.len() > MAX_RAW {
        return Err(format!("a value of at most {MAX_RAW} bytes expected, {} found", archive.len()));
    }
    let mut out = (archive.len() as u32).to_le_bytes().to_vec();
    out.extend(zstd::bulk::compress(&archive, LEVEL).map_err(|error| error.to_string())?);
    Ok(out)
}

/// Reads a value that [`to_compressed`] made.
pub(crate) fn from_compressed<T>(bytes: &[u8]) -> Result<T, CodecError>
where
    T: Archive,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, RkyvError>> + Deserialize<T, HighDeserializer<RkyvError>>,
{
    let (length, frame) = bytes.split_first_chunk::<4>().ok_or("a compressed value, shorter than its length field")?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_RAW {
        return Err(format!("a value of at most {MAX_RAW} bytes expected, {length} announced"));
    }
    let archive = zstd::bulk::decompress(frame, length).map_err(|error| error.to_string())?;
    if archive.len() != length {
        return Err(format!("{length} bytes after decompression expected, {} found", archive.len()));
    }
    from_archive(&archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_and_damage_is_an_error() {
        let value: Vec<String> = (0..100).map(|i| format!("alternative label {i}")).collect();
        let bytes = to_compressed(&value).unwrap();
        assert!(bytes.len() < 1500, "{}", bytes.len());
        assert_eq!(from_compressed::<Vec<String>>(&bytes).unwrap(), value);
        for at in 0..bytes.len() {
            assert!(from_compressed::<Vec<String>>(&bytes[..at]).is_err(), "cut at {at}");
        }
        let mut announced_huge = bytes.clone();
        announced_huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(from_compressed::<Vec<String>>(&announced_huge).is_err());
        let archive = to_archive(&value).unwrap();
        assert_eq!(from_archive::<Vec<String>>(&archive).unwrap(), value);
        assert!(from_archive::<Vec<String>>(&archive[1..]).is_err());
    }
}

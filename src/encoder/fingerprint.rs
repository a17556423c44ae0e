//! The identity of an encoder: a hash over all that its embeddings depend on.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::settings::{EncoderSettings, Precision};
use crate::error::{Error, Result};
use crate::mapped_file::MappedFile;

/// Files of so many bytes, which are those of weights, are hashed where they lie in the system's cache, without a copy.
const MAPPED_FROM: u64 = 1 << 20;

/// 32 bytes that identify an encoder: the files of its model and its settings. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// A fingerprint read back from where it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of `files` (relative to `dir`, sorted by their `/`-separated names): for each its name and its content,
    /// both with their lengths before them, so that no two different directories hash the same bytes.
    pub(crate) fn of_files(dir: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut hasher = blake3::Hasher::new_derive_key("workindex 2026 encoder files");
        for file in files {
            let name = slashed(file);
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
            hash_content(&mut hasher, &dir.join(file))?;
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The fingerprint of an encoder over these files with these settings.
    pub(crate) fn with_settings(&self, settings: &EncoderSettings) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("workindex 2026 encoder settings");
        hasher.update(&self.0);
        hasher.update(&(settings.max_tokens as u64).to_le_bytes());
        hasher.update(&[u8::from(settings.special_tokens)]);
        match settings.precision {
            Precision::F32 => {}
            Precision::Bf16 => _ = hasher.update(b"bf16"),
            Precision::I8 => _ = hasher.update(b"i8"),
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// A relative path with `/` between its parts on every platform.
pub(crate) fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The content's length and the content. On the calling thread: see [`beside`](super::beside) for why not on a pool.
fn hash_content(hasher: &mut blake3::Hasher, path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("inspect", path))?.len();
    if length >= MAPPED_FROM {
        let mapped = MappedFile::open(path)?;
        let content = mapped.bytes();
        hasher.update(&(content.len() as u64).to_le_bytes()).update(content);
        return Ok(());
    }
    hasher.update(&length.to_le_bytes());
    let mut buffer = vec![0u8; 1 << 18];
    let mut left = length;
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        // `read` never exceeds the buffer it was given.
        hasher.update(&buffer[..read]);
        left = match left.checked_sub(read as u64) {
            Some(left) if read > 0 => left,
            Some(0) => return Ok(()),
            _ => return Err(Error::Encoder { path: path.into(), problem: "changed while it was read".into() }),
        };
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads the 64 hexadecimal digits that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let bytes = blake3::Hash::from_hex(text).map_err(|_| Error::InvalidName {
            what: "encoder fingerprint",
            name: text.to_string(),
            problem: "64 hexadecimal digits are expected".to_string(),
        })?;
        Ok(Self(*bytes.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(contents: &[(&str, &str)]) -> Fingerprint {
        let dir = tempfile::tempdir().unwrap();
        let mut files: Vec<PathBuf> = Vec::new();
        for (name, content) in contents {
            std::fs::write(dir.path().join(name), content).unwrap();
            files.push(name.into());
        }
        Fingerprint::of_files(dir.path(), &files).unwrap()
    }

    #[test]
    fn names_lengths_contents_and_settings_all_count() {
        let base = of(&[("a.json", "xy"), ("b.json", "z")]);
        assert_eq!(base, of(&[("a.json", "xy"), ("b.json", "z")]));
        let others = [
            of(&[("a.json", "x"), ("b.json", "yz")]),
            of(&[("a.json", "xy"), ("c.json", "z")]),
            of(&[("a.json", "xy")]),
            base.with_settings(&EncoderSettings::default()),
            base.with_settings(&EncoderSettings { max_tokens: 63, ..EncoderSettings::default() }),
            base.with_settings(&EncoderSettings { special_tokens: true, ..EncoderSettings::default() }),
            base.with_settings(&EncoderSettings { precision: Precision::Bf16, ..EncoderSettings::default() }),
            base.with_settings(&EncoderSettings { precision: Precision::I8, ..EncoderSettings::default() }),
        ];
        let distinct: std::collections::HashSet<_> = others.iter().chain([&base]).collect();
        assert_eq!(distinct.len(), others.len() + 1);
    }

    #[test]
    fn a_mapped_file_hashes_as_one_that_is_read() {
        let content = |length: u64| (0..length).map(|i| (i * 7 + i / 256) as u8).collect::<Vec<u8>>();
        let dir = tempfile::tempdir().unwrap();
        for length in [MAPPED_FROM - 1, MAPPED_FROM, MAPPED_FROM + 1] {
            let (path, content) = (dir.path().join("m"), content(length));
            std::fs::write(&path, &content).unwrap();
            let (mut got, mut expected) = (blake3::Hasher::new(), blake3::Hasher::new());
            hash_content(&mut got, &path).unwrap();
            expected.update(&length.to_le_bytes()).update(&content);
            assert_eq!(got.finalize(), expected.finalize(), "{length}");
        }
    }

    #[test]
    fn it_is_written_and_read_as_hexadecimal() {
        let fingerprint = Fingerprint::from_bytes(std::array::from_fn(|i| i as u8 * 7));
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 64);
        assert!(text.starts_with("00070e15"));
        assert_eq!(text.parse::<Fingerprint>().unwrap(), fingerprint);
        assert!("00ff".parse::<Fingerprint>().is_err());
        assert!("zz".repeat(32).parse::<Fingerprint>().is_err());
    }
}

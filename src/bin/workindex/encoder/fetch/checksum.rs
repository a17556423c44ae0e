//! Checksums of files.

use std::fs::File;
use std::io;
use std::path::Path;

/// BLAKE3 of a file, in hexadecimal.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Checks files below a folder; what is wrong names the file.
pub fn check(folder: &Path, checksums: &[(&str, &str)]) -> Result<(), String> {
    for (name, expected) in checksums {
        let found = of_file(&folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        if found != *expected {
            return Err(format!("{name} is not what it should be: expected BLAKE3 {expected}, found {found}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "abc").unwrap();
        let right = blake3::hash(b"abc").to_hex().to_string();
        assert_eq!(check(folder.path(), &[("a.json", &right)]), Ok(()));
        let wrong = check(folder.path(), &[("a.json", &right.replace(&right[..1], "_"))]).unwrap_err();
        assert!(wrong.starts_with("a.json is not what it should be") && wrong.contains(&right), "{wrong}");
        assert!(check(folder.path(), &[("b.json", &right)]).unwrap_err().starts_with("b.json: "));
    }
}

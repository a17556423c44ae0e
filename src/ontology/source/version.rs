//! Release versions that stand in names of files and folders.

use std::collections::BTreeSet;
use std::path::Path;

/// The versions that stand in the paths of files, or else in the names of the inputs they were found in and of the
/// folders around these.
///
/// Of each path the name that stands nearest to the file counts.
pub(super) fn versions<'p, P: AsRef<Path>>(
    files: impl Iterator<Item = &'p Path>,
    inputs: &[P],
    find: impl Fn(&str) -> Option<String>,
) -> BTreeSet<String> {
    let nearest = |path: &Path, names: usize| {
        let names = path.ancestors().filter_map(Path::file_name).take(names);
        names.map(|name| name.to_string_lossy()).find_map(|name| find(&name).or_else(|| whole_version(&name)))
    };
    let found: BTreeSet<String> = files.filter_map(|path| nearest(path, 3)).collect();
    if !found.is_empty() {
        return found;
    }
    // `.` and `..` have a name only once they are resolved.
    let resolved = inputs.iter().filter_map(|path| path.as_ref().canonicalize().ok());
    resolved.filter_map(|path| nearest(&path, 2)).collect()
}

/// The dotted version that stands in a text behind `before`, such as `1.1.1` in `ESCO dataset - v1.1.1 - en.zip`.
///
/// `separators` are what may stand between its numbers; they become dots.
pub(super) fn version_after(text: &str, before: &str, separators: &[char]) -> Option<String> {
    let lower = text.to_lowercase();
    lower.match_indices(before).find_map(|(at, _)| {
        let bound = lower[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        if bound { leading_version(lower[at + before.len()..].trim_start(), separators) } else { None }
    })
}

/// The text itself, when it is a version and nothing else.
fn whole_version(text: &str) -> Option<String> {
    leading_version(text, &['.']).filter(|version| version == text)
}

/// Two or more numbers at the start of a text, joined by dots.
fn leading_version(text: &str, separators: &[char]) -> Option<String> {
    let mut numbers = Vec::new();
    for part in text.split(separators) {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 6 {
            break;
        }
        numbers.push(&part[..digits]);
        if digits < part.len() {
            break;
        }
    }
    (numbers.len() >= 2).then(|| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_names() {
        let esco = |text| version_after(text, "v", &['.']);
        assert_eq!(esco("ESCO dataset - v1.1.1 - classification - en - csv.zip").as_deref(), Some("1.1.1"));
        assert_eq!(esco("esco_v1.2").as_deref(), Some("1.2"));
        assert_eq!(esco("v1.2.0.zip").as_deref(), Some("1.2.0"));
        assert_eq!(esco("dev1.2").as_deref(), None);
        assert_eq!(esco("v2").as_deref(), None);
        let onet = |text| version_after(text, "db_", &['_', '.']);
        assert_eq!(onet("db_29_0_text.zip").as_deref(), Some("29.0"));
        assert_eq!(onet("db_text").as_deref(), None);
        assert_eq!(version_after("O*NET 29.0 Database", "o*net", &['.']).as_deref(), Some("29.0"));
    }

    #[test]
    fn a_folder_may_be_called_like_its_version() {
        assert_eq!(whole_version("1.1.0").as_deref(), Some("1.1.0"));
        assert_eq!(whole_version("29.0").as_deref(), Some("29.0"));
        for name in ["1", "1.0-partial", "1.1.", ".1.1", "2024", ""] {
            assert_eq!(whole_version(name), None, "{name}");
        }
    }
}

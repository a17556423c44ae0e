//! Several files in one input.

use std::fs;
use std::path::Path;

/// An input of the form
///
/// ```text
/// options
/// ==> skills_en.csv <==
/// conceptUri,preferredLabel
/// ==> occupations_en.csv <==
/// ```
///
/// where `options` are bytes up to the first file, and each file ends before the line end in front of the next mark.
pub struct Bundle<'a> {
    pub options: &'a [u8],
    pub files: Vec<(String, &'a [u8])>,
}

const BEGIN: &[u8] = b"==> ";
const END: &[u8] = b" <==\n";
/// More files than any reader asks for.
const MAX_FILES: usize = 40;

impl<'a> Bundle<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        let (options, mut rest) = split(data, BEGIN);
        let mut files = Vec::new();
        while let Some(text) = rest.take().filter(|_| files.len() < MAX_FILES) {
            let (name, content) = split(text, END);
            let (content, next) = content.map_or((&b""[..], None), |content| split(content, b"\n==> "));
            files.push((String::from_utf8_lossy(name).into_owned(), content));
            rest = next;
        }
        Self { options, files }
    }

    /// One byte of the options, 0 where there is none.
    pub fn option(&self, at: usize) -> u8 {
        self.options.get(at).copied().unwrap_or(0)
    }

    /// Writes the files that have names which stay in the folder; later ones replace earlier ones.
    pub fn write(&self, folder: &Path) {
        for (name, content) in &self.files {
            let plain = |part: &str| !part.is_empty() && part.len() < 100 && part != "." && part != "..";
            if name.contains('\0') || name.split('/').count() > 3 || !name.split('/').all(plain) {
                continue;
            }
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            if fs::create_dir_all(parent).is_ok() {
                // A link would be written through.
                let _ = fs::remove_file(&path);
                let _ = fs::write(&path, content);
            }
        }
    }
}

/// What is before and after the first place of a mark.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match text.windows(mark.len()).position(|window| window == mark) {
        Some(at) => (&text[..at], Some(&text[at + mark.len()..])),
        None => (text, None),
    }
}

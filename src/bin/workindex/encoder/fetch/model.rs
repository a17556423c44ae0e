//! The models that can be fetched.

/// A model by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The one whose files and checksums this program knows.
    MiniLm,
    /// A repository of the model hub.
    Repository(String),
}

/// The name of the encoder that the program knows.
pub const MINILM: &str = "all-MiniLM-L6-v2";

/// Its repository on the model hub, and the revision that is fetched.
const MINILM_REPOSITORY: &str = "sentence-transformers/all-MiniLM-L6-v2";
const MINILM_REVISION: &str = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";

/// Its files. Of documentation and other formats of the weights nothing is needed.
pub const MINILM_FILES: [&str; 10] = [
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];

/// BLAKE3 of the files that its embeddings depend on; the others differ between revisions in nothing that matters.
const MINILM_CHECKSUMS: [(&str, &str); 3] = [
    ("model.safetensors", "8087e9bf97c265f8435ed268733ecf3791825ad24850fd5d84d89e32ee3a589a"),
    ("tokenizer.json", "82483bb4f0bdb81779f295ecc5a93285d2156834e994a2169f9800e4c8f250c1"),
    ("vocab.txt", "29a772c92cf4b7bc8f4c52d801f03d36ad8528ef964f856dadc4c4e7cb14e451"),
];

impl Model {
    /// The name, also that of the folder in the cache.
    pub fn name(&self) -> &str {
        match self {
            Model::MiniLm => MINILM,
            Model::Repository(id) => id,
        }
    }

    /// The repository on the model hub.
    pub fn repository(&self) -> &str {
        match self {
            Model::MiniLm => MINILM_REPOSITORY,
            Model::Repository(id) => id,
        }
    }

    /// The revision to fetch; none for the newest.
    pub fn revision(&self) -> Option<&'static str> {
        match self {
            Model::MiniLm => Some(MINILM_REVISION),
            Model::Repository(_) => None,
        }
    }

    /// The files to fetch; none where the repository has to be asked.
    pub fn files(&self) -> Option<&'static [&'static str]> {
        match self {
            Model::MiniLm => Some(&MINILM_FILES),
            Model::Repository(_) => None,
        }
    }

    /// The checksums that are known.
    pub fn checksums(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Model::MiniLm => &MINILM_CHECKSUMS,
            Model::Repository(_) => &[],
        }
    }

    /// Whether it can also be had as a Python wheel.
    pub fn has_wheel(&self) -> bool {
        *self == Model::MiniLm
    }
}

/// Reads a name.
pub fn parse(name: &str) -> Result<Model, String> {
    if name == MINILM || name == MINILM_REPOSITORY {
        return Ok(Model::MiniLm);
    }
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [org, repository] if is_plain(org) && is_plain(repository) => Ok(Model::Repository(name.to_string())),
        _ => Err(format!("expected `{MINILM}` or a repository of the model hub as `org/name`")),
    }
}

fn is_plain(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=96).contains(&part.len()) && !part.starts_with(['.', '-']) && part.chars().all(plain)
}

/// Whether a name from an archive or from the network is a plain path that stays below the folder it is put in.
pub fn is_safe_name(name: &str) -> bool {
    let safe = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains([':', '\\', '\0']);
    name.len() <= 200 && name.split('/').all(safe)
}

/// Whether a file of a repository belongs to a model directory: configurations, vocabularies and weights at its top or
/// in the folder of a module (`1_Pooling/config.json`) or of a part of one (`2_Asym/140_Dense/config.json`).
pub fn belongs_to_model(name: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut folders = folder.split('/');
    let module = folders.next().and_then(|module| module.split_once('_'));
    let of_module = module.is_some_and(|(number, _)| number.parse::<u32>().is_ok()) && folders.count() <= 1;
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    is_safe_name(name)
        && !file.starts_with('.')
        && (folder.is_empty() || of_module)
        && matches!(ending, Some("json" | "safetensors" | "txt" | "model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_repositories() {
        assert_eq!(parse("all-MiniLM-L6-v2"), Ok(Model::MiniLm));
        assert_eq!(parse("sentence-transformers/all-MiniLM-L6-v2"), Ok(Model::MiniLm));
        assert_eq!(parse("org/name-1.0"), Ok(Model::Repository("org/name-1.0".to_string())));
        for name in ["", "name", "../name", "org/..", "a/b/c", "org/na me", "/x", "https://x/y", "-x/y"] {
            assert!(parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_safe() {
        assert!(MINILM_FILES.iter().all(|name| is_safe_name(name) && belongs_to_model(name)));
        for name in ["", "/etc/x", "../x", "a/../x", "a//x", "C:x", "a\\x", "a/./x", "a/\0"] {
            assert!(!is_safe_name(name), "{name:?}");
        }
    }

    #[test]
    fn only_the_files_of_a_model_belong_to_it() {
        for name in ["config.json", "1_Pooling/config.json", "2_Asym/140_Dense/model.safetensors"] {
            assert!(belongs_to_model(name), "{name}");
        }
        for name in [
            "README.md",
            "pytorch_model.bin",
            "onnx/model.json",
            ".x.json",
            "1_Pooling/a/b/c.json",
            "a_b/c.json",
            "a/1_b/c.json",
        ] {
            assert!(!belongs_to_model(name), "{name}");
        }
    }
}

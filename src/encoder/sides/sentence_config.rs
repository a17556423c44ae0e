//! `config_sentence_transformers.json`: prompts, and what PyLate adds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::encoder::files::{encoder_error, read_json};
use crate::error::Result;

/// The file that says all this.
const FILE: &str = "config_sentence_transformers.json";

/// What the file says that changes embeddings; empty where there is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SentenceConfig {
    /// Prompts by name; some may be empty.
    pub prompts: BTreeMap<String, String>,
    /// The prompt of texts that have no other.
    pub default_prompt: String,
    /// What is said for PyLate, or its defaults.
    pub late: LateConfig,
}

/// How PyLate (ColBERT) treats queries and documents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LateConfig {
    /// The token put behind the first one of a query; empty for none.
    pub query_prefix: String,
    pub document_prefix: String,
    /// The most tokens of a query; with `expand` exactly as many.
    pub query_length: usize,
    pub document_length: usize,
    /// Whether queries are filled up with mask tokens.
    pub expand: bool,
    /// Whether the text's tokens see the mask tokens.
    pub attend: bool,
    /// Tokens that are no rows of documents.
    pub skiplist: Vec<String>,
}

#[derive(Deserialize, Default)]
struct File {
    prompts: Option<BTreeMap<String, Option<String>>>,
    default_prompt_name: Option<String>,
    query_prefix: Option<String>,
    document_prefix: Option<String>,
    query_length: Option<usize>,
    document_length: Option<usize>,
    do_query_expansion: Option<bool>,
    attend_to_expansion_tokens: Option<bool>,
    skiplist_words: Option<Vec<String>>,
}

impl SentenceConfig {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let mut file = if path.is_file() { read_json(&path)? } else { File::default() };
        let prompts = file.prompts.take().unwrap_or_default().into_iter();
        let all: BTreeMap<String, String> = prompts.filter_map(|(name, text)| Some((name, text?))).collect();
        let default_prompt = match &file.default_prompt_name {
            None => String::new(),
            Some(name) if all.contains_key(name) || ["query", "document"].contains(&name.as_str()) => {
                all.get(name).cloned().unwrap_or_default()
            }
            Some(name) => return Err(encoder_error(&path, format!("default_prompt_name: no prompt `{name}`"))),
        };
        let late = LateConfig::of(file);
        for (field, length) in [("query_length", late.query_length), ("document_length", late.document_length)] {
            if length == 0 {
                return Err(encoder_error(&path, format!("{field}: expected at least 1, found 0")));
            }
        }
        Ok(Self { prompts: all, default_prompt, late })
    }

    /// The prompts of queries and of documents.
    ///
    /// A default prompt is for checkpoints that do not tell the two apart.
    pub(crate) fn query_and_document(&self) -> (String, String) {
        let said = |name: &&str| self.prompts.get(*name).filter(|text| !text.is_empty()).cloned();
        let first = |names: &[&str]| names.iter().find_map(said);
        match (first(&["query"]), first(&["document", "passage", "corpus"])) {
            (None, None) => (self.default_prompt.clone(), self.default_prompt.clone()),
            (query, document) => (query.unwrap_or_default(), document.unwrap_or_default()),
        }
    }
}

impl LateConfig {
    /// With the defaults of PyLate.
    fn of(file: File) -> Self {
        let expand = file.do_query_expansion.unwrap_or(true);
        let punctuation = || ('!'..='~').filter(char::is_ascii_punctuation).map(String::from).collect();
        Self {
            query_prefix: file.query_prefix.unwrap_or_else(|| "[Q] ".to_string()),
            document_prefix: file.document_prefix.unwrap_or_else(|| "[D] ".to_string()),
            query_length: file.query_length.unwrap_or(32),
            document_length: file.document_length.unwrap_or(180),
            expand,
            attend: expand && file.attend_to_expansion_tokens.unwrap_or(false),
            skiplist: file.skiplist_words.unwrap_or_else(punctuation),
        }
    }

    /// The most tokens of any text.
    pub(crate) fn longest(&self) -> usize {
        self.query_length.max(self.document_length)
    }
}

impl Default for LateConfig {
    fn default() -> Self {
        Self::of(File::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SentenceConfig> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), json).unwrap();
        SentenceConfig::read(dir.path())
    }

    fn prompts(json: &str) -> (String, String) {
        read(json).unwrap().query_and_document()
    }

    #[test]
    fn prompts_of_queries_and_documents_are_found_by_name() {
        let pair = |query: &str, document: &str| (query.to_string(), document.to_string());
        assert_eq!(prompts("{}"), pair("", ""));
        assert_eq!(prompts(r#"{"prompts":null,"default_prompt_name":null}"#), pair("", ""));
        assert_eq!(prompts(r#"{"prompts":{"query":"q: ","document":"d: "}}"#), pair("q: ", "d: "));
        assert_eq!(prompts(r#"{"prompts":{"query":"q: ","document":"","passage":"p: "}}"#), pair("q: ", "p: "));
        assert_eq!(prompts(r#"{"prompts":{"query":"q: "},"default_prompt_name":"query"}"#), pair("q: ", ""));
        assert_eq!(prompts(r#"{"prompts":{"sts":"s: "},"default_prompt_name":"sts"}"#), pair("s: ", "s: "));
        let unknown = read(r#"{"prompts":{"query":"q: "},"default_prompt_name":"sts"}"#).unwrap_err();
        assert!(unknown.to_string().contains("default_prompt_name"), "{unknown}");
    }

    #[test]
    fn what_is_not_said_is_as_in_pylate() {
        let late = read(r#"{"query_prefix":null,"document_prefix":""}"#).unwrap().late;
        assert_eq!((late.query_prefix.as_str(), late.document_prefix.as_str()), ("[Q] ", ""));
        assert_eq!((late.query_length, late.document_length, late.expand, late.attend), (32, 180, true, false));
        assert_eq!(late.skiplist.concat(), "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
        assert!(!read(r#"{"do_query_expansion":false,"attend_to_expansion_tokens":true}"#).unwrap().late.attend);
        assert!(read(r#"{"query_length":0}"#).unwrap_err().to_string().contains("query_length"));
    }
}

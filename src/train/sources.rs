//! From a data folder to a corpus, with what is held out.

use sha1::{Digest, Sha1};

use super::config::DataConfig;
use super::corpus::Corpus;
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::ontology::{Concept, Release};
use crate::workbench::{Data, read_sentences};

/// What was read for training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The releases: `esco 1.1.1 en`.
    pub releases: Vec<String>,
    /// The file of annotated sentences, below the data folder.
    pub sentences: Option<String>,
}

/// Reads what a configuration asks for.
///
/// # Errors
/// [`Error::InvalidOption`] for a release or file that is not there, or none at all; what reading gives.
pub fn read_corpus(data: &Data, config: &DataConfig, monitor: &Monitor) -> Result<(Corpus, Sources)> {
    let (mut corpus, mut sources) = (Corpus::default(), Sources::default());
    let held_out = |concept: &Concept| config.held_out.holds_out(concept);
    let (esco, onet) = (version(data, "esco", &config.esco)?, version(data, "onet", &config.onet)?);
    let esco = esco.map(|version| data.esco_release(&version, monitor)).transpose()?;
    let onet = onet.map(|version| data.onet_release(&version, monitor)).transpose()?;
    esco.iter().chain(&onet).for_each(|release| corpus.forbid(release, &held_out));
    if let Some(release) = esco {
        corpus.add_esco(&release, &held_out);
        sources.releases.push(name_of(&release));
        if !config.sentences.is_empty() {
            let path = data.root().join("workbench").join(&config.sentences);
            if !path.is_file() {
                return Err(missing("sentences", format!("a file at {}", path.display()), &config.sentences));
            }
            let sentences = read_sentences(&path, monitor)?;
            // Annotations are written in the words of 1.1.0; nearly all labels of a later release are the same.
            let borrowed =
                sentences.iter().map(|(text, labels)| (text.as_str(), labels.iter().map(String::as_str).collect()));
            corpus.add_sentences(borrowed, &release, &held_out);
            sources.sentences = Some(format!("workbench/{}", config.sentences));
        }
    }
    if let Some(release) = onet {
        corpus.add_onet(&release, &held_out);
        sources.releases.push(name_of(&release));
    }
    Ok((corpus, sources))
}

fn name_of(release: &Release) -> String {
    format!("{} {} {}", release.ontology(), release.version(), release.language())
}

/// The version that is meant by what a configuration says; none where it says nothing.
fn version(data: &Data, ontology: &'static str, said: &str) -> Result<Option<String>> {
    let mut versions = data.versions(ontology);
    let there = if versions.is_empty() { "none".to_string() } else { versions.join(", ") };
    match said {
        "" => Ok(None),
        "newest" => {
            versions.pop().map(Some).ok_or_else(|| missing(ontology, "a release in the data folder".into(), "none"))
        }
        said if versions.iter().any(|version| version == said) => Ok(Some(said.to_string())),
        said => Err(missing(ontology, format!("a release that is there: {there}"), said)),
    }
}

fn missing(option: &'static str, expected: String, got: &str) -> Error {
    Error::InvalidOption { option, expected, got: got.to_string() }
}

/// Identifies a corpus.
pub(super) fn fingerprint(corpus: &Corpus) -> String {
    let mut hasher = Sha1::new();
    corpus.texts().for_each(|text| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    });
    hasher.update((corpus.n_edges() as u64).to_le_bytes());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

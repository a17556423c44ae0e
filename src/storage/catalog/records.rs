//! The small rows of the catalog: encoders, segments, releases.

use rkyv::{Archive, Deserialize, Serialize};

/// An encoder that embeddings in this index come from.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct EncoderRecord {
    /// Identity: a hash of its files and settings, or of its declaration.
    pub(crate) fingerprint: [u8; 32],
    /// What people call it.
    pub(crate) name: String,
    /// Values per row.
    pub(crate) dim: u32,
    /// The settings it embeds with; none for an encoder that is only declared and runs elsewhere.
    pub(crate) settings: Option<SettingsRecord>,
}

/// How an encoder turns a text into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct SettingsRecord {
    /// Longer texts are cut.
    pub(crate) max_tokens: u32,
    /// Whether the rows of `[CLS]` and `[SEP]` are kept.
    pub(crate) special_tokens: bool,
    /// How its linear layers are computed.
    pub(crate) precision: PrecisionRecord,
}

/// How linear layers are computed; a byte, the number of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) enum PrecisionRecord {
    F32,
    Bf16,
    I8,
}

/// A segment file.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    /// Content hash: the file's name.
    pub(crate) hash: [u8; 32],
    /// Number of the encoder that made it.
    pub(crate) encoder: u32,
    /// Token rows.
    pub(crate) n_rows: u32,
    /// Surface forms.
    pub(crate) n_forms: u32,
    /// Length of the file.
    pub(crate) bytes: u64,
}

/// A release and what it consists of.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct ReleaseRecord {
    pub(crate) ontology: String,
    pub(crate) version: String,
    pub(crate) language: String,
    pub(crate) attribution: Option<String>,
    /// Number of the encoder that its surface forms are embedded with.
    pub(crate) encoder: u32,
    /// Whether the alternative labels are surface forms too.
    pub(crate) all_forms: bool,
    /// Hash of all its concepts and relations: equal for equal releases.
    pub(crate) content: [u8; 32],
    /// Its kinds and how many concepts each has, in the order of the release.
    pub(crate) kinds: Vec<(String, u32)>,
    /// Relations.
    pub(crate) n_relations: u32,
}

//! Where everything is in a segment file. `index-format.md` has the byte tables.

use rkyv::{Archive, Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::late_interaction::layout::{BLOCK_ROWS, plane_len};

/// First eight bytes of a segment file.
pub(crate) const MAGIC: [u8; 8] = *b"WIDXSEG\0";
/// Last eight bytes of a segment file.
pub(crate) const END_MAGIC: [u8; 8] = *b"WIDXEND\0";
/// The version this build writes.
pub(crate) const VERSION: u32 = 2;
/// The oldest version this build reads. Version 1 kept the rows of a form together: `old.rs`, for upgrades.
pub(crate) const OLDEST_VERSION: u32 = 2;
/// Bytes before the header archive: magic, version, header length, header hash, padding.
pub(crate) const PREAMBLE: usize = 64;
/// Bytes at the end: hash of all bytes before, file length, padding, end magic.
pub(crate) const TRAILER: usize = 64;
/// The payload begins at a multiple of this.
pub(crate) const PAGE: u64 = 4096;
/// Each section begins at a multiple of this.
pub(crate) const ALIGN: u64 = 64;
/// The most rows and the most surface forms a segment may hold: far above what a writer makes, far below overflow.
pub(crate) const MAX_COUNT: u32 = 1 << 28;
/// The largest number of values a row may have.
pub(crate) const MAX_DIM: u32 = 1 << 16;

/// What the header archive says. Everything else follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    /// Fingerprint of the encoder that made the matrices.
    pub(crate) encoder: [u8; 32],
    /// Values per row.
    pub(crate) dim: u32,
    /// Token rows of all surface forms together.
    pub(crate) n_rows: u32,
    /// Blocks of sixteen rows that they are laid out in.
    pub(crate) n_blocks: u32,
    /// Surface forms.
    pub(crate) n_forms: u32,
    /// Offset from the start of the file and length in bytes of each section, in the order of [`Section`].
    pub(crate) sections: Vec<(u64, u64)>,
}

/// The sections of the payload, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// hi plane of the token blocks, interleaved, biased by 128.
    Hi,
    /// lo plane of the token blocks, row-major.
    Lo,
    /// Norm of each raw token row, f32; 0 for rows of no form.
    Norms,
    /// Scale of each token row, f32.
    Scales,
    /// Residual norm of each token row's hi plane, f32.
    Residuals,
    /// First block of each group of sixteen surface forms, u32, and the number of blocks at the end.
    GroupStarts,
    /// Number of rows of each surface form, u32.
    Lengths,
    /// hi plane of the pooled vectors, interleaved, biased by 128.
    PooledHi,
    /// lo plane of the pooled vectors, row-major.
    PooledLo,
    /// Norm of each raw pooled vector, f32.
    PooledNorms,
    /// Scale of each pooled vector, f32.
    PooledScales,
    /// Residual norm of each pooled vector's hi plane, f32.
    PooledResiduals,
    /// blake3 hash of each surface form's text.
    TextHashes,
}

impl Section {
    /// All sections, in file order.
    pub(crate) const ALL: [Section; 13] = [
        Section::Hi,
        Section::Lo,
        Section::Norms,
        Section::Scales,
        Section::Residuals,
        Section::GroupStarts,
        Section::Lengths,
        Section::PooledHi,
        Section::PooledLo,
        Section::PooledNorms,
        Section::PooledScales,
        Section::PooledResiduals,
        Section::TextHashes,
    ];

    /// Length in bytes.
    fn len(self, counts: &Counts) -> usize {
        let Counts { dim, n_blocks, n_forms } = *counts;
        let n_places = n_blocks * BLOCK_ROWS;
        match self {
            Section::Hi => plane_len(n_places, dim),
            Section::Lo => n_places * dim,
            Section::Norms | Section::Scales | Section::Residuals => n_places * 4,
            Section::GroupStarts => (n_forms.div_ceil(BLOCK_ROWS) + 1) * 4,
            Section::Lengths => n_forms * 4,
            Section::PooledHi => plane_len(n_forms, dim),
            Section::PooledLo => n_forms * dim,
            Section::PooledNorms | Section::PooledScales | Section::PooledResiduals => n_forms * 4,
            Section::TextHashes => n_forms * 32,
        }
    }
}

/// What the lengths of all sections follow from.
#[derive(Debug, Clone, Copy)]
struct Counts {
    dim: usize,
    n_blocks: usize,
    n_forms: usize,
}

/// The sections' places for the given counts, after a header archive of `header_len` bytes.
///
/// `header_len` does not depend on the places: the archive of a fixed number of fixed-width numbers has a fixed length.
pub(crate) fn sections(header_len: usize, dim: u32, n_blocks: u32, n_forms: u32) -> Vec<(u64, u64)> {
    let counts = Counts { dim: dim as usize, n_blocks: n_blocks as usize, n_forms: n_forms as usize };
    let mut at = ((PREAMBLE + header_len) as u64).next_multiple_of(PAGE);
    let place = |section: &Section| {
        let length = section.len(&counts) as u64;
        let offset = at;
        at = (at + length).next_multiple_of(ALIGN);
        (offset, length)
    };
    Section::ALL.iter().map(place).collect()
}

/// The length of the whole file.
pub(crate) fn file_len(sections: &[(u64, u64)]) -> u64 {
    let end = sections.last().map_or(0, |(offset, length)| offset + length);
    end.next_multiple_of(ALIGN) + TRAILER as u64
}

impl SegmentHeader {
    /// A header whose places fit its counts.
    pub(crate) fn new(encoder: [u8; 32], dim: u32, n_rows: u32, n_blocks: u32, n_forms: u32) -> Result<Self> {
        let places = vec![(0, 0); Section::ALL.len()];
        let mut header = Self { encoder, dim, n_rows, n_blocks, n_forms, sections: places };
        let header_len = header.to_archive()?.len();
        header.sections = sections(header_len, dim, n_blocks, n_forms);
        Ok(header)
    }

    /// The archive as it stands in the file.
    pub(crate) fn to_archive(&self) -> Result<rkyv::util::AlignedVec> {
        rkyv::to_bytes::<rkyv::rancor::Error>(self).map_err(|error| Error::Matrix {
            expected: "a segment header that can be archived".to_string(),
            got: error.to_string(),
        })
    }
}

//! Opens a segment file: cheaply, trusting nothing but the content hash of the payload, which `verify` checks.

use std::iter::StepBy;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::TextHash;
use super::layout::{self, ArchivedSegmentHeader, END_MAGIC, MAGIC, Section, SegmentHeader};
use super::planes::Planes;
use crate::error::{Error, Result};
use crate::late_interaction::layout::BLOCK_ROWS;
use crate::mapped_file::MappedFile;
use crate::storage::files::Files;
use crate::storage::hex;

#[cfg(target_endian = "big")]
compile_error!("segments are little-endian and read in place; this target would read them wrongly");

/// An immutable, memory-mapped file of token matrices.
///
/// Opening reads the header, the trailer and the lengths of the forms; the planes are touched only by those who ask for rows.
#[derive(Debug)]
pub(crate) struct Segment {
    files: Files,
    file: MappedFile,
    header: SegmentHeader,
    hash: [u8; 32],
    /// Forms whose master rows were read since the lo plane was last released.
    master_reads: AtomicUsize,
}

/// What reading one form's master rows can make resident: a kernel maps the pages around a page that is touched.
const RESIDENT_PER_READ: usize = 64 << 10;
/// How much of the lo plane may become resident before it is released. A scan reads the hi plane alone, which stays.
const RESIDENT_MASTER: usize = 12 << 20;

impl Segment {
    /// Opens the segment that should have the given content hash.
    pub(crate) fn open(files: &Files, path: &Path, expected_hash: &[u8; 32]) -> Result<Self> {
        let file = files.map(path)?;
        let header = read_header(&file)?;
        let hash = read_trailer(&file)?;
        if hash != *expected_hash {
            return Err(Error::corrupt(path, format!("content {}", hex(expected_hash)), hex(&hash)));
        }
        let segment = Self { files: files.clone(), file, header, hash, master_reads: AtomicUsize::new(0) };
        segment.check_groups()?;
        Ok(segment)
    }

    /// The content hash.
    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Fingerprint of the encoder that made it.
    pub(crate) fn encoder(&self) -> &[u8; 32] {
        &self.header.encoder
    }

    /// Values per row.
    pub(crate) fn dim(&self) -> usize {
        self.header.dim as usize
    }

    /// Number of token rows.
    pub(crate) fn n_rows(&self) -> u32 {
        self.header.n_rows
    }

    /// Number of surface forms.
    pub(crate) fn n_forms(&self) -> u32 {
        self.header.n_forms
    }

    /// The file as it is.
    pub(crate) fn file_bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// Length of the file in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes().len() as u64
    }

    /// The rows of a surface form, first to last; none for a form that the segment does not have.
    ///
    /// Sixteen forms lie side by side (`index-format.md`), so the rows of one are sixteen apart.
    pub(crate) fn rows_of(&self, form: u32) -> StepBy<Range<usize>> {
        let form = form as usize;
        let (group, lane) = (form / BLOCK_ROWS, form % BLOCK_ROWS);
        let rows = match (self.group_starts().get(group), self.lengths().get(form)) {
            (Some(&start), Some(&length)) => {
                let first = start as usize * BLOCK_ROWS + lane;
                first..first + length as usize * BLOCK_ROWS
            }
            _ => 0..0,
        };
        rows.step_by(BLOCK_ROWS)
    }

    /// The first block of each group of sixteen forms, and the number of blocks.
    pub(crate) fn group_starts(&self) -> &[u32] {
        self.numbers(Section::GroupStarts)
    }

    /// The number of rows of each form.
    pub(crate) fn lengths(&self) -> &[u32] {
        self.numbers(Section::Lengths)
    }

    /// The hash of a surface form's text; zeros for a form that the segment does not have.
    pub(crate) fn text_hash(&self, form: u32) -> TextHash {
        let hashes = self.section(Section::TextHashes).as_chunks::<32>().0;
        hashes.get(form as usize).copied().unwrap_or_default()
    }

    /// The token rows.
    pub(crate) fn tokens(&self) -> Planes<'_> {
        use Section::{Hi, Lo, Norms, Residuals, Scales};
        Planes::of(self.dim(), [Hi, Lo, Norms, Scales, Residuals].map(|section| self.section(section)))
    }

    /// The pooled vectors, one a surface form.
    pub(crate) fn pooled(&self) -> Planes<'_> {
        use Section::{PooledHi, PooledLo, PooledNorms, PooledResiduals, PooledScales};
        Planes::of(
            self.dim(),
            [PooledHi, PooledLo, PooledNorms, PooledScales, PooledResiduals].map(|section| self.section(section)),
        )
    }

    /// Notes that the master rows of some forms were read.
    pub(crate) fn count_master_reads(&self, forms: usize) {
        self.master_reads.fetch_add(forms, Ordering::Relaxed);
    }

    /// Gives the lo plane's pages back when enough of them may have become resident; they stay in the system's page cache.
    ///
    /// Rankings touch a few rows of it each, all over the plane, so that without this it would double what a long-running
    /// process has resident.
    pub(crate) fn trim(&self) {
        if self.master_reads.load(Ordering::Relaxed) * RESIDENT_PER_READ < RESIDENT_MASTER {
            return;
        }
        self.master_reads.store(0, Ordering::Relaxed);
        let (offset, length) = self.header.sections[Section::Lo as usize];
        self.file.release(offset as usize..(offset + length) as usize);
    }

    /// Reads the whole file and compares it with its hash; then checks that every number in it is one a writer makes.
    pub(crate) fn verify(&self, progress: impl FnMut(u64) -> Result<()>) -> Result<()> {
        verify(&self.files, &self.file, &self.hash, [self.tokens(), self.pooled()], progress)
    }

    /// Groups begin at 0, grow and end at the number of blocks; a group is as high as its longest form, a form has at
    /// least one row, and all have as many as the header says.
    fn check_groups(&self) -> Result<()> {
        let (starts, lengths) = (self.group_starts(), self.lengths());
        let high = |(pair, lengths): (&[u32], &[u32])| {
            pair[0] < pair[1] && lengths.iter().max() == Some(&(pair[1] - pair[0])) && !lengths.contains(&0)
        };
        let rows: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
        let sound = starts.first() == Some(&0)
            && starts.last() == Some(&self.header.n_blocks)
            && starts.windows(2).zip(lengths.chunks(BLOCK_ROWS)).all(high)
            && rows == u64::from(self.header.n_rows);
        if sound {
            return Ok(());
        }
        let SegmentHeader { n_rows, n_blocks, .. } = self.header;
        let expected = format!("groups of forms growing from block 0 to {n_blocks}, with {n_rows} rows");
        Err(Error::corrupt(self.file.path(), expected, "others"))
    }

    /// The bytes of a section: in range because `read_header` compared all places with the file's length.
    fn section(&self, section: Section) -> &[u8] {
        let (offset, length) = self.header.sections[section as usize];
        &self.file.bytes()[offset as usize..(offset + length) as usize]
    }

    /// A section of 4-byte numbers: aligned because sections begin at multiples of 64 in a page-aligned map.
    fn numbers<T: bytemuck::AnyBitPattern>(&self, section: Section) -> &[T] {
        bytemuck::cast_slice(self.section(section))
    }
}

/// The header archive of a segment of one of the versions, its hash compared.
pub(super) fn header_archive(file: &MappedFile, versions: RangeInclusive<u32>) -> Result<&[u8]> {
    let (path, bytes) = (file.path(), file.bytes());
    if bytes.len() < layout::PREAMBLE + layout::TRAILER || bytes[..8] != MAGIC {
        return Err(Error::corrupt(path, "a segment that begins with WIDXSEG", format!("{} other bytes", bytes.len())));
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let found = word(8);
    if !versions.contains(&found) {
        let (oldest, newest) = versions.into_inner();
        return Err(Error::Version { path: path.to_path_buf(), found, oldest, newest });
    }
    let header_len = word(12) as usize;
    let archive = bytes.get(layout::PREAMBLE..layout::PREAMBLE.saturating_add(header_len));
    let archive =
        archive.ok_or_else(|| Error::corrupt(path, "a header inside the file", format!("{header_len} bytes")))?;
    if blake3::hash(archive).as_bytes()[..] != bytes[16..48] {
        return Err(Error::corrupt(path, "a header with the hash before it", "another"));
    }
    Ok(archive)
}

/// Reads the header; the places it names are the ones that its counts and the file's length imply.
fn read_header(file: &MappedFile) -> Result<SegmentHeader> {
    let archive = header_archive(file, layout::OLDEST_VERSION..=layout::VERSION)?;
    let (path, length) = (file.path(), file.bytes().len() as u64);
    let header = parse_header(archive).map_err(|problem| Error::corrupt(path, "a header archive", problem))?;
    check_places(&header, archive.len(), length).map_err(|(expected, got)| Error::corrupt(path, expected, got))?;
    Ok(header)
}

fn parse_header(archive: &[u8]) -> std::result::Result<SegmentHeader, String> {
    let mut aligned = rkyv::util::AlignedVec::<16>::with_capacity(archive.len());
    aligned.extend_from_slice(archive);
    let archived = rkyv::access::<ArchivedSegmentHeader, rkyv::rancor::Error>(&aligned).map_err(|e| e.to_string())?;
    rkyv::deserialize::<SegmentHeader, rkyv::rancor::Error>(archived).map_err(|e| e.to_string())
}

fn check_places(header: &SegmentHeader, header_len: usize, length: u64) -> std::result::Result<(), (String, String)> {
    let SegmentHeader { dim, n_rows, n_blocks, n_forms, .. } = *header;
    let counts = [n_rows, n_blocks, n_forms];
    if !(1..=layout::MAX_DIM).contains(&dim) || counts.iter().any(|&count| count > layout::MAX_COUNT) {
        return Err((
            "counts in range".to_string(),
            format!("{n_forms} forms, {n_rows} rows of {dim} values in {n_blocks} blocks"),
        ));
    }
    let sections = layout::sections(header_len, dim, n_blocks, n_forms);
    if sections != header.sections {
        return Err((format!("sections at {sections:?}"), format!("{:?}", header.sections)));
    }
    let expected = layout::file_len(&sections);
    if expected != length {
        return Err((format!("{expected} bytes"), format!("{length}")));
    }
    Ok(())
}

pub(super) fn read_trailer(file: &MappedFile) -> Result<[u8; 32]> {
    let bytes = file.bytes();
    let trailer = &bytes[bytes.len() - layout::TRAILER..];
    // The hash does not cover the trailer itself, so that its padding is compared too.
    let sound = trailer[56..] == END_MAGIC && trailer[40..56] == [0; 16];
    if !sound || trailer[32..40] != (bytes.len() as u64).to_le_bytes() {
        return Err(Error::corrupt(file.path(), "a trailer with the file's length that ends with WIDXEND", "another"));
    }
    let mut hash = [0u8; 32];
    hash.copy_from_slice(&trailer[..32]);
    Ok(hash)
}

/// Compares a segment's bytes with its hash, and looks for numbers that no writer makes.
pub(super) fn verify(
    files: &Files,
    file: &MappedFile,
    hash: &[u8; 32],
    planes: [Planes<'_>; 2],
    progress: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let body = (file.bytes().len() - layout::TRAILER) as u64;
    let found = files.hash_prefix(file.path(), body, progress)?;
    if found.as_bytes() != hash {
        return Err(Error::corrupt(file.path(), format!("content {}", hex(hash)), hex(found.as_bytes())));
    }
    let sound = planes.iter().try_for_each(Planes::check);
    sound.map_err(|(expected, got)| Error::corrupt(file.path(), expected, got))
}

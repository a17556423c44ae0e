//! Segments of any version, as sources of forms to be copied.

use super::old::OldSegment;
use super::planes::Planes;
use super::{Segment, TextHash, layout};
use crate::error::Result;
use crate::mapped_file::MappedFile;
use crate::storage::Paths;
use crate::storage::catalog::SegmentRecord;

/// Told how many bytes were read; may stop the reading.
pub(crate) type OnRead<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// A segment that forms can be copied from as they are.
pub(crate) trait StoredForms {
    /// The content hash.
    fn hash(&self) -> &[u8; 32];

    /// Values per row.
    fn dim(&self) -> usize;

    /// The token rows.
    fn tokens(&self) -> Planes<'_>;

    /// The pooled vectors, one a surface form.
    fn pooled(&self) -> Planes<'_>;

    /// The rows of a surface form, first to last; none for a form that the segment does not have.
    fn rows(&self, form: u32) -> Vec<usize>;

    /// The hash of a surface form's text; zeros for a form that the segment does not have.
    fn text_hash(&self, form: u32) -> TextHash;

    /// Reads the whole file and compares it with its hash; then checks that every number in it is one a writer makes.
    fn verify(&self, progress: OnRead<'_>) -> Result<()>;
}

impl StoredForms for Segment {
    fn hash(&self) -> &[u8; 32] {
        self.hash()
    }

    fn dim(&self) -> usize {
        self.dim()
    }

    fn tokens(&self) -> Planes<'_> {
        self.tokens()
    }

    fn pooled(&self) -> Planes<'_> {
        self.pooled()
    }

    fn rows(&self, form: u32) -> Vec<usize> {
        self.rows_of(form).collect()
    }

    fn text_hash(&self, form: u32) -> TextHash {
        self.text_hash(form)
    }

    fn verify(&self, progress: OnRead<'_>) -> Result<()> {
        self.verify(progress)
    }
}

/// Opens a segment of the catalog, whatever version it has.
pub(crate) fn open_stored(paths: &Paths, record: &SegmentRecord) -> Result<Box<dyn StoredForms>> {
    let (files, path) = (paths.files(), paths.segment(&record.hash));
    match is_old(&files.map(&path)?) {
        true => Ok(Box::new(OldSegment::open(files, &path, &record.hash)?)),
        false => Ok(Box::new(Segment::open(files, &path, &record.hash)?)),
    }
}

/// Whether a file says that it is a segment of a version that only an upgrade reads.
pub(crate) fn is_old(file: &MappedFile) -> bool {
    let bytes = file.bytes();
    bytes.starts_with(&layout::MAGIC) && bytes.get(8..12) == Some(&super::old::VERSION.to_le_bytes())
}

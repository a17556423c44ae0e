//! Makes a segment file from token matrices.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::layout::{self, Section, SegmentHeader};
use super::rows::Rows;
use super::{Segment, TextHash};
use crate::error::{Error, Result};
use crate::late_interaction::layout::{BLOCK_ROWS, interleave};
use crate::late_interaction::rotation::Rotation;
use crate::storage::fs;
use crate::token_matrix::TokenMatrix;

/// Collects the surface forms of one segment, already quantised (2 bytes a value), and writes them as a file.
#[derive(Debug)]
pub(crate) struct SegmentBuilder {
    encoder: [u8; 32],
    rotation: Rotation,
    dim: usize,
    tokens: Rows,
    pooled: Rows,
    /// First row of each form, and the number of rows.
    offsets: Vec<u32>,
    hashes: Vec<TextHash>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentFile {
    /// blake3 of all bytes before the trailer; names the file.
    pub(crate) hash: [u8; 32],
    /// Length in bytes.
    pub(crate) bytes: u64,
    /// Token rows.
    pub(crate) n_rows: u32,
    /// Surface forms.
    pub(crate) n_forms: u32,
}

impl SegmentBuilder {
    /// An empty segment of rows of `dim` values by the given encoder.
    pub(crate) fn new(encoder: [u8; 32], dim: usize) -> Result<Self> {
        if dim == 0 || dim > layout::MAX_DIM as usize {
            return Err(Error::Matrix {
                expected: format!("1 to {} values a row", layout::MAX_DIM),
                got: dim.to_string(),
            });
        }
        let (tokens, pooled, hashes) = Default::default();
        Ok(Self { encoder, rotation: Rotation::new(dim), dim, tokens, pooled, offsets: vec![0], hashes })
    }

    /// Surface forms so far.
    pub(crate) fn len(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Bytes of payload so far.
    pub(crate) fn payload_bytes(&self) -> usize {
        2 * self.dim * (self.tokens.len() + self.pooled.len())
    }

    /// Appends a surface form and returns its number. Nothing is appended on error.
    pub(crate) fn push(&mut self, text: TextHash, matrix: &TokenMatrix) -> Result<u32> {
        if matrix.dim() != self.dim {
            return Err(Error::Matrix {
                expected: format!("rows of {} values, as the encoder of this index makes", self.dim),
                got: format!("rows of {} values", matrix.dim()),
            });
        }
        self.check_room(matrix.n_tokens())?;
        let before = self.tokens.len();
        let rows = matrix.rows().try_for_each(|row| self.tokens.push(&self.rotation, row));
        if let Err(error) = rows.and_then(|()| self.pooled.push(&self.rotation, matrix.pooled())) {
            self.tokens.truncate(before, self.dim);
            return Err(error);
        }
        Ok(self.close_form(text))
    }

    /// Appends a surface form of another segment as it is and returns its number.
    pub(crate) fn push_stored(&mut self, segment: &Segment, form: u32) -> Result<u32> {
        self.check_room(segment.rows_of(form).len())?;
        let (mut hi, mut lo) = (vec![0i8; self.dim], vec![0i8; self.dim]);
        for row in segment.rows_of(form) {
            let scale = segment.tokens().read_quantized(row, &mut hi, &mut lo);
            self.tokens.push_quantized(&hi, &lo, &scale);
        }
        let scale = segment.pooled().read_quantized(form as usize, &mut hi, &mut lo);
        self.pooled.push_quantized(&hi, &lo, &scale);
        Ok(self.close_form(segment.text_hash(form)))
    }

    fn check_room(&self, rows: usize) -> Result<()> {
        if self.tokens.len() + rows <= layout::MAX_COUNT as usize {
            return Ok(());
        }
        Err(Error::Matrix {
            expected: format!("at most {} rows in a segment", layout::MAX_COUNT),
            got: (self.tokens.len() + rows).to_string(),
        })
    }

    fn close_form(&mut self, text: TextHash) -> u32 {
        self.offsets.push(self.tokens.len() as u32);
        self.hashes.push(text);
        self.hashes.len() as u32 - 1
    }

    /// Writes the segment to a new file, durably, and says what it is. The entry of the file in its folder is not
    /// yet durable: that is the commit's business.
    pub(crate) fn finish(self, path: &Path) -> Result<SegmentFile> {
        let n_rows = self.tokens.len() as u32;
        let n_forms = self.hashes.len() as u32;
        let header = SegmentHeader::new(self.encoder, self.dim as u32, n_rows, n_forms)?;
        let file = fs::create_new(path)?;
        let mut out = HashingWriter::new(BufWriter::with_capacity(1 << 20, &file));
        let written = self.write(&header, &mut out).and_then(|()| out.finish(layout::file_len(&header.sections)));
        let (hash, bytes) = written.map_err(Error::io("write", path))?;
        fs::sync_file(&file, path)?;
        Ok(SegmentFile { hash, bytes, n_rows, n_forms })
    }

    fn write(&self, header: &SegmentHeader, out: &mut HashingWriter<impl Write>) -> std::io::Result<()> {
        let archive = header.to_archive().map_err(std::io::Error::other)?;
        out.put(&layout::MAGIC)?;
        out.put(&layout::VERSION.to_le_bytes())?;
        out.put(&(archive.len() as u32).to_le_bytes())?;
        out.put(blake3::hash(&archive).as_bytes())?;
        out.pad_to(layout::PREAMBLE as u64)?;
        out.put(&archive)?;
        for (section, &(offset, _)) in Section::ALL.iter().zip(&header.sections) {
            out.pad_to(offset)?;
            self.write_section(*section, out)?;
        }
        out.pad_to(out.written.next_multiple_of(layout::ALIGN))
    }

    fn write_section(&self, section: Section, out: &mut HashingWriter<impl Write>) -> std::io::Result<()> {
        match section {
            Section::Hi => self.write_hi(&self.tokens, out),
            Section::Lo => out.put(bytemuck::cast_slice(&self.tokens.lo)),
            Section::Norms => out.put(bytemuck::cast_slice(&self.tokens.norms)),
            Section::Scales => out.put(bytemuck::cast_slice(&self.tokens.scales)),
            Section::Residuals => out.put(bytemuck::cast_slice(&self.tokens.residuals)),
            Section::Offsets => out.put(bytemuck::cast_slice(&self.offsets)),
            Section::PooledHi => self.write_hi(&self.pooled, out),
            Section::PooledLo => out.put(bytemuck::cast_slice(&self.pooled.lo)),
            Section::PooledNorms => out.put(bytemuck::cast_slice(&self.pooled.norms)),
            Section::PooledScales => out.put(bytemuck::cast_slice(&self.pooled.scales)),
            Section::PooledResiduals => out.put(bytemuck::cast_slice(&self.pooled.residuals)),
            Section::TextHashes => out.put(self.hashes.as_flattened()),
        }
    }

    /// The hi plane, block after block of rows.
    fn write_hi(&self, rows: &Rows, out: &mut HashingWriter<impl Write>) -> std::io::Result<()> {
        let mut block = Vec::new();
        for chunk in rows.hi.chunks(BLOCK_ROWS * self.dim) {
            block.clear();
            interleave(chunk, chunk.len() / self.dim, self.dim, &mut block);
            out.put(&block)?;
        }
        Ok(())
    }
}

/// Counts and hashes what goes through it.
struct HashingWriter<W: Write> {
    inner: W,
    hasher: blake3::Hasher,
    written: u64,
}

impl<W: Write> HashingWriter<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), written: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        self.inner.write_all(bytes)
    }

    fn pad_to(&mut self, offset: u64) -> std::io::Result<()> {
        const ZEROS: [u8; layout::PAGE as usize] = [0; layout::PAGE as usize];
        while self.written < offset {
            let n = (offset - self.written).min(layout::PAGE) as usize;
            self.put(&ZEROS[..n])?;
        }
        Ok(())
    }

    /// Appends the trailer; returns the hash of all before it and the file's length.
    fn finish(mut self, file_len: u64) -> std::io::Result<([u8; 32], u64)> {
        let hash = *self.hasher.finalize().as_bytes();
        let mut trailer = [0u8; layout::TRAILER];
        trailer[..32].copy_from_slice(&hash);
        trailer[32..40].copy_from_slice(&file_len.to_le_bytes());
        trailer[56..].copy_from_slice(&layout::END_MAGIC);
        self.inner.write_all(&trailer)?;
        self.inner.flush()?;
        Ok((hash, self.written + layout::TRAILER as u64))
    }
}

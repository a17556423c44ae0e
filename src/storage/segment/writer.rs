//! Makes a segment file from token matrices.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::layout::{self, Section, SegmentHeader};
use super::order::{Extent, Order};
use super::rows::Rows;
use super::{Segment, TextHash};
use crate::error::{Error, Result};
use crate::late_interaction::layout::{BLOCK_ROWS, interleave};
use crate::late_interaction::rotation::Rotation;
use crate::storage::files::Files;
use crate::token_matrix::TokenMatrix;

/// Collects the surface forms of one segment, already quantised (2 bytes a value), and writes them as a file.
#[derive(Debug)]
pub(crate) struct SegmentBuilder {
    encoder: [u8; 32],
    rotation: Rotation,
    dim: usize,
    tokens: Rows,
    pooled: Rows,
    forms: Vec<Extent>,
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
    /// The number that each form has in the file, in the order in which they were pushed.
    pub(crate) places: Vec<u32>,
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
        let (tokens, pooled, forms, hashes) = Default::default();
        Ok(Self { encoder, rotation: Rotation::new(dim), dim, tokens, pooled, forms, hashes })
    }

    /// Surface forms so far.
    pub(crate) fn len(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Bytes of payload so far.
    pub(crate) fn payload_bytes(&self) -> usize {
        2 * self.dim * (self.tokens.len() + self.pooled.len())
    }

    /// Appends a surface form; those of one `run` will lie together. Nothing is appended on error.
    pub(crate) fn push(&mut self, run: u32, text: TextHash, matrix: &TokenMatrix) -> Result<()> {
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
        self.close_form(run, text, before);
        Ok(())
    }

    /// Appends a surface form of another segment as it is.
    pub(crate) fn push_stored(&mut self, run: u32, segment: &Segment, form: u32) -> Result<()> {
        self.check_room(segment.rows_of(form).len())?;
        let before = self.tokens.len();
        let (mut hi, mut lo) = (vec![0i8; self.dim], vec![0i8; self.dim]);
        for row in segment.rows_of(form) {
            let scale = segment.tokens().read_quantized(row, &mut hi, &mut lo);
            self.tokens.push_quantized(&hi, &lo, &scale);
        }
        let scale = segment.pooled().read_quantized(form as usize, &mut hi, &mut lo);
        self.pooled.push_quantized(&hi, &lo, &scale);
        self.close_form(run, segment.text_hash(form), before);
        Ok(())
    }

    fn check_room(&self, rows: usize) -> Result<()> {
        if self.tokens.len() + rows <= layout::MAX_COUNT as usize {
            return Ok(());
        }
        Err(too_many_rows(self.tokens.len() + rows))
    }

    fn close_form(&mut self, run: u32, text: TextHash, first: usize) {
        let length = self.tokens.len() - first;
        self.forms.push(Extent { run, first: first as u32, length: length as u32 });
        self.hashes.push(text);
    }

    /// Writes the segment to a new file, durably, and says what it is. The entry of the file in its folder is not
    /// yet durable: that is the commit's business.
    pub(crate) fn finish(self, files: &Files, path: &Path) -> Result<SegmentFile> {
        let order = Order::of(&self.forms);
        if order.rows.len() > layout::MAX_COUNT as usize {
            return Err(too_many_rows(order.rows.len()));
        }
        let (n_rows, n_forms) = (self.tokens.len() as u32, self.hashes.len() as u32);
        let header = SegmentHeader::new(self.encoder, self.dim as u32, n_rows, order.n_blocks(), n_forms)?;
        let mut file = files.create(path)?;
        let mut out = HashingWriter::new(BufWriter::with_capacity(1 << 20, &mut file));
        let written =
            self.write(&header, &order, &mut out).and_then(|()| out.finish(layout::file_len(&header.sections)));
        let (hash, bytes) = written.map_err(Error::io("write", path))?;
        file.sync().map_err(Error::io("synchronise", path))?;
        let mut places = vec![0; order.forms.len()];
        order.forms.iter().zip(0..).for_each(|(&pushed, form)| places[pushed as usize] = form);
        Ok(SegmentFile { hash, bytes, n_rows, n_forms, places })
    }

    fn write(&self, header: &SegmentHeader, order: &Order, out: &mut HashingWriter<impl Write>) -> std::io::Result<()> {
        let archive = header.to_archive().map_err(std::io::Error::other)?;
        out.put(&layout::MAGIC)?;
        out.put(&layout::VERSION.to_le_bytes())?;
        out.put(&(archive.len() as u32).to_le_bytes())?;
        out.put(blake3::hash(&archive).as_bytes())?;
        out.pad_to(layout::PREAMBLE as u64)?;
        out.put(&archive)?;
        for (section, &(offset, _)) in Section::ALL.iter().zip(&header.sections) {
            out.pad_to(offset)?;
            self.write_section(*section, order, out)?;
        }
        out.pad_to(out.written.next_multiple_of(layout::ALIGN))
    }

    fn write_section(
        &self,
        section: Section,
        order: &Order,
        out: &mut HashingWriter<impl Write>,
    ) -> std::io::Result<()> {
        let (tokens, pooled) = (&self.tokens, &self.pooled);
        // A pooled vector is pushed with each form and lies as its form does.
        let rows = || order.rows.iter().copied();
        let forms = || order.forms.iter().map(|&form| Some(form));
        match section {
            Section::Hi => self.write_hi(tokens, rows(), out),
            Section::Lo => self.write_lo(tokens, rows(), out),
            Section::Norms => write_numbers(&tokens.norms, rows(), out),
            Section::Scales => write_numbers(&tokens.scales, rows(), out),
            Section::Residuals => write_numbers(&tokens.residuals, rows(), out),
            Section::GroupStarts => out.put(bytemuck::cast_slice(&order.group_starts)),
            Section::Lengths => {
                let length = |form: &u32| self.forms[*form as usize].length;
                out.put(bytemuck::cast_slice(&order.forms.iter().map(length).collect::<Vec<u32>>()))
            }
            Section::PooledHi => self.write_hi(pooled, forms(), out),
            Section::PooledLo => self.write_lo(pooled, forms(), out),
            Section::PooledNorms => write_numbers(&pooled.norms, forms(), out),
            Section::PooledScales => write_numbers(&pooled.scales, forms(), out),
            Section::PooledResiduals => write_numbers(&pooled.residuals, forms(), out),
            Section::TextHashes => order.forms.iter().try_for_each(|&form| out.put(&self.hashes[form as usize])),
        }
    }

    /// The hi plane, block after block of rows.
    fn write_hi(
        &self,
        rows: &Rows,
        mut order: impl Iterator<Item = Option<u32>>,
        out: &mut HashingWriter<impl Write>,
    ) -> std::io::Result<()> {
        let (mut chunk, mut block) = (Vec::new(), Vec::new());
        loop {
            chunk.clear();
            order.by_ref().take(BLOCK_ROWS).for_each(|row| chunk.extend_from_slice(self.row_of(&rows.hi, row)));
            if chunk.is_empty() {
                return Ok(());
            }
            block.clear();
            interleave(&chunk, chunk.len() / self.dim, self.dim, &mut block);
            out.put(&block)?;
        }
    }

    /// The lo plane, row after row.
    fn write_lo(
        &self,
        rows: &Rows,
        mut order: impl Iterator<Item = Option<u32>>,
        out: &mut HashingWriter<impl Write>,
    ) -> std::io::Result<()> {
        order.try_for_each(|row| out.put(bytemuck::cast_slice(self.row_of(&rows.lo, row))))
    }

    /// A row of a plane; zeros for a place without a row.
    fn row_of<'p>(&self, plane: &'p [i8], row: Option<u32>) -> &'p [i8] {
        static ZEROS: [i8; layout::MAX_DIM as usize] = [0; layout::MAX_DIM as usize];
        match row {
            Some(row) => &plane[row as usize * self.dim..][..self.dim],
            None => &ZEROS[..self.dim],
        }
    }
}

/// A number of each row in order; 0 for a place without a row.
fn write_numbers(
    numbers: &[f32],
    order: impl Iterator<Item = Option<u32>>,
    out: &mut HashingWriter<impl Write>,
) -> std::io::Result<()> {
    let ordered: Vec<f32> = order.map(|row| row.map_or(0.0, |row| numbers[row as usize])).collect();
    out.put(bytemuck::cast_slice(&ordered))
}

fn too_many_rows(got: usize) -> Error {
    Error::Matrix { expected: format!("at most {} rows in a segment", layout::MAX_COUNT), got: got.to_string() }
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

//! Segments of version 1, which kept the rows of a form together. Read by upgrades only.
//!
//! Preamble, header archive and trailer are those of today (`index-format.md`), but for `n_blocks`, which is not there. The payload
//! has twelve sections: in place of group starts and lengths the **offsets** (u32 first row of each form, and the number of
//! rows), and rows where there are places now.

use std::ops::Range;
use std::path::Path;

use rkyv::{Archive, Deserialize};

use super::layout::{ALIGN, MAX_COUNT, MAX_DIM, PAGE, PREAMBLE, TRAILER};
use super::planes::Planes;
use super::stored::{OnRead, StoredForms};
use super::{TextHash, reader};
use crate::error::{Error, Result};
use crate::late_interaction::layout::plane_len;
use crate::mapped_file::MappedFile;
use crate::storage::files::Files;
use crate::storage::hex;

/// The version of these segments.
pub(crate) const VERSION: u32 = 1;

/// What the header archive says.
#[derive(Debug, Archive, Deserialize)]
struct OldHeader {
    encoder: [u8; 32],
    dim: u32,
    n_rows: u32,
    n_forms: u32,
    sections: Vec<(u64, u64)>,
}

/// The sections of the payload, in file order.
#[derive(Debug, Clone, Copy)]
enum Section {
    Hi,
    Lo,
    Norms,
    Scales,
    Residuals,
    Offsets,
    PooledHi,
    PooledLo,
    PooledNorms,
    PooledScales,
    PooledResiduals,
    TextHashes,
}

impl OldHeader {
    /// The lengths of the sections, in the order of [`Section`].
    fn lengths(&self) -> [usize; 12] {
        let (dim, rows, forms) = (self.dim as usize, self.n_rows as usize, self.n_forms as usize);
        let [row_numbers, form_numbers] = [rows * 4, forms * 4];
        let tokens = [plane_len(rows, dim), rows * dim, row_numbers, row_numbers, row_numbers, form_numbers + 4];
        let pooled = [plane_len(forms, dim), forms * dim, form_numbers, form_numbers, form_numbers, forms * 32];
        std::array::from_fn(|at| if at < 6 { tokens[at] } else { pooled[at - 6] })
    }

    /// Where the sections are after a header of `header_len` bytes, and how long the file is.
    fn places(&self, header_len: usize) -> (Vec<(u64, u64)>, u64) {
        let mut at = ((PREAMBLE + header_len) as u64).next_multiple_of(PAGE);
        let place = |length: usize| {
            let offset = at;
            at = (at + length as u64).next_multiple_of(ALIGN);
            (offset, length as u64)
        };
        let places: Vec<(u64, u64)> = self.lengths().into_iter().map(place).collect();
        (places, at + TRAILER as u64)
    }
}

/// A mapped segment of version 1.
#[derive(Debug)]
pub(crate) struct OldSegment {
    files: Files,
    file: MappedFile,
    header: OldHeader,
    hash: [u8; 32],
}

impl OldSegment {
    /// Opens the segment that should have the given content hash.
    pub(crate) fn open(files: &Files, path: &Path, expected_hash: &[u8; 32]) -> Result<Self> {
        let file = files.map(path)?;
        let header = read_header(&file)?;
        let hash = reader::read_trailer(&file)?;
        if hash != *expected_hash {
            return Err(Error::corrupt(path, format!("content {}", hex(expected_hash)), hex(&hash)));
        }
        let segment = Self { files: files.clone(), file, header, hash };
        segment.check_offsets()?;
        Ok(segment)
    }

    /// Offsets begin at 0, grow and end at the number of rows.
    fn check_offsets(&self) -> Result<()> {
        let offsets = self.offsets();
        let sound = offsets.first() == Some(&0)
            && offsets.last() == Some(&self.header.n_rows)
            && offsets.windows(2).all(|pair| pair[0] < pair[1]);
        let expected = || format!("form offsets growing from 0 to {}", self.header.n_rows);
        if sound { Ok(()) } else { Err(Error::corrupt(self.file.path(), expected(), "others")) }
    }

    fn offsets(&self) -> &[u32] {
        self.numbers(Section::Offsets)
    }

    fn range(&self, form: u32) -> Range<usize> {
        let form = form as usize;
        match (self.offsets().get(form), self.offsets().get(form + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        }
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

impl StoredForms for OldSegment {
    fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    fn dim(&self) -> usize {
        self.header.dim as usize
    }

    fn tokens(&self) -> Planes<'_> {
        use Section::{Hi, Lo, Norms, Residuals, Scales};
        Planes::of(self.dim(), [Hi, Lo, Norms, Scales, Residuals].map(|section| self.section(section)))
    }

    fn pooled(&self) -> Planes<'_> {
        use Section::{PooledHi, PooledLo, PooledNorms, PooledResiduals, PooledScales};
        Planes::of(
            self.dim(),
            [PooledHi, PooledLo, PooledNorms, PooledScales, PooledResiduals].map(|section| self.section(section)),
        )
    }

    fn rows(&self, form: u32) -> Vec<usize> {
        self.range(form).collect()
    }

    fn text_hash(&self, form: u32) -> TextHash {
        let hashes = self.section(Section::TextHashes).as_chunks::<32>().0;
        hashes.get(form as usize).copied().unwrap_or_default()
    }

    fn verify(&self, progress: OnRead<'_>) -> Result<()> {
        let planes = [self.tokens(), self.pooled()];
        reader::verify(&self.files, &self.file, &self.hash, planes, progress)
    }
}

fn read_header(file: &MappedFile) -> Result<OldHeader> {
    let archive = reader::header_archive(file, VERSION..=VERSION)?;
    let damaged = |(expected, got): (String, String)| Error::corrupt(file.path(), expected, got);
    check_header(archive, file.bytes().len() as u64).map_err(damaged)
}

/// The header, when its counts and places fit the length of the file; else what was expected and found.
fn check_header(archive: &[u8], file_len: u64) -> std::result::Result<OldHeader, (String, String)> {
    let header = parse(archive).map_err(|problem| ("a header archive".to_string(), problem))?;
    let counts = [header.n_rows, header.n_forms];
    if !(1..=MAX_DIM).contains(&header.dim) || counts.iter().any(|&count| count > MAX_COUNT) {
        return Err(("counts in range".to_string(), format!("{} rows of {} values", header.n_rows, header.dim)));
    }
    let (places, length) = header.places(archive.len());
    if places != header.sections || length != file_len {
        return Err((format!("{length} bytes, sections at {places:?}"), format!("{file_len} bytes, others")));
    }
    Ok(header)
}

fn parse(archive: &[u8]) -> std::result::Result<OldHeader, String> {
    let mut aligned = rkyv::util::AlignedVec::<16>::with_capacity(archive.len());
    aligned.extend_from_slice(archive);
    rkyv::from_bytes::<OldHeader, rkyv::rancor::Error>(&aligned).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::segment::{Segment, SegmentBuilder};

    /// Segments as commit 237beb0 wrote them.
    fn frozen() -> Vec<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/old-index/catalog1-segment1/segments");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn hash_of(path: &Path) -> [u8; 32] {
        let name = path.file_stem().unwrap().to_str().unwrap();
        *blake3::Hash::from_hex(name).unwrap().as_bytes()
    }

    /// What is stored of some rows: both planes, and the bits of norm, scale and residual.
    fn stored(planes: Planes, rows: &[usize]) -> Vec<(Vec<i8>, Vec<i8>, [u32; 3])> {
        let one = |&row: &usize| {
            let (mut hi, mut lo) = (vec![0; planes.dim], vec![0; planes.dim]);
            let beside = planes.read_quantized(row, &mut hi, &mut lo);
            (hi, lo, [beside.norm, beside.scale, beside.residual].map(f32::to_bits))
        };
        rows.iter().map(one).collect()
    }

    #[test]
    fn every_number_of_a_form_survives_its_copy_into_the_layout_of_today() {
        let (files, folder) = (Files::default(), tempfile::tempdir().unwrap());
        let mut forms = 0;
        for (at, path) in frozen().iter().enumerate() {
            let old = OldSegment::open(&files, path, &hash_of(path)).unwrap();
            old.verify(&mut |_| Ok(())).unwrap();
            let mut builder = SegmentBuilder::new(old.header.encoder, old.dim()).unwrap();
            (0..old.header.n_forms).for_each(|form| builder.push_stored(form % 3, &old, form).unwrap());
            let copy = folder.path().join(at.to_string());
            let written = builder.finish(&files, &copy).unwrap();
            let new = Segment::open(&files, &copy, &written.hash).unwrap();
            new.verify(|_| Ok(())).unwrap();
            assert_eq!((new.n_rows(), new.n_forms()), (old.header.n_rows, old.header.n_forms));
            for (form, place) in (0..).zip(written.places) {
                let rows: Vec<usize> = new.rows_of(place).collect();
                assert_eq!(stored(old.tokens(), &old.rows(form)), stored(new.tokens(), &rows), "form {form}");
                assert_eq!(stored(old.pooled(), &[form as usize]), stored(new.pooled(), &[place as usize]));
                assert_eq!(old.text_hash(form), new.text_hash(place));
                forms += 1;
            }
            assert!(old.rows(old.header.n_forms).is_empty() && old.rows(u32::MAX).is_empty());
        }
        assert!(forms > 50, "{forms}");
    }

    /// As the segments of today: refused when opened, or found by the hash; never a panic.
    #[test]
    fn damage_is_refused_or_found() {
        let (files, folder) = (Files::default(), tempfile::tempdir().unwrap());
        let frozen = frozen();
        let path = frozen.iter().min_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
        let (sound, hash, copy) = (std::fs::read(path).unwrap(), hash_of(path), folder.path().join("damaged"));
        let is_sound = |bytes: &[u8]| {
            std::fs::write(&copy, bytes).unwrap();
            let opened = OldSegment::open(&files, &copy, &hash);
            opened.and_then(|segment| segment.verify(&mut |_| Ok(()))).is_ok()
        };
        assert!(is_sound(&sound));
        let (header, trailer) = (PREAMBLE + 200, sound.len() - TRAILER);
        for at in (0..header).chain((header..trailer).step_by(997)).chain(trailer..sound.len()) {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(!is_sound(&damaged), "byte {at}");
        }
        for length in (0..sound.len()).step_by(1009).chain([sound.len() - 1]) {
            assert!(!is_sound(&sound[..length]), "{length} bytes");
        }
    }
}

//! Memory for packed weights: one anonymous map, in large pages where the system has them, shared by all linear layers.

use std::ops::Range;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

/// Every part begins at a multiple of this many bytes: a line of the cache.
const ALIGNMENT: usize = 64;

/// Memory being filled.
pub(super) struct ArenaBuilder {
    map: MmapMut,
}

/// A part of the memory, once filled. Keeps all of it.
#[derive(Clone)]
pub(super) struct Part {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl ArenaBuilder {
    /// Room for parts of these many bytes, which are zeros to begin with.
    pub(super) fn new(lengths: &[usize]) -> std::io::Result<Self> {
        let total = ranges(lengths).last().map_or(0, |range| range.end);
        let map = MmapMut::map_anon(total.max(1))?;
        // 42 MB in pages of 4 KB are more than the processor keeps track of. A hint; a system that refuses it is as well off.
        #[cfg(target_os = "linux")]
        if let Err(error) = map.advise(memmap2::Advice::HugePage) {
            tracing::debug!(%error, "no large pages for weights");
        }
        Ok(Self { map })
    }

    /// The parts, to be written, in the order of the lengths that were given to [`new`](Self::new).
    pub(super) fn parts(&mut self, lengths: &[usize]) -> Vec<&mut [u8]> {
        let mut rest = &mut self.map[..];
        let mut parts = Vec::with_capacity(lengths.len());
        for &length in lengths {
            let padded = length.next_multiple_of(ALIGNMENT).min(rest.len());
            let (part, after) = rest.split_at_mut(padded);
            parts.push(&mut part[..length.min(padded)]);
            rest = after;
        }
        parts
    }

    /// The same parts, to be read from now on.
    pub(super) fn finish(self, lengths: &[usize]) -> std::io::Result<Vec<Part>> {
        let map = Arc::new(self.map.make_read_only()?);
        Ok(ranges(lengths).map(|range| Part { map: Arc::clone(&map), range }).collect())
    }
}

impl Part {
    /// The bytes; they begin at a line of the cache.
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.get(self.range.clone()).unwrap_or_default()
    }
}

/// Where parts of these lengths lie.
fn ranges(lengths: &[usize]) -> impl Iterator<Item = Range<usize>> {
    lengths.iter().scan(0, |start, &length| {
        let range = *start..*start + length;
        *start = range.end.next_multiple_of(ALIGNMENT);
        Some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_what_was_written_and_begin_at_lines() {
        let lengths = [3, 0, 64, 130];
        let mut builder = ArenaBuilder::new(&lengths).unwrap();
        for (value, part) in (1..).zip(builder.parts(&lengths)) {
            assert!(part.iter().all(|&byte| byte == 0));
            part.fill(value);
        }
        let parts = builder.finish(&lengths).unwrap();
        for ((value, &length), part) in (1..).zip(&lengths).zip(&parts) {
            assert_eq!(part.bytes(), vec![value; length]);
            assert_eq!(part.bytes().as_ptr().align_offset(ALIGNMENT), 0);
        }
    }

    #[test]
    fn nothing_is_a_part_too() {
        assert!(ArenaBuilder::new(&[]).unwrap().finish(&[]).unwrap().is_empty());
        assert!(ArenaBuilder::new(&[0]).unwrap().finish(&[0]).unwrap()[0].bytes().is_empty());
    }
}

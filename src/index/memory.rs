//! How much is held in memory while texts are embedded, so that the process stays below a ceiling.
//!
//! What counts is the memory that the whole process has resident: what it has when embedding begins (the program, the model
//! with its mapped files, the release, whatever else the application holds), the catalog's cache, and what embedding needs:
//! texts on their way through the model, and the segment that is being filled.

use crate::error::{Error, Result};
use crate::storage::{SEGMENT_BYTES, WRITER_CACHE};

/// Texts embedded at a time: enough to fill batches of equal length, few enough that their f32 rows stay below about 100 MB.
const PART: usize = 1024;
/// Fewer texts at a time than this, or smaller segments, would cost more time than they save memory.
const LEAST_PART: usize = 32;
const LEAST_SEGMENT: usize = 4 << 20;
/// What a segment takes in memory while it is filled and written, in quarters of its payload: buffers grow by doubling.
const SEGMENT_QUARTERS: usize = 9;
/// Bytes of memory for a value of a row while it is embedded: as f32, and once more on its way into a matrix.
const PER_VALUE: usize = 8;
/// Bytes that the forward pass of one thread needs for each value of the longest batch's rows.
const WORKSPACE: usize = 64;
/// Tokens of a batch, at least.
const BATCH_TOKENS: usize = 128;
/// Lists of texts and places, entries of the catalog being made, and what the allocator keeps.
const OVERHEAD: usize = 40 << 20;

/// How much is done at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// Texts embedded at a time.
    pub(super) part: usize,
    /// Payload at which a segment is written.
    pub(super) segment_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { part: PART, segment_bytes: SEGMENT_BYTES }
    }
}

impl Budget {
    /// What can be done at a time below a ceiling, by an encoder whose matrices have at most `rows` rows of `dim` values.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when even the least is too much; it says what is needed.
    pub(super) fn below(ceiling: u64, (rows, dim): (usize, usize)) -> Result<Self> {
        let threads = rayon::current_num_threads();
        Self::beside(resident()?, ceiling, threads, (rows, dim))
    }

    fn beside(resident: u64, ceiling: u64, threads: usize, (rows, dim): (usize, usize)) -> Result<Self> {
        let workspace = product([threads, rows.max(BATCH_TOKENS), dim, WORKSPACE]);
        let fixed = resident.saturating_add((WRITER_CACHE + OVERHEAD) as u64).saturating_add(workspace as u64);
        let text = product([rows, dim, PER_VALUE]).max(1);
        let of_segment = |payload: usize| product([payload, SEGMENT_QUARTERS]) / 4;
        let least = of_segment(LEAST_SEGMENT).saturating_add(product([LEAST_PART, text]));
        let needed = fixed.saturating_add(least as u64);
        if ceiling < needed {
            return Err(Error::InvalidOption {
                option: "memory",
                expected: format!(
                    "at least {} MB: {} MB are in use already, with the model and the release, and embedding needs the rest",
                    needed.div_ceil(1_000_000),
                    resident / 1_000_000
                ),
                got: format!("{} MB", ceiling / 1_000_000),
            });
        }
        // What is left beyond the least goes to the texts of a part for a third and to the segment for the rest.
        let spare = usize::try_from(ceiling - needed).unwrap_or(usize::MAX);
        let part = (LEAST_PART + spare / 3 / text).min(PART);
        let segment_bytes = (LEAST_SEGMENT + spare / 3 * 2 / SEGMENT_QUARTERS * 4).min(SEGMENT_BYTES);
        Ok(Self { part, segment_bytes })
    }
}

fn product<const N: usize>(factors: [usize; N]) -> usize {
    factors.into_iter().fold(1, usize::saturating_mul)
}

/// The bytes that this process has in memory.
#[cfg(target_os = "linux")]
fn resident() -> Result<u64> {
    let path = std::path::Path::new("/proc/self/status");
    let status = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map(|n| n.saturating_mul(1024)).ok_or_else(unknown)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> Result<u64> {
    Err(unknown())
}

fn unknown() -> Error {
    Error::InvalidOption {
        option: "memory",
        expected: "a system that tells how much memory a process has (Linux); leave the ceiling out elsewhere"
            .to_string(),
        got: std::env::consts::OS.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;
    /// 64 tokens of 384 values, as of MiniLM.
    const MINI: (usize, usize) = (64, 384);

    #[test]
    fn a_high_ceiling_changes_nothing() {
        assert_eq!(Budget::beside(200 * MB, u64::MAX, 8, MINI).unwrap(), Budget::default());
        assert_eq!(Budget::beside(200 * MB, 2048 * MB, 2, MINI).unwrap(), Budget::default());
    }

    #[test]
    fn what_is_planned_stays_below_the_ceiling_and_grows_with_it() {
        let mut last = Budget { part: 0, segment_bytes: 0 };
        for ceiling in (400..1500).map(|n| n * MB) {
            let budget = Budget::beside(200 * MB, ceiling, 2, MINI).unwrap();
            let text = MINI.0 * MINI.1 * PER_VALUE;
            let needed = budget.part * text + budget.segment_bytes * SEGMENT_QUARTERS / 4;
            assert!(200 * MB + (needed + WRITER_CACHE + OVERHEAD) as u64 <= ceiling, "{budget:?}");
            assert!(budget.part >= last.part && budget.segment_bytes >= last.segment_bytes);
            last = budget;
        }
        assert_eq!(last, Budget::default());
    }

    #[test]
    fn a_ceiling_that_cannot_be_kept_is_refused_and_the_least_is_named() {
        let refused = |ceiling| match Budget::beside(200 * MB, ceiling, 2, MINI) {
            Err(Error::InvalidOption { option: "memory", expected, .. }) => Some(expected),
            Ok(_) => None,
            Err(other) => panic!("{other}"),
        };
        let said = refused(0).unwrap();
        let least: u64 = said.split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert!(said.contains("209 MB are in use"), "{said}");
        assert!(refused(least * 1_000_000 - 1_000_001).is_some());
        assert_eq!(refused(least * 1_000_000), None);
        assert!(Budget::beside(u64::MAX, u64::MAX - 1, 2, (usize::MAX, usize::MAX)).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_has_some_memory() {
        assert!(resident().unwrap() > MB);
    }
}

//! A user's own list in each format: read; where that succeeds, stored and read back.
//!
//! Input: one byte of options (odd stores what was read; the next two bits are the format), then the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workindex::{Monitor, SpaceName, table};
use workindex_fuzz::{abort_on_own_panics, round_trip};

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let Some((&option, text)) = data.split_first() else { return };
    let name = ["list.csv", "list.tsv", "list.jsonl", "list.txt"][usize::from(option >> 1 & 3)];
    let space: SpaceName = "list/skill/en".parse().unwrap();
    if let Ok((release, _)) = table::read_from(text, name, &space, &table::Options::default(), &Monitor::silent())
        && option & 1 == 1
    {
        round_trip(&release);
    }
});

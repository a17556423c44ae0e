//! Ranks many token matrices against a space of an index, without an encoder, and prints the resident memory meanwhile.
//!
//! ```sh
//! cargo run --release --example resident -- INDEX SPACE QUERIES.safetensors...
//! ```
//!
//! The token matrices are in the form of [`workindex::read_matrices`]; files are read one at a time, so that the memory is
//! the index's and not that of the queries. The scan bench keeps an index and files of 64 titles below `target/bench-scan`:
//! `target/bench-scan/*/indexes/13896-*.index bench/skill/en target/bench-scan/*/titles/*`.

use std::path::PathBuf;
use std::time::Instant;

use workindex::{RankOptions, WorkIndex, read_matrices};

/// After how many queries memory is looked at.
const LOOKS: [usize; 4] = [1, 10, 100, 1000];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(index), Some(space)) = (arguments.next(), arguments.next()) else {
        return Err("usage: resident INDEX SPACE QUERIES.safetensors...".into());
    };
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    show("started");
    let space = WorkIndex::open(&index)?.space(&space.to_string_lossy())?;
    show(&format!("opened {} with {} concepts", space.name(), space.len()));
    let (mut ranked, start) = (0, Instant::now());
    for file in &files {
        for query in read_matrices(file)? {
            space.rank_matrix(&query, &RankOptions::top(10))?;
            ranked += 1;
            if LOOKS.contains(&ranked) {
                show(&format!("after {ranked} queries"));
            }
        }
        if LOOKS.last().is_some_and(|&last| ranked >= last) {
            break;
        }
    }
    show(&format!("after all {ranked}, in {:.1?}", start.elapsed()));
    Ok(())
}

/// Prints the resident memory: all of it, what the process has allocated, and what it has mapped from files.
fn show(when: &str) {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => {
            let megabytes =
                |name| field(&status, name).map_or("?".to_string(), |kb| format!("{:.1}", kb as f64 * 1024.0 / 1e6));
            let (all, own, files) = (megabytes("VmRSS:"), megabytes("RssAnon:"), megabytes("RssFile:"));
            println!("{when:<45} resident {all:>7} MB: {own:>7} allocated, {files:>7} of files");
        }
        Err(_) => println!("{when:<45} resident memory: unsupported on this system"),
    }
}

/// The kilobytes (of 1024 bytes) of a line such as `VmRSS: 5180 kB`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

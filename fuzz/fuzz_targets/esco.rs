//! Files of ESCO: read; where that succeeds, stored and read back.
//!
//! Input: a bundle of the files. Options: one byte; odd stores what was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workindex::{Monitor, esco};
use workindex_fuzz::{Bundle, abort_on_own_panics, new_folder, round_trip};

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let bundle = Bundle::new(data);
    let folder = new_folder();
    bundle.write(folder.path());
    let options = esco::Options { version: Some("1.1.0".to_string()), language: None };
    if let Ok((release, _)) = esco::read(&[folder.path()], &options, &Monitor::silent())
        && bundle.option(0) & 1 == 1
    {
        round_trip(&release);
    }
});

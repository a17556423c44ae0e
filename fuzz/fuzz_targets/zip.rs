//! Archives, through the readers of ESCO and O*NET.
//!
//! Input: one byte of options, then the archive; or, when bit 1 of the options is set, a bundle whose files are put into a
//! sound archive (so that names and contents are tried behind checksums), of which bytes are then changed as the options say.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use workindex::{Monitor, esco, onet};
use workindex_fuzz::{Bundle, abort_on_own_panics, new_folder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive of the files of a bundle; none when the writer refuses a name.
fn archive(bundle: &Bundle) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = if bundle.option(0) & 4 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    for (name, content) in &bundle.files {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).ok()?;
        zip.write_all(content).ok()?;
    }
    let mut bytes = zip.finish().ok()?.into_inner();
    // Pairs of a place from the end, where the directory is, and a byte.
    for change in bundle.options.get(1..).unwrap_or_default().chunks_exact(3) {
        let from_end = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if let Some(at) = bytes.len().checked_sub(1 + from_end) {
            bytes[at] = change[2];
        }
    }
    Some(bytes)
}

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let Some((&options, rest)) = data.split_first() else { return };
    let made = if options & 2 == 2 { archive(&Bundle::new(data)) } else { Some(rest.to_vec()) };
    let Some(bytes) = made else { return };
    let folder = new_folder();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("in.zip");
    std::fs::write(&path, bytes).unwrap();
    let _ = match options & 1 {
        0 => esco::read(&[&path], &esco::Options { version: Some("1.1".into()), language: None }, &Monitor::silent()),
        _ => onet::read(&[&path], &onet::Options { version: Some("29.0".into()), ..Default::default() }, &Monitor::silent()),
    };
    let beside = std::fs::read_dir(folder.path()).unwrap().count() + std::fs::read_dir(&inner).unwrap().count();
    assert_eq!(beside, 2, "nothing is unpacked to disk");
});

//! A damaged segment file in an index that is otherwise sound: opened, ranked, verified.
//!
//! Input: one byte of options, then the file. Unless the options say otherwise, what vouches for the file is made right, so
//! that the checks behind the hashes are reached: begin and end marks, version, hash of the header, length; the content hash is
//! the one that the catalog has (which opening compares) or the true one, entered in the catalog too (which verifying needs).
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use redb::{ConcurrencyMode, Database, ReadableDatabase, TableDefinition};
use workindex_fuzz::{abort_on_own_panics, ask, list_index, new_folder};

const SEGMENTS: TableDefinition<u32, &[u8]> = TableDefinition::new("segments");
/// Bytes before the header archive, and after the payload.
const EDGE: usize = 64;

/// The index, and what a sound state of it is.
struct World {
    root: PathBuf,
    catalog: Vec<u8>,
    hash: [u8; 32],
    record: (u32, Vec<u8>),
    _folder: tempfile::TempDir,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = new_folder();
        let root = folder.path().join("work.index");
        list_index(&root);
        assert!(ask(&root).unwrap(), "the index is sound to begin with");
        let catalog = std::fs::read(root.join("catalog.redb")).unwrap();
        let db = Database::builder()
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only(root.join("catalog.redb"))
            .unwrap();
        let table = db.begin_read().unwrap().open_table(SEGMENTS).unwrap();
        let entries: Vec<_> = table.range::<u32>(..).unwrap().map(|entry| entry.unwrap()).collect();
        let [(number, record)] = &entries[..] else { panic!("one segment") };
        let record = (number.value(), record.value().to_vec());
        let name = std::fs::read_dir(root.join("segments")).unwrap().next().unwrap().unwrap().file_name();
        let hex = name.to_str().unwrap().as_bytes();
        let digit = |at: usize| u8::from_str_radix(std::str::from_utf8(&hex[2 * at..2 * at + 2]).unwrap(), 16).unwrap();
        let hash = std::array::from_fn(digit);
        World { root, catalog, hash, record, _folder: folder }
    })
}

fn path_of(root: &std::path::Path, hash: &[u8; 32]) -> PathBuf {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    root.join("segments").join(format!("{hex}.seg"))
}

/// Makes right what stands before the payload.
fn vouch_for_header(bytes: &mut [u8]) {
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[..8].copy_from_slice(b"WIDXSEG\0");
    bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
    if let Some(archive) = bytes.get(EDGE..EDGE.saturating_add(length)) {
        let hash = blake3::hash(archive);
        bytes[16..48].copy_from_slice(hash.as_bytes());
    }
}

/// Makes right what stands after the payload, with a hash.
fn end(bytes: &mut [u8], hash: &[u8; 32]) {
    let length = bytes.len();
    let trailer = &mut bytes[length - EDGE..];
    trailer[..32].copy_from_slice(hash);
    trailer[32..40].copy_from_slice(&(length as u64).to_le_bytes());
    trailer[40..56].fill(0);
    trailer[56..].copy_from_slice(b"WIDXEND\0");
}

/// Enters another content hash in the catalog.
fn rename_in_catalog(world: &World, hash: &[u8; 32]) {
    let mut record = world.record.1.clone();
    let at = record.windows(32).position(|window| *window == world.hash).expect("a record with the hash");
    record[at..at + 32].copy_from_slice(hash);
    let mut builder = Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let txn = builder.open(world.root.join("catalog.redb")).unwrap().begin_write().unwrap();
    txn.open_table(SEGMENTS).unwrap().insert(world.record.0, &record[..]).unwrap();
    txn.commit().unwrap();
}

fuzz_target!(init: abort_on_own_panics(), |data: &[u8]| {
    let world = world();
    let Some((&options, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    let (as_it_is, truly) = (options & 1 == 1, options & 6 == 6);
    let mut hash = world.hash;
    if !as_it_is && bytes.len() >= 2 * EDGE {
        vouch_for_header(&mut bytes);
        if truly {
            hash = *blake3::hash(&bytes[..bytes.len() - EDGE]).as_bytes();
            rename_in_catalog(world, &hash);
        }
        end(&mut bytes, &hash);
    }
    let path = path_of(&world.root, &hash);
    std::fs::write(&path, &bytes).unwrap();
    let _ = ask(&world.root);
    std::fs::remove_file(&path).unwrap();
    if hash != world.hash {
        std::fs::write(world.root.join("catalog.redb"), &world.catalog).unwrap();
    }
});
